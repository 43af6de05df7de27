"""Row: 8-bit MNIST with a VAE of one layer.

python -m benchmarks.tables.grey_one_layer ../shared/data --model mnist.safetensors
"""

from benchmarks.tables import sets
from benchmarks.tables.rows import GREY, Row, run

ROW = Row("grey-one-layer", "mnist.safetensors", "MNIST, 8 bits", sets.mnist, GREY, 1.39)

if __name__ == "__main__":
    run(ROW, __doc__)
