"""Table: IWAE-64, log p(x) and -KL(Q || P), in nats, of models trained by IWAE, PIWAE(8, 8),
MIWAE(8, 8), CIWAE(0.5) and the ELBO.

python -m benchmarks.tables.tightness ../shared/data --models models Published (Rainforth et al.
2018, arXiv:1802.04537, table 1; dynamic binarisation, 3,280 epochs). To be reproduced: the order of
the last column. `errors` are the standard errors, over images, of its differences in the published
order. Theirs are 0.09 to 0.20 over four runs each.
"""

import math
import time
from itertools import pairwise

import numpy as np

from bbans.models.model_file import load_file
from bbans.schemes.bounds import importance_weighted_bits
from bbans.tiles import fastest_ops
from benchmarks.tables import rows, weighted

PUBLISHED = {
    "iwae64": (-86.11, -84.52, -1.59),
    "piwae": (-85.74, -84.46, -1.28),
    "miwae": (-85.69, -84.97, -0.72),
    "ciwae": (-86.08, -85.24, -0.84),
    "elbo": (-86.69, -86.21, -0.47),
}


def main() -> None:
    """See the module's docstring."""
    parser = weighted.parser(__doc__)
    parser.add_argument("--particles", type=int, default=5000, help="weights for log p(x)")
    options = parser.parse_args()
    start = time.monotonic()
    pixels = weighted.images(options.data)[2][: options.count]
    x = pixels.reshape(len(pixels), -1).astype(np.int64)
    measured, gaps = {}, {}
    for name in PUBLISHED:
        chain = load_file(weighted.trained(name, options)).network(fastest_ops())
        each = [
            -math.log(2) * importance_weighted_bits(chain, x, k) for k in (64, options.particles)
        ]
        bound, evidence = (float(nats.mean()) for nats in each)
        measured[name] = {"iwae64": bound, "log_p": evidence, "minus_kl": bound - evidence}
        gaps[name] = each[0] - each[1]
    order = sorted(PUBLISHED, key=lambda name: -PUBLISHED[name][2])
    errors = {
        f"{a} less {b}": float((gaps[a] - gaps[b]).std(ddof=1) / math.sqrt(len(x)))
        for a, b in pairwise(order)
    }
    row = {
        **weighted.facts(options),
        "particles": options.particles,
        "published": PUBLISHED,
        "measured": measured,
        "errors": errors,
    }
    rows.save("tightness", {**row, **rows.circumstances(start)}, options, weighted.whole(options))


if __name__ == "__main__":
    main()
