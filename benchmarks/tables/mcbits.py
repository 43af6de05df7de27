"""Table: net bits per dimension of one model under BB-ELBO, BB-IS and BB-CIS of 5 and 50 particles,
and with refined posteriors.

python -m benchmarks.tables.mcbits ../shared/data --models models Published (Ruan et al. 2021,
arXiv:2102.11086, README of its code; MNIST, another binarisation and model): BB-ELBO 0.2382,
BB-IS(5) 0.2335, BB-IS(50) 0.2305, with 50 steps of refinement BB-ELBO 0.2351, BB-IS(50) 0.2291; 500
images with their initial bits BB-IS(50) 0.2782, BB-CIS(50) 0.2325. What is to be reproduced is
their order and relative gains.
"""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from bbans.container.schemes import Coding
from bbans.distributions import gaussian_bins
from bbans.distributions.distribution import Distribution, Ints
from bbans.models.base import Capabilities, LatentModel
from bbans.models.model_file import load_file
from bbans.schemes import bounds, posterior_refinement, registry
from bbans.tiles import fastest_ops
from benchmarks.tables import rows, weighted

PUBLISHED = {
    "bits-back": 0.2382,
    "bb-is 5": 0.2335,
    "bb-is 50": 0.2305,
    "bits-back refined": 0.2351,
    "bb-is 50 refined": 0.2291,
}
PUBLISHED_WITH_INITIAL = {"bb-is 50": 0.2782, "bb-cis 50": 0.2325}
CODERS = (("bits-back", 1), ("bb-is", 5), ("bb-is", 50), ("bb-cis", 5), ("bb-cis", 50))
INITIAL = 20  # images one by one for the initial bits
MESSAGE = 500  # images of a message that begins with them
BATCH = 10  # images pushed at once


@dataclass(frozen=True, eq=False)
class Searched:
    """A chain with the refined posteriors of known items, searched for once, where `Refined`
    searches whenever it is asked.
    """

    chain: LatentModel
    at: dict[bytes, int]
    mean: Ints
    sigma: Ints
    precision: int

    capabilities = Capabilities("factorised")

    def prior(self, items: int) -> Distribution:
        """p(z)."""
        return self.chain.prior(items)

    def likelihood(self, layer: int, above: Ints) -> Distribution:
        """p(x | z)."""
        return self.chain.likelihood(layer, above)

    def posterior(self, layer: int, below: Ints) -> Distribution:
        """q_phi*(z | x); KeyError on an item that was not searched for."""
        found = [self.at[row.tobytes()] for row in below]
        return gaussian_bins.gaussian(self.mean[found], self.sigma[found], self.precision)

    def default_latent(self, items: int) -> Ints:
        """That of the chain."""
        return self.chain.default_latent(items)


def searched(chain: Any, x: Ints, steps: int) -> Searched:
    """The chain with the posteriors of x int64 `(items, dims)` refined by so many steps."""
    return Searched(
        chain,
        {row.tobytes(): i for i, row in enumerate(x)},
        *posterior_refinement.search(chain, x, steps),
    )


def coded(chain: LatentModel, x: Ints, scheme: str, particles: int, draws: int) -> dict[str, float]:
    """Net and expected bits per dimension, initial bits of one image, and the rate of a message of
    MESSAGE images with them.
    """
    coder = registry.by_name(scheme, particles)
    known = registry.SCHEMES[scheme].format
    if known.weighted:
        expected = registry.ideal_bits(Coding(known.number, particles), chain, x, draws)
    else:
        expected = bounds.ideal_bits(chain, x, draws).total
    found = net(chain, x, scheme, particles)
    initial = float(
        np.mean(
            [bounds.initial_bits(coder, chain, x[i : i + 1]) for i in range(min(INITIAL, len(x)))]
        )
    )
    whole = found + initial / (MESSAGE * x.shape[1])
    return {
        "net": found,
        "expected": float(expected.sum()) / x.size,
        "initial_bits": initial,
        "with_initial": whole,
    }


def net(chain: LatentModel, x: Ints, scheme: str, particles: int) -> float:
    """Bits per dimension that a message grows by."""
    batches = ((chain, x[first : first + BATCH]) for first in range(0, len(x), BATCH))
    return sum(bounds.net_bits(registry.by_name(scheme, particles), batches)) / x.size


def main() -> None:
    """See the module's docstring."""
    parser = weighted.parser(__doc__)
    parser.add_argument("--refine", type=int, default=50, help="steps of refinement")
    parser.add_argument(
        "--refined-count", type=int, default=100, help="test images of the rows with refinement"
    )
    options = parser.parse_args()
    start = time.monotonic()
    chain: Any = load_file(weighted.trained("elbo", options)).network(fastest_ops())
    pixels = weighted.images(options.data)[2][: options.count]
    x = pixels.reshape(len(pixels), -1).astype(np.int64)
    measured: dict[str, dict[str, float]] = {}
    for scheme, particles in CODERS:
        measured[f"{scheme} {particles}" if particles > 1 else scheme] = coded(
            chain, x, scheme, particles, options.draws
        )
    few = x[: options.refined_count]
    better = searched(chain, few, options.refine)
    for scheme, particles in CODERS[::2]:
        name = f"{scheme} {particles} refined" if particles > 1 else f"{scheme} refined"
        unrefined = net(chain, few, scheme, particles)  # of the same images
        measured[name] = coded(better, few, scheme, particles, options.draws) | {
            "unrefined": unrefined
        }
    row = {
        **weighted.facts(options),
        "refine": options.refine,
        "refined_images": len(few),
        "published": PUBLISHED,
        "published_with_initial": PUBLISHED_WITH_INITIAL,
        "message": MESSAGE,
        "measured": measured,
    }
    rows.save("mcbits", {**row, **rows.circumstances(start)}, options, weighted.whole(options))


if __name__ == "__main__":
    main()
