"""total = prior + likelihood + posterior + initial + coder + flush: the account of a message in
bits, every term measured.

- `prior`: -log2 p(z_L) and -log2 p(z_l | z_(l+1)) of the layers between.
- `likelihood`: -log2 p(x | z_1).
- `posterior`: +log2 q, which is negative: bits recovered.
- `initial`: bits that were on the stack before the first push and are paid for (0 in a message that
  funds itself).
- `coder`: growth of the message's state beyond the information of the steps; the overhead of rANS.
- `flush`: the 31 bits that an empty message's head holds, and the padding of the final state to
  whole 32-bit words.

Prior, likelihood and posterior are exact information contents, -log2(freq / 2^precision), of the
intervals that the coder used. Decoding records the same figures as encoding.

There are two ways to observe a coder: `Record` receives the sum of bits of each step of a scheme,
`Watch` the bits of every symbol of a tile with its place in the pyramid.
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

EMPTY_BITS = 31.0
"""log2 of the head of an empty message."""


@dataclass(frozen=True)
class Account:
    """Bits of one message by term. `posterior` is negative: bits recovered. Accounts can be added.

    Examples:
        >>> account = Account(prior=8.0, likelihood=100.0, posterior=-5.0, flush=32.0)
        >>> account.net, account.total
        (103.0, 135.0)
    """

    prior: float = 0.0
    likelihood: float = 0.0
    posterior: float = 0.0
    initial: float = 0.0
    coder: float = 0.0
    flush: float = 0.0

    @property
    def net(self) -> float:
        """Return the growth of the message: prior + likelihood + posterior + coder."""
        return self.prior + self.likelihood + self.posterior + self.coder

    @property
    def total(self) -> float:
        """Return the bits of the payload: net + initial + flush."""
        return self.net + self.initial + self.flush

    def __add__(self, other: Account) -> Account:
        """Return the sum of two accounts, term by term."""
        a, b = asdict(self), asdict(other)
        return Account(**{name: a[name] + b[name] for name in a})


class Ledger:
    """Adds up an `Account` step by step while a message is coded.

    state: bits of the message before the first step. backwards: for decoding, where each step
    removes its information from the message.

    Examples:
        >>> ledger = Ledger(31.0)
        >>> ledger.add("likelihood", 10.0, state=41.5)
        >>> account = ledger.close(payload=64.0)
        >>> account.likelihood, account.coder, account.flush
        (10.0, 0.5, 53.5)
    """

    def __init__(self, state: float, backwards: bool = False) -> None:
        self._sums = {"prior": 0.0, "likelihood": 0.0, "posterior": 0.0, "coder": 0.0}
        self._start = self._state = state
        self._backwards = backwards

    def add(self, term: str, bits: float, state: float) -> None:
        """Record a step of `bits` of information, after which the message holds `state` bits."""
        grown = self._state - state if self._backwards else state - self._state
        self._sums[term] += bits
        self._sums["coder"] += grown - bits
        self._state = state

    def close(self, payload: float) -> Account:
        """Return the account of a payload of `payload` bits."""
        empty, full = (self._state, self._start) if self._backwards else (self._start, self._state)
        return Account(**self._sums, initial=empty - EMPTY_BITS, flush=EMPTY_BITS + payload - full)


NO_PHASE = -1
"""Value of `Symbols.phase` for symbols outside the phases of a level: the coarsest image and
latents.
"""


class Symbols(NamedTuple):
    """Bits of symbols that were coded together: a phase of a level, the coarsest image, or the
    latents of a level.

    term: a name of `Account`. level: 0 is the full resolution; the coarsest image has the largest
    number. bits: float64 `(rows, columns, channels)`, negative for a posterior.
    """

    term: str
    level: int
    phase: int
    bits: NDArray[np.float64]


Watch: TypeAlias = Callable[[Symbols], None]
"""Receives the bits of each group of symbols, in the order of decoding."""


PRIOR, LIKELIHOOD, POSTERIOR = "prior", "likelihood", "posterior"

Record: TypeAlias = Callable[[str, float], None]
"""`record(term, bits)` is called after every step of a scheme, in the order of the steps."""
Scheme: TypeAlias = Callable[[LatentModel, int, "Record | None"], Codec]
"""`scheme(model, items, record)` is the codec of samples int64 `(items, dims)`."""


def metered(distribution: Distribution, term: str, record: Record | None) -> Codec:
    """Return the codec of a distribution that reports its bits, summed over items, to `record`.

    Bits are reported under `term`, and are negative for POSTERIOR.

    Examples:
        >>> from bbans.coding.rans import base_message
        >>> from bbans.distributions import uniform
        >>> steps = []
        >>> distribution = uniform.uniform((1, 2), 16)
        >>> codec = metered(distribution, PRIOR, lambda term, bits: steps.append((term, bits)))
        >>> _ = codec.push(base_message((1,)), np.array([[3, 5]]))
        >>> steps
        [('prior', 8.0)]
    """
    if record is None:
        return Codec(distribution.push, distribution.pop)
    report = record
    sign = -1.0 if term == POSTERIOR else 1.0

    def push(message: Message, x: Any) -> tuple[Message]:
        pushed = distribution.push(message, x)
        report(term, sign * float(distribution.bits(x).sum()))
        return pushed

    def pop(message: Message) -> tuple[Message, Any]:
        message, x = distribution.pop(message)
        report(term, sign * float(distribution.bits(x).sum()))
        return message, x

    return Codec(push, pop)


def generative(model: LatentModel, layer: int, above: Ints, record: Record | None) -> Codec:
    """Return the codec of p(z_layer | z_(layer+1) = above), reported as likelihood (layer 0) or
    prior.

    Examples:
        >>> from bbans.coding.rans import base_message
        >>> from bbans.models.analytic import LinearGaussian
        >>> model, x = LinearGaussian(latents=2, k=1), np.full((1, 6), 512)
        >>> z = model.default_latent(1)
        >>> codec = generative(model, 0, z, lambda term, bits: print(term, round(bits)))
        >>> _ = codec.push(base_message((1,)), x)
        likelihood 38
    """
    return metered(model.likelihood(layer, above), PRIOR if layer else LIKELIHOOD, record)


def inference(model: LatentModel, layer: int, below: Ints, record: Record | None) -> Codec:
    """Return the codec of q(z_layer | z_(layer-1) = below), reported as posterior.

    Examples:
        >>> from bbans.coding.rans import pseudo_random_message
        >>> from bbans.models.analytic import LinearGaussian
        >>> model, x = LinearGaussian(latents=2, k=1), np.full((1, 6), 512)
        >>> codec = inference(model, 1, x, lambda term, bits: print(term, bits < 0))
        >>> _, z = codec.pop(pseudo_random_message((1,), 9, seed=0))
        posterior True
    """
    return metered(model.posterior(layer, below), POSTERIOR, record)


def check_items(x: Ints, items: int) -> None:
    """Raise ValueError unless x has shape `(items, dims)`.

    Examples:
        >>> check_items(np.zeros((2, 3), np.int64), 2)
    """
    if x.ndim != 2 or len(x) != items:
        raise ValueError(f"expected samples ({items}, dims); found an array {x.shape}")
