"""net = prior + likelihood + posterior: the three terms of a code length, recorded while coding.

`likelihood` is -log2 p(x | z_1), `prior` -log2 of p(z_L) and of every p(z_l | z_(l + 1)) between, `posterior` +log2 q, which is
negative: bits got back. All in bits of the rounded frequencies. Decoding records the same figures as encoding.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from bbans.coding.codec import Codec
from bbans.coding.rans import Message
from bbans.distributions.conditional import Conditional, Ints
from bbans.schemes.chain import Chain

PRIOR, LIKELIHOOD, POSTERIOR = "prior", "likelihood", "posterior"

Record: TypeAlias = Callable[[str, float], None]
"""`record(term, bits)` is told of every step of a scheme, in the order of the steps."""
Scheme: TypeAlias = Callable[[Chain, int, "Record | None"], Codec]
"""`scheme(chain, items, record) -> Codec` of samples int64 `(items, dims)`."""


def counted(conditional: Conditional, term: str, record: Record | None) -> Codec:
    """The conditional's codec, which tells `record` its bits: the sum over items."""
    if record is None:
        return Codec(conditional.push, conditional.pop)
    tell = record
    sign = -1.0 if term == POSTERIOR else 1.0

    def push(message: Message, x: Any) -> tuple[Message]:
        pushed = conditional.push(message, x)
        tell(term, sign * float(conditional.bits(x).sum()))
        return pushed

    def pop(message: Message) -> tuple[Message, Any]:
        message, x = conditional.pop(message)
        tell(term, sign * float(conditional.bits(x).sum()))
        return message, x

    return Codec(push, pop)


def generative(chain: Chain, layer: int, above: Ints, record: Record | None) -> Codec:
    """p(z_layer | z_(layer + 1) = above), counted as likelihood or prior."""
    return counted(chain.likelihood(layer, above), PRIOR if layer else LIKELIHOOD, record)


def inference(chain: Chain, layer: int, below: Ints, record: Record | None) -> Codec:
    """q(z_layer | z_(layer - 1) = below), counted as posterior."""
    return counted(chain.posterior(layer, below), POSTERIOR, record)


def check_items(x: Ints, items: int) -> None:
    """Raise ValueError unless x is `(items, dims)`."""
    if x.ndim != 2 or len(x) != items:
        raise ValueError(f"expected samples ({items}, dims); found an array {x.shape}")
