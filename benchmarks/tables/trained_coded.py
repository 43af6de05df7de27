"""Table: trained with x coded with K = 1, 8 and 64 particles: a model has its best rate with as many as it was trained with.

python -m benchmarks.tables.trained_coded ../shared/data --models models
"""

import time

from bbans import evaluation
from bbans.models.terms import ELBO, IWAE, Training
from benchmarks.tables import rows, weighted

COUNTS = (1, 8, 64)


def main() -> None:
    """See the module's docstring."""
    options = weighted.parser(__doc__).parse_args()
    start = time.monotonic()
    named = [(str(i), image) for i, image in enumerate(weighted.images(options.data)[2][: options.count])]
    measured = {}
    for with_k in COUNTS:
        path = weighted.trained(f"iwae{with_k}", Training(objective=ELBO if with_k == 1 else IWAE, particles=with_k), options)
        for coded in COUNTS:
            found = evaluation.evaluate(named, path, draws=options.draws, scheme="bb-is", particles=coded, batch=10).rates()
            measured[f"trained {with_k}, coded {coded}"] = {"net": found["net"], "bound": found["bound"]}
    rows.save("trained-coded", {"data": "binarised MNIST", "published": {}, "measured": measured, **rows.circumstances(start)}, options)


if __name__ == "__main__":
    main()
