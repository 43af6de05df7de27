"""bits = -log2 p(x | z_1 = default latent): one item in a message of its own, without posterior or
initial bits.

The first items of a chained group are coded like this too (`chained_group`). For a model with a
deterministic posterior (VQ-VAE) bits = -log2 p(x | z) - log2 p(z) at its point z (`deterministic`),
since there are no bits to get back.
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


def encode(model: LatentModel, x: Ints) -> Words:
    """Code an item x int64 `(1, dims)` and return the message's words, uint32.

    Examples:
        >>> from bbans.models.analytic import LinearGaussian
        >>> from bbans.schemes import sampling
        >>> model = LinearGaussian(latents=8, k=3)
        >>> x = sampling.sample_items(model, 1)
        >>> bool((decode(model, encode(model, x))[0] == x).all())
        True
    """
    (message,) = _codec(model).push(base_message((1,)), x)
    return lanes.finish(message)


def decode(model: LatentModel, words: NDArray[np.uint32]) -> tuple[Ints, Account]:
    """Decode the words of `encode`: return x int64 `(1, dims)` and the account of the words in
    bits.

    Raises FormatError or UnderflowError on damaged data.

    Examples:
        >>> from bbans.models.analytic import LinearGaussian
        >>> from bbans.schemes import sampling
        >>> model = LinearGaussian(latents=8, k=3)
        >>> words = encode(model, sampling.sample_items(model, 1))
        >>> _, account = decode(model, words)
        >>> round(account.total) == 32 * len(words)
        True
    """
    message = lanes.start(words)
    held_bits = message_bits(message) - EMPTY_BITS
    message, x = _codec(model).pop(message)
    lanes.check_empty(message)
    ideal = ideal_bits(model, x)
    return x, Account(
        likelihood=ideal, coder=held_bits - ideal, flush=WORD_BITS * len(words) - held_bits
    )


def ideal_bits(model: LatentModel, x: Ints) -> float:
    """Return the information content of x int64 `(1, dims)` in bits, as `encode` codes it.

    Examples:
        >>> from bbans.models.analytic import LinearGaussian
        >>> from bbans.schemes import sampling
        >>> model = LinearGaussian(latents=8, k=3)
        >>> ideal_bits(model, sampling.sample_items(model, 1)) > 0
        True
    """
    if not model.capabilities.deterministic:
        return float(model.likelihood(0, model.default_latent(1)).bits(x)[0])
    _, z = model.posterior(1, x).pop(base_message((1,)))
    return float(model.likelihood(0, z).bits(x)[0] + model.prior(1).bits(z)[0])


def sample_bits(model: LatentModel, x: Ints) -> tuple[NDArray[np.float64], float]:
    """Return the bits of every sample of x, float64 `(1, dims)`, and the bits of the latents.

    Latents cost 0 bits unless the posterior is deterministic. Both together sum to `ideal_bits`.
    Samples that the distribution codes jointly share their mean.

    Examples:
        >>> from bbans.models.analytic import LinearGaussian
        >>> from bbans.schemes import sampling
        >>> model = LinearGaussian(latents=2, k=1)
        >>> bits, latent_bits = sample_bits(model, sampling.sample_items(model, 1))
        >>> bits.shape, latent_bits
        ((1, 6), 0.0)
    """
    z, latents = model.default_latent(1), 0.0
    if model.capabilities.deterministic:
        _, z = model.posterior(1, x).pop(base_message((1,)))
        latents = float(model.prior(1).bits(z)[0])
    return symbol_bits(model.likelihood(0, z), x), latents


def _codec(model: LatentModel) -> Codec:
    """Return the codec of one item, which never pops from q."""
    if model.capabilities.deterministic:
        return deterministic.codec(model, 1)
    likelihood = model.likelihood(0, model.default_latent(1))
    return Codec(likelihood.push, likelihood.pop)
