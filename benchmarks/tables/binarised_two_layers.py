"""Row: binarised MNIST with a VAE of two layers.

python -m benchmarks.tables.binarised_two_layers ../shared/data --model mnist-binary-2.safetensors
"""

from benchmarks.tables import sets
from benchmarks.tables.rows import BINARISED, Row, run

ROW = Row(
    "binarised-two-layers",
    "mnist-binary-2.safetensors",
    "binarised MNIST",
    sets.binarised_mnist,
    BINARISED,
    None,
)

if __name__ == "__main__":
    run(ROW, __doc__)
