"""The tables of the documents: one script a row, which measures and writes JSON, and `write`, which
needs the JSON only.

python -m benchmarks.tables.binarised_one_layer ../shared/data --model mnist-binary.safetensors
python -m benchmarks.tables.write
"""
