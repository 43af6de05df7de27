"""bits = -log2 p(x | z_1 = idle): one item of a latent chain in a message of its own, which has
nothing that q could take.

The first items of a chained group are coded like this too (`stream`). A chain whose posterior is
certain (a VQ-VAE) needs nothing back, and pushes its z as always (`deterministic`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bbans.coding import lanes
from bbans.coding.codec import Codec
from bbans.coding.rans import Words, base_message, message_bits
from bbans.distributions.distribution import Ints, symbol_bits
from bbans.models.base import LatentModel
from bbans.schemes import deterministic
from bbans.schemes.metering import EMPTY_BITS, Account

WORD_BITS = 32.0


def encode(chain: LatentModel, x: Ints) -> Words:
    """An item x int64 `(1, dims)` as words."""
    (message,) = _codec(chain).push(base_message((1,)), x)
    return lanes.finish(message)


def decode(chain: LatentModel, words: NDArray[np.uint32]) -> tuple[Ints, Account]:
    """Inverse of `encode`, with the account of the words.

    Raises FormatError, UnderflowError on damage.
    """
    message = lanes.start(words)
    held = message_bits(message) - EMPTY_BITS
    message, x = _codec(chain).pop(message)
    lanes.check_empty(message)
    ideal = ideal_bits(chain, x)
    return x, Account(likelihood=ideal, coder=held - ideal, flush=WORD_BITS * len(words) - held)


def ideal_bits(chain: LatentModel, x: Ints) -> float:
    """Information content of x `(1, dims)` as `encode` codes it."""
    if not chain.capabilities.deterministic:
        return float(chain.likelihood(0, chain.default_latent(1)).bits(x)[0])
    _, z = chain.posterior(1, x).pop(base_message((1,)))
    return float(chain.likelihood(0, z).bits(x)[0] + chain.prior(1).bits(z)[0])


def sample_bits(chain: LatentModel, x: Ints) -> tuple[NDArray[np.float64], float]:
    """Bits of every sample of x, `(1, dims)`, and of the latents, which are idle and free unless q
    is a point; their sum is `ideal_bits`.

    Samples that their distribution cannot tell apart get their mean.
    """
    z, latents = chain.default_latent(1), 0.0
    if chain.capabilities.deterministic:
        _, z = chain.posterior(1, x).pop(base_message((1,)))
        latents = float(chain.prior(1).bits(z)[0])
    return symbol_bits(chain.likelihood(0, z), x), latents


def _codec(chain: LatentModel) -> Codec:
    if chain.capabilities.deterministic:
        return deterministic.codec(chain, 1)
    found = chain.likelihood(0, chain.default_latent(1))
    return Codec(found.push, found.pop)
