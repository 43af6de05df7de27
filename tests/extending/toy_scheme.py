"""A scheme in one module: net rate = -log2 p(x | z) at the model's default latent, and no latents.

Nothing is taken from the message and nothing pushed for z.
"""

from __future__ import annotations

from bbans.coding.codec import Codec
from bbans.coding.rans import Message
from bbans.container.schemes import Coding, SchemeFormat
from bbans.distributions.distribution import Ints
from bbans.models.base import LatentModel
from bbans.schemes.metering import Record, Scheme, generative
from bbans.schemes.registry import SchemeRow, register


def codec(model: LatentModel, items: int, record: Record | None = None) -> Codec:
    """The codec of samples int64 `(items, dims)`."""
    likelihood = generative(model, 0, model.default_latent(items), record)

    def push(message: Message, x: Ints) -> tuple[Message]:
        return likelihood.push(message, x)

    def pop(message: Message) -> tuple[Message, Ints]:
        return likelihood.pop(message)

    return Codec(push, pop)


def build(coding: Coding) -> Scheme:
    return codec


ROW = SchemeRow(SchemeFormat(9, "no-latents", "no latents", refinement=0, funded=True), build)


def add() -> None:
    register(ROW)
