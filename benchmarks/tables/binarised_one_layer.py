"""Row: binarised MNIST with a VAE of one layer.

python -m benchmarks.tables.binarised_one_layer ../shared/data --model mnist-binary.safetensors
"""

from benchmarks.tables import sets
from benchmarks.tables.rows import BINARISED, Row, run

ROW = Row(
    "binarised-one-layer",
    "mnist-binary.safetensors",
    "binarised MNIST",
    sets.binarised_mnist,
    BINARISED,
    0.185,
)

if __name__ == "__main__":
    run(ROW, __doc__)
