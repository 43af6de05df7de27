"""Net rate = -log2 p(x, z_1, ..., z_L) + log2 q(z_1 | x) ... q(z_L | z_(L-1)), as for `bits_back`,
with initial bits for one layer only.

The encoder goes up layer by layer: it pops z_l given z_(l-1), then at once pushes z_(l-1) given
z_l, which pays for the next pop. This needs the Markov structure of `models.base.LatentModel`: each
pushed symbol must depend only on latents that have been popped already.

Source: Kingma, Abbeel and Ho 2019 (Bit-Swap, arXiv:1905.06845).
"""

from __future__ import annotations

from bbans.coding.codec import Codec
from bbans.coding.rans import Message
from bbans.distributions.distribution import Ints
from bbans.models.base import LatentModel
from bbans.schemes.metering import PRIOR, Record, check_items, generative, inference, metered


def codec(model: LatentModel, items: int, record: Record | None = None) -> Codec:
    """Build the Bit-Swap codec of samples x int64 `(items, dims)`.

    `record`, if given, receives the bits of every step. Pushing raises ValueError on x of another
    shape, and UnderflowError when the message cannot pay for a layer's latents.

    Examples:
        >>> from bbans.coding.rans import pseudo_random_message
        >>> from bbans.models.analytic import LinearGaussian
        >>> from bbans.schemes import sampling
        >>> model = LinearGaussian(latents=8, k=3)
        >>> x = sampling.sample_items(model, 4)
        >>> (message,) = codec(model, 4).push(pseudo_random_message((1,), 99, seed=0), x)
        >>> bool((codec(model, 4).pop(message)[1] == x).all())
        True
    """

    def push(message: Message, x: Ints) -> tuple[Message]:
        check_items(x, items)
        below = x
        for layer in range(1, model.capabilities.depth + 1):
            message, above = inference(model, layer, below, record).pop(message)
            (message,) = generative(model, layer - 1, above, record).push(message, below)
            below = above
        return metered(model.prior(items), PRIOR, record).push(message, below)

    def pop(message: Message) -> tuple[Message, Ints]:
        message, above = metered(model.prior(items), PRIOR, record).pop(message)
        for layer in reversed(range(1, model.capabilities.depth + 1)):
            message, below = generative(model, layer - 1, above, record).pop(message)
            (message,) = inference(model, layer, below, record).push(message, above)
            above = below
        return message, above

    return Codec(push, pop)
