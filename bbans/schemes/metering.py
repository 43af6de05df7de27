"""The account of a message: total = prior + likelihood - posterior + initial + coder overhead +
flush, every term measured.

`prior`, `likelihood`, `posterior` are exact information contents, -log2(freq / 2^precision), of the
intervals used. `coder` is what the message's state grew or shrank by beyond them, step by step;
`initial` is what was on the stack before the first push and is paid for (nothing, in a tile that
funds itself); `flush` is the 31 bits that an empty message's head holds plus what writing whole
words adds to the final state. All in bits.

What a decoder tells of every symbol, if it is asked: its bits, and where in the pyramid it belongs.

Bits are exact information contents, of the intervals that the coder used; those of a posterior are
negative.

net = prior + likelihood + posterior: the three terms of a code length, recorded while coding.

`likelihood` is -log2 p(x | z_1), `prior` -log2 of p(z_L) and of every p(z_l | z_(l + 1)) between,
`posterior` +log2 q, which is negative: bits got back. All in bits of the rounded frequencies.
Decoding records the same figures as encoding.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bbans.coding.codec import Codec
from bbans.coding.rans import Message
from bbans.distributions.distribution import Distribution, Ints
from bbans.models.base import LatentModel

EMPTY_BITS = 31.0  # log2 of an empty message's head


@dataclass(frozen=True)
class Account:
    """Bits of one tile's message. `posterior` is negative: bits got back."""

    prior: float = 0.0
    likelihood: float = 0.0
    posterior: float = 0.0
    initial: float = 0.0
    coder: float = 0.0
    flush: float = 0.0

    @property
    def net(self) -> float:
        """What the coder's message grew by."""
        return self.prior + self.likelihood + self.posterior + self.coder

    @property
    def total(self) -> float:
        """Bits of the payload."""
        return self.net + self.initial + self.flush

    def __add__(self, other: Account) -> Account:
        a, b = asdict(self), asdict(other)
        return Account(**{name: a[name] + b[name] for name in a})


class Ledger:
    """Adds up an account while coding.

    Backwards (decoding), a step's information leaves the message.
    """

    def __init__(self, state: float, backwards: bool = False) -> None:
        self._sums = {"prior": 0.0, "likelihood": 0.0, "posterior": 0.0, "coder": 0.0}
        self._start = self._state = state
        self._backwards = backwards

    def add(self, term: str, bits: float, state: float) -> None:
        """A step of `bits` of information after which the message holds `state` bits."""
        grown = self._state - state if self._backwards else state - self._state
        self._sums[term] += bits
        self._sums["coder"] += grown - bits
        self._state = state

    def close(self, payload: float) -> Account:
        """The account of a payload of so many bits."""
        empty, full = (self._state, self._start) if self._backwards else (self._start, self._state)
        return Account(**self._sums, initial=empty - EMPTY_BITS, flush=EMPTY_BITS + payload - full)


COARSEST = -1
"""The phase of the coarsest image, and of latents, which have none."""


class Symbols(NamedTuple):
    """Symbols that were coded together: a phase of a level, the coarsest image, or a level's
    latents.

    bits float64 `(rows, columns, channels)`; `term` is a name of `Account`. The coarsest image is
    the level after the last one.
    """

    term: str
    level: int
    phase: int
    bits: NDArray[np.float64]


Watch: TypeAlias = Callable[[Symbols], None]


PRIOR, LIKELIHOOD, POSTERIOR = "prior", "likelihood", "posterior"

Record: TypeAlias = Callable[[str, float], None]
"""`record(term, bits)` is told of every step of a scheme, in the order of the steps."""
Scheme: TypeAlias = Callable[[LatentModel, int, "Record | None"], Codec]
"""`scheme(chain, items, record) -> Codec` of samples int64 `(items, dims)`."""


def metered(conditional: Distribution, term: str, record: Record | None) -> Codec:
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


def generative(chain: LatentModel, layer: int, above: Ints, record: Record | None) -> Codec:
    """p(z_layer | z_(layer + 1) = above), counted as likelihood or prior."""
    return metered(chain.likelihood(layer, above), PRIOR if layer else LIKELIHOOD, record)


def inference(chain: LatentModel, layer: int, below: Ints, record: Record | None) -> Codec:
    """q(z_layer | z_(layer - 1) = below), counted as posterior."""
    return metered(chain.posterior(layer, below), POSTERIOR, record)


def check_items(x: Ints, items: int) -> None:
    """Raise ValueError unless x is `(items, dims)`."""
    if x.ndim != 2 or len(x) != items:
        raise ValueError(f"expected samples ({items}, dims); found an array {x.shape}")
