"""Table: net bits per dimension of one model under BB-ELBO, BB-IS and BB-CIS of 5 and 50 particles, and with refined posteriors.

python -m benchmarks.tables.mcbits ../shared/data --models models
Published (Ruan et al. 2021, arXiv:2102.11086, README of its code; MNIST, another binarisation and model): BB-ELBO 0.2382, BB-IS(5) 0.2335,
BB-IS(50) 0.2305, with 50 steps of refinement BB-ELBO 0.2351, BB-IS(50) 0.2291. What is to be reproduced is their order and relative gains.
"""

import time
from typing import Any

import numpy as np

from bbans import evaluation
from bbans.models.store import load_file
from bbans.models.terms import Training
from bbans.schemes import names, refined
from bbans.schemes.bounds import initial_bits
from bbans.tiles import fastest_ops
from benchmarks.tables import rows, weighted

PUBLISHED = {"bits-back": 0.2382, "bb-is 5": 0.2335, "bb-is 50": 0.2305, "bits-back refined": 0.2351, "bb-is 50 refined": 0.2291}
CODERS = (("bits-back", 1), ("bb-is", 5), ("bb-is", 50), ("bb-cis", 5), ("bb-cis", 50))
INITIAL = 20  # images one by one for the initial bits


def main() -> None:
    """See the module's docstring."""
    parser = weighted.parser(__doc__)
    parser.add_argument("--refine", type=int, default=50, help="steps of refinement")
    parser.add_argument("--refined-count", type=int, default=100, help="test images of the rows with refinement")
    options = parser.parse_args()
    start = time.monotonic()
    path = weighted.trained("elbo", Training(), options)
    pixels = weighted.images(options.data)[2][: options.count]
    chain = load_file(path).network(fastest_ops())
    measured: dict[str, Any] = {}
    for steps in (0, options.refine):
        some = pixels[: options.refined_count] if steps else pixels
        named = [(str(i), image) for i, image in enumerate(some)]
        x = some.reshape(len(some), -1).astype(np.int64)
        for scheme, particles in CODERS if not steps else CODERS[::2]:
            found = evaluation.evaluate(named, path, draws=options.draws, scheme=scheme, particles=particles, refine=steps, batch=10)
            name = f"{scheme} {particles}" if particles > 1 else scheme
            coder, given = names.by_name(scheme, particles), refined.refined(chain, steps)
            initial = float(np.mean([initial_bits(coder, given, x[i : i + 1]) for i in range(min(INITIAL, len(x)))]))
            rates = found.rates()
            measured[f"{name} refined" if steps else name] = {
                "net": rates["net"],
                "expected": rates.get("bound", rates["ideal"]),
                "initial_bits": initial,
                "with_initial": rates["net"] + initial / x.shape[1],
                "images": len(some),
            }
    rows.save("mcbits", {"data": "binarised MNIST", "published": PUBLISHED, "measured": measured, **rows.circumstances(start)}, options)


if __name__ == "__main__":
    main()
