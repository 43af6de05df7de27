"""Net rate = -log2 p(x, z_1, ..., z_L) + log2 q(z_1 | x) ... q(z_L | z_(L-1)), that of `bits_back`,
with initial bits of one layer.

The encoder goes up layer by layer: it pops z_l given z_(l-1) and pushes z_(l-1) given z_l at once,
which pays for the next pop. It needs the Markov structure of `chain.LatentModel`: what is pushed
must depend on nothing that has not been popped yet.

Source: Kingma, Abbeel and Ho 2019 (Bit-Swap, arXiv:1905.06845).
"""

from __future__ import annotations

from bbans.coding.codec import Codec
from bbans.coding.rans import Message
from bbans.distributions.distribution import Ints
from bbans.models.base import LatentModel
from bbans.schemes.metering import PRIOR, Record, check_items, generative, inference, metered


def codec(chain: LatentModel, items: int, record: Record | None = None) -> Codec:
    """The codec of samples int64 `(items, dims)`.

    Raises UnderflowError when the message cannot pay for a layer's latents.
    """

    def push(message: Message, x: Ints) -> tuple[Message]:
        check_items(x, items)
        below = x
        for layer in range(1, chain.capabilities.depth + 1):
            message, above = inference(chain, layer, below, record).pop(message)
            (message,) = generative(chain, layer - 1, above, record).push(message, below)
            below = above
        return metered(chain.prior(items), PRIOR, record).push(message, below)

    def pop(message: Message) -> tuple[Message, Ints]:
        message, above = metered(chain.prior(items), PRIOR, record).pop(message)
        for layer in reversed(range(1, chain.capabilities.depth + 1)):
            message, below = generative(chain, layer - 1, above, record).pop(message)
            (message,) = inference(chain, layer, below, record).push(message, above)
            above = below
        return message, above

    return Codec(push, pop)
