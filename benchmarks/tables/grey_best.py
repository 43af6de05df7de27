"""Row: 8-bit MNIST with the best family there is.

python -m benchmarks.tables.grey_best ../shared/data --model best-grey.safetensors
"""

from benchmarks.tables import sets
from benchmarks.tables.rows import GREY, Row, run

ROW = Row("grey-best", "best-grey.safetensors", "MNIST, 8 bits", sets.mnist, GREY, 1.20)

if __name__ == "__main__":
    run(ROW, __doc__)
