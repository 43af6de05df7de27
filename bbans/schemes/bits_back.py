"""Net rate = -log2 p(x, z_1, ..., z_L) + log2 q(z_1 | x) ... q(z_L | z_(L-1)), in expectation
-ELBO: bits-back coding with ANS (BB-ANS).

The encoder pops every latent first, z_1 to z_L; then it pushes x given z_1, z_1 given z_2 and so
on, and z_L last. The message must therefore hold all of q's bits before anything is pushed, and
initial bits grow with the number of layers (`bit_swap` avoids that). The decoder pops what was
pushed and pushes what was popped, and so leaves the message exactly as it was before encoding.

Sources: Townsend, Bird and Barber 2019 (arXiv:1901.04866); bits back: Wallace 1990, Hinton and van
Camp 1993.
"""

from __future__ import annotations

from bbans.coding.codec import Codec
from bbans.coding.rans import Message
from bbans.distributions.distribution import Ints
from bbans.models.base import LatentModel
from bbans.schemes.metering import PRIOR, Record, check_items, generative, inference, metered


def codec(model: LatentModel, items: int, record: Record | None = None) -> Codec:
    """Build the BB-ANS codec of samples x int64 `(items, dims)`.

    `record`, if given, receives the bits of every step. Pushing raises ValueError on x of another
    shape, and UnderflowError when the message cannot pay for the latents.

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
        z = [x]
        for layer in range(1, model.capabilities.depth + 1):
            message, above = inference(model, layer, z[-1], record).pop(message)
            z.append(above)
        for layer in range(model.capabilities.depth):
            (message,) = generative(model, layer, z[layer + 1], record).push(message, z[layer])
        return metered(model.prior(items), PRIOR, record).push(message, z[-1])

    def pop(message: Message) -> tuple[Message, Ints]:
        message, top = metered(model.prior(items), PRIOR, record).pop(message)
        z = [top]  # from z_L down to x
        for layer in reversed(range(model.capabilities.depth)):
            message, below = generative(model, layer, z[-1], record).pop(message)
            z.append(below)
        for layer in reversed(range(1, model.capabilities.depth + 1)):
            (message,) = inference(
                model, layer, z[model.capabilities.depth - layer + 1], record
            ).push(message, z[model.capabilities.depth - layer])
        return message, z[-1]

    return Codec(push, pop)
