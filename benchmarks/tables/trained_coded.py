"""Table: trained with x coded with K = 1, 8 and 64 particles: a model has its best rate with as
many as it was trained with.

python -m benchmarks.tables.trained_coded ../shared/data --models models
"""

import time

import numpy as np

from bbans.models.model_file import load_file
from bbans.schemes import bounds, registry
from bbans.tiles import fastest_ops
from benchmarks.tables import rows, weighted

COUNTS = {1: "elbo", 8: "iwae8", 64: "iwae64"}
BATCH = 10  # images pushed at once


def main() -> None:
    """See the module's docstring."""
    options = weighted.parser(__doc__).parse_args()
    start = time.monotonic()
    pixels = weighted.images(options.data)[2][: options.count]
    x = pixels.reshape(len(pixels), -1).astype(np.int64)
    measured = {}
    for with_k, name in COUNTS.items():
        chain = load_file(weighted.trained(name, options)).network(fastest_ops())
        for coded in COUNTS:
            batches = ((chain, x[first : first + BATCH]) for first in range(0, len(x), BATCH))
            net = sum(bounds.net_bits(registry.by_name("bb-is", coded), batches)) / x.size
            bound = float(bounds.weighted_bits(chain, x, coded, draws=options.draws).sum()) / x.size
            measured[f"trained {with_k}, coded {coded}"] = {"net": net, "bound": bound}
    row = {
        **weighted.facts(options),
        "published": {},
        "measured": measured,
        **rows.circumstances(start),
    }
    rows.save("trained-coded", row, options, weighted.whole(options))


if __name__ == "__main__":
    main()
