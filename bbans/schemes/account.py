"""The account of a message: total = prior + likelihood - posterior + initial + coder overhead + flush, every term measured.

`prior`, `likelihood`, `posterior` are exact information contents, -log2(freq / 2^precision), of the intervals used.
`coder` is what the message's state grew or shrank by beyond them, step by step; `initial` is what was on the stack before the
first push and is paid for (nothing, in a tile that funds itself); `flush` is the 31 bits that an empty message's head holds
plus what writing whole words adds to the final state. All in bits.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

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
    """Adds up an account while coding. Backwards (decoding), a step's information leaves the message."""

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
