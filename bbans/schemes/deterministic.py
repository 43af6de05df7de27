"""Net rate = -log2 p(x | z_1) - log2 p(z_1 | z_2) ... p(z_L) at the one z of a deterministic
posterior, with no initial bits.

This is the coder of a VQ-VAE, whose posterior is a single codeword. The encoder pops nothing, and
the decoder never evaluates q.

Source: van den Oord, Vinyals and Kavukcuoglu 2017 (VQ-VAE, arXiv:1711.00937).
"""

from __future__ import annotations

from bbans.coding.codec import Codec
from bbans.coding.rans import Message, base_message
from bbans.distributions.distribution import Distribution, Ints
from bbans.errors import UnderflowError
from bbans.models.base import LatentModel
from bbans.schemes.metering import PRIOR, Record, check_items, generative, metered


def codec(model: LatentModel, items: int, record: Record | None = None) -> Codec:
    """Build the codec of samples x int64 `(items, dims)` for a model with a deterministic
    posterior.

    `record`, if given, receives the bits of every step. Pushing raises ValueError on x of another
    shape, and on a model whose posterior is not deterministic.

    Examples:
        >>> import numpy as np
        >>> from bbans.models.analytic import finite_mixture
        >>> model = finite_mixture(np.array([[[3, 1]]]), np.array([1]))  # one latent state
        >>> model_codec = codec(model, items=1)
        >>> (message,) = model_codec.push(base_message((1,)), np.array([[1]]))
        >>> model_codec.pop(message)[1].tolist()
        [[1]]
    """

    def push(message: Message, x: Ints) -> tuple[Message]:
        check_items(x, items)
        below = x
        for layer in range(1, model.capabilities.depth + 1):
            above = _point(model.posterior(layer, below))
            (message,) = generative(model, layer - 1, above, record).push(message, below)
            below = above
        return metered(model.prior(items), PRIOR, record).push(message, below)

    def pop(message: Message) -> tuple[Message, Ints]:
        message, z = metered(model.prior(items), PRIOR, record).pop(message)
        for layer in reversed(range(model.capabilities.depth)):
            message, z = generative(model, layer, z, record).pop(message)
        return message, z

    return Codec(push, pop)


def _point(posterior: Distribution) -> Ints:
    """Return the only value that q gives. Popping it takes no bits, so an empty message suffices.

    Raises ValueError if q is not deterministic.
    """
    try:
        _, z = posterior.pop(base_message((1,)))
    except UnderflowError:
        z = None
    if z is None or posterior.bits(z).any():
        raise ValueError(
            "the deterministic scheme needs a deterministic posterior; code this model with "
            "bits_back or bit_swap"
        )
    return z
