"""Net rate = -log2 p(x | z_1) - log2 p(z_1 | z_2) ... p(z_L) at the z that q is certain of: no bits
back and no initial bits.

The coder of a VQ-VAE, whose posterior is one codeword. Nothing is popped while encoding, and the
decoder never runs q.

Source: van den Oord, Vinyals and Kavukcuoglu 2017 (VQ-VAE, arXiv:1711.00937).
"""

from __future__ import annotations

from bbans.coding.codec import Codec
from bbans.coding.rans import Message, base_message
from bbans.distributions.distribution import Distribution, Ints
from bbans.errors import UnderflowError
from bbans.models.base import LatentModel
from bbans.schemes.metering import PRIOR, Record, check_items, generative, metered


def codec(chain: LatentModel, items: int, record: Record | None = None) -> Codec:
    """The codec of samples int64 `(items, dims)`.

    Pushing raises ValueError on a chain whose posterior is not certain.
    """

    def push(message: Message, x: Ints) -> tuple[Message]:
        check_items(x, items)
        below = x
        for layer in range(1, chain.capabilities.depth + 1):
            above = _certain(chain.posterior(layer, below))
            (message,) = generative(chain, layer - 1, above, record).push(message, below)
            below = above
        return metered(chain.prior(items), PRIOR, record).push(message, below)

    def pop(message: Message) -> tuple[Message, Ints]:
        message, z = metered(chain.prior(items), PRIOR, record).pop(message)
        for layer in reversed(range(chain.capabilities.depth)):
            message, z = generative(chain, layer, z, record).pop(message)
        return message, z

    return Codec(push, pop)


def _certain(posterior: Distribution) -> Ints:
    """The one value that q gives; it takes nothing from a message, so an empty one will do."""
    try:
        _, z = posterior.pop(base_message((1,)))
    except UnderflowError:
        z = None
    if z is None or posterior.bits(z).any():
        raise ValueError(
            "the deterministic scheme needs a posterior that is certain; code this model with "
            "bits_back or bit_swap"
        )
    return z
