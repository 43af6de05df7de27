"""Row: binarised MNIST with the best family there is.

python -m benchmarks.tables.binarised_best ../shared/data --model best-binary.safetensors
"""

from benchmarks.tables import sets
from benchmarks.tables.rows import BINARISED, Row, run

ROW = Row(
    "binarised-best",
    "best-binary.safetensors",
    "binarised MNIST",
    sets.binarised_mnist,
    BINARISED,
    0.165,
)

if __name__ == "__main__":
    run(ROW, __doc__)
