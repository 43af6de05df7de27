"""bits = initial + net + flush: one item of a latent chain by any scheme, in a message of its own
that pays for its initial bits.

A scheme that gets bits back pops before it pushes, so that the message begins with pseudo-random
words, no more than it needs; what is left of them after decoding says how many there were. In a
long message the items before serve instead (`stream`); `two_part` needs none. Whoever wants x alone
need not give those bits back, and so needs no posterior (`samples`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

import numpy as np

from bbans.coding import lanes
from bbans.coding.rans import (
    Message,
    Words,
    base_message,
    flatten,
    message_bits,
    message_equal,
    pseudo_random_message,
    tail_words,
)
from bbans.distributions.distribution import Distribution, Ints
from bbans.errors import FormatError, TrailingDataError, UnderflowError
from bbans.models.base import LatentModel
from bbans.schemes.metering import EMPTY_BITS, LIKELIHOOD, POSTERIOR, PRIOR, Account, Scheme
from bbans.schemes.wrapped import Wrapped

SEED = 0
Made = TypeVar("Made")


class Decoded(NamedTuple):
    """An item int64 `(1, dims)`, the z_1 `(1, latents)` under which it was coded, and the account
    of its bytes.
    """

    x: Ints
    z: Ints
    account: Account


@dataclass(frozen=True, eq=False)
class Memoised(Wrapped):
    """The model, which keeps its last posterior of z_1, so that x is not looked at twice, and the
    z_1 that it was first asked for.
    """

    posteriors: list[tuple[Ints, Distribution]] = field(default_factory=list)
    means: list[tuple[Ints, tuple[Ints, Ints, int]]] = field(default_factory=list)
    latents: list[Ints] = field(default_factory=list)

    def likelihood(self, layer: int, above: Ints) -> Distribution:
        """p(z_layer | z_(layer + 1) = above); the first z_1 is kept."""
        if layer == 0 and not self.latents:
            self.latents.append(above)
        return self.model.likelihood(layer, above)

    def posterior(self, layer: int, below: Ints) -> Distribution:
        """q(z_layer | z_(layer - 1) = below); that of z_1 is kept."""
        if layer != 1:
            return self.model.posterior(layer, below)
        return _kept(self.posteriors, below, lambda: self.model.posterior(1, below))

    def gaussians(self, x: Ints) -> tuple[Ints, Ints, int]:
        """Means, sigma indices and latent precision of q(z_1 | x), which are kept."""
        return _kept(self.means, x, lambda: super(Memoised, self).gaussians(x))


def _kept(memory: list[tuple[Ints, Made]], x: Ints, make: Callable[[], Made]) -> Made:
    """What was made of x, if that came last, else made and kept."""
    if not (memory and np.array_equal(memory[0][0], x)):
        memory[:] = [(x, make())]
    return memory[0][1]


def encode(chain: LatentModel, scheme: Scheme, x: Ints) -> bytes:
    """The message of an item x int64 `(1, dims)`, of which as few as possible are initial bits."""
    codec = scheme(Memoised(chain), 1, None)
    words = 0
    while True:
        try:
            (message,) = codec.push(_initial(words), x)
            break
        except UnderflowError:
            words = max(1, 2 * words)
    if words == 0:
        return packed(lanes.finish(message))
    words = max(1, words - _untouched(_initial(words), message))
    while True:  # a word that was popped may have come back as it was by chance, once in 2^32 items
        try:
            return packed(lanes.finish(codec.push(_initial(words), x)[0]))
        except UnderflowError:
            words += 1


def decode(chain: LatentModel, scheme: Scheme, data: bytes, paid: bool = True) -> Decoded:
    """Inverse of `encode`; a scheme that takes nothing has no initial bits to be paid for.

    Raises FormatError, of which TrailingDataError, and UnderflowError on damage.
    """
    watched = Memoised(chain)
    sums = {PRIOR: 0.0, LIKELIHOOD: 0.0, POSTERIOR: 0.0}

    def record(term: str, bits: float) -> None:
        sums[term] += bits

    message = lanes.start(unpacked(data))
    held = message_bits(message) - EMPTY_BITS
    message, x = scheme(watched, 1, record).pop(message)
    if not message_equal(message, _initial(tail_words(message[1]) if paid else 0)):
        raise TrailingDataError(
            "what is left of a decoded message must be its initial bits; found others: the data "
            "or the model do not match"
        )
    initial = message_bits(message) - EMPTY_BITS
    account = Account(
        **sums,
        initial=initial,
        coder=held - initial - sum(sums.values()),
        flush=8.0 * len(data) - held,
    )
    return Decoded(x, watched.latents[0], account)


def samples(chain: LatentModel, data: bytes) -> Ints:
    """The item of `encode` with a chain of one layer whose z is the last to be pushed and x the one
    before: no posterior is made.

    What is left of the message is not looked at. Raises FormatError, UnderflowError on damage.
    """
    message, z = chain.prior(1).pop(lanes.start(unpacked(data)))
    return chain.likelihood(0, z).pop(message)[1]


def packed(words: Words) -> bytes:
    """A message of one lane as bytes: its head, big-endian without the zeros in front, then the
    other words, little-endian.
    """
    head = int(words[0]) << 32 | int(words[1])
    return head.to_bytes((head.bit_length() + 7) // 8, "big") + words[2:].astype("<u4").tobytes()


def unpacked(data: bytes) -> Words:
    """Inverse of `packed`. Four bytes of a head, which is 2^31 at least, begin with a set bit;
    eight, which is below 2^63, do not.

    Raises FormatError on bytes that it cannot have made.
    """
    size = 4 + len(data) % 4
    if size == 4 and data and data[0] < 0x80:
        size = 8
    if len(data) < size or not data[0]:
        raise FormatError(
            "a message begins with a head of 4 to 8 bytes, the first of which is not zero; found "
            f"{data[:8].hex(' ') or 'none'}"
        )
    head = np.frombuffer(data[:size].rjust(8, b"\0"), ">u4")
    return np.concatenate([head, np.frombuffer(data[size:], "<u4")]).astype(np.uint32)


def _initial(words: int) -> Message:
    """The message that coding begins with: an empty one, or one of so many pseudo-random words, the
    same on every machine.
    """
    return pseudo_random_message((1,), words, SEED) if words else base_message((1,))


def _untouched(before: Message, after: Message) -> int:
    """Words at the bottom of a message that no pop has reached."""
    oldest = min(tail_words(before[1]), tail_words(after[1]))
    if not oldest:
        return 0
    same = flatten(before)[-oldest:] == flatten(after)[-oldest:]
    return oldest if same.all() else int(np.argmin(same[::-1]))
