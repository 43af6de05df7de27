"""Net rate = -log2 p(x, z_1, ..., z_L) + log2 q(z_1 | x) ... q(z_L | z_(L-1)), in expectation
-ELBO: BB-ANS.

The encoder pops every latent first, z_1 to z_L, then pushes x given z_1, z_1 given z_2 and so on,
and z_L last. So all of q's bits must be on the stack before anything is pushed: initial bits grow
with the number of layers (`bit_swap` mends that). Decoding pops what was pushed and pushes what was
popped, which leaves the message exactly as the encoder found it.

Sources: Townsend, Bird and Barber 2019 (arXiv:1901.04866); bits back: Wallace 1990, Hinton and van
Camp 1993.
"""

from __future__ import annotations

from bbans.coding.codec import Codec
from bbans.coding.rans import Message
from bbans.distributions.distribution import Ints
from bbans.models.base import LatentModel
from bbans.schemes.metering import PRIOR, Record, check_items, generative, inference, metered


def codec(chain: LatentModel, items: int, record: Record | None = None) -> Codec:
    """The codec of samples int64 `(items, dims)`.

    Raises UnderflowError when the message cannot pay for the latents.
    """

    def push(message: Message, x: Ints) -> tuple[Message]:
        check_items(x, items)
        z = [x]
        for layer in range(1, chain.capabilities.depth + 1):
            message, above = inference(chain, layer, z[-1], record).pop(message)
            z.append(above)
        for layer in range(chain.capabilities.depth):
            (message,) = generative(chain, layer, z[layer + 1], record).push(message, z[layer])
        return metered(chain.prior(items), PRIOR, record).push(message, z[-1])

    def pop(message: Message) -> tuple[Message, Ints]:
        message, top = metered(chain.prior(items), PRIOR, record).pop(message)
        z = [top]  # from z_L down to x
        for layer in reversed(range(chain.capabilities.depth)):
            message, below = generative(chain, layer, z[-1], record).pop(message)
            z.append(below)
        for layer in reversed(range(1, chain.capabilities.depth + 1)):
            (message,) = inference(
                chain, layer, z[chain.capabilities.depth - layer + 1], record
            ).push(message, z[chain.capabilities.depth - layer])
        return message, z[-1]

    return Codec(push, pop)
