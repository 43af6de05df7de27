"""bits = initial + net + flush: one item coded by any scheme in a message of its own, which pays
for its initial bits.

A scheme that gets bits back pops before it pushes. The message therefore starts with pseudo-random
words, as few as possible; the decoder finds their number from what remains after decoding. In a
message of many items the earlier items serve instead (`chained_group`), and `two_part` needs no
initial bits. A decoder that wants x alone need not restore the initial words, and so needs no
posterior (`samples`).
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
Result = TypeVar("Result")


class Decoded(NamedTuple):
    """A decoded item: x int64 `(1, dims)`, the z_1 int64 `(1, latents)` under which it was coded,
    and the account of its message in bits.
    """

    x: Ints
    z: Ints
    account: Account


@dataclass(frozen=True, eq=False)
class Memoised(Wrapped):
    """A model that caches its last posterior of z_1, so that x is not evaluated twice, and keeps
    the first z_1 given to the likelihood.

    posteriors, means: caches of at most one entry. latents: the first z_1, once known.
    """

    posteriors: list[tuple[Ints, Distribution]] = field(default_factory=list)
    means: list[tuple[Ints, tuple[Ints, Ints, int]]] = field(default_factory=list)
    latents: list[Ints] = field(default_factory=list)

    def likelihood(self, layer: int, above: Ints) -> Distribution:
        """Return p(z_layer | z_(layer+1) = above), and keep the first z_1."""
        if layer == 0 and not self.latents:
            self.latents.append(above)
        return self.model.likelihood(layer, above)

    def posterior(self, layer: int, below: Ints) -> Distribution:
        """Return q(z_layer | z_(layer-1) = below), cached for z_1."""
        if layer != 1:
            return self.model.posterior(layer, below)
        return _kept(self.posteriors, below, lambda: self.model.posterior(1, below))

    def gaussians(self, x: Ints) -> tuple[Ints, Ints, int]:
        """Return means in 1/128, sigma indices and latent precision of q(z_1 | x), cached."""
        return _kept(self.means, x, lambda: super(Memoised, self).gaussians(x))


def _kept(memory: list[tuple[Ints, Result]], x: Ints, make: Callable[[], Result]) -> Result:
    """Return the cached result for x if x is the last argument, else compute and cache it."""
    if not (memory and np.array_equal(memory[0][0], x)):
        memory[:] = [(x, make())]
    return memory[0][1]


def encode(model: LatentModel, scheme: Scheme, x: Ints) -> bytes:
    """Code an item x int64 `(1, dims)` as a message with as few initial words as possible.

    Examples:
        >>> from bbans.models.analytic import LinearGaussian
        >>> from bbans.schemes import bits_back, sampling
        >>> model = LinearGaussian(latents=8, k=3)
        >>> x = sampling.sample_items(model, 1)
        >>> data = encode(model, bits_back.codec, x)
        >>> bool((decode(model, bits_back.codec, data).x == x).all())
        True
    """
    codec = scheme(Memoised(model), 1, None)
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
    # A word that was popped may have been replaced by an equal one, by chance once in 2^32 items.
    # Then it was counted as untouched, and one more word is needed.
    while True:
        try:
            return packed(lanes.finish(codec.push(_initial(words), x)[0]))
        except UnderflowError:
            words += 1


def decode(model: LatentModel, scheme: Scheme, data: bytes, paid: bool = True) -> Decoded:
    """Decode a message of `encode`. `paid`: whether the scheme needs initial bits; otherwise the
    message must be empty at the end.

    Raises FormatError (also TrailingDataError) or UnderflowError on damaged data.

    Examples:
        >>> from bbans.models.analytic import LinearGaussian
        >>> from bbans.schemes import bits_back, sampling
        >>> model = LinearGaussian(latents=8, k=3)
        >>> data = encode(model, bits_back.codec, sampling.sample_items(model, 1))
        >>> round(decode(model, bits_back.codec, data).account.total) == 8 * len(data)
        True
    """
    memoised = Memoised(model)
    sums = {PRIOR: 0.0, LIKELIHOOD: 0.0, POSTERIOR: 0.0}

    def record(term: str, bits: float) -> None:
        sums[term] += bits

    message = lanes.start(unpacked(data))
    held_bits = message_bits(message) - EMPTY_BITS
    message, x = scheme(memoised, 1, record).pop(message)
    if not message_equal(message, _initial(tail_words(message[1]) if paid else 0)):
        raise TrailingDataError(
            "what is left of a decoded message must be its initial bits; found others: the data "
            "or the model do not match"
        )
    initial = message_bits(message) - EMPTY_BITS
    account = Account(
        **sums,
        initial=initial,
        coder=held_bits - initial - sum(sums.values()),
        flush=8.0 * len(data) - held_bits,
    )
    return Decoded(x, memoised.latents[0], account)


def samples(model: LatentModel, data: bytes) -> Ints:
    """Decode x int64 `(1, dims)` alone, without posterior: for one-layer schemes that push x and
    then z last.

    The rest of the message is not checked. Raises FormatError or UnderflowError on damaged data.

    Examples:
        >>> from bbans.models.analytic import LinearGaussian
        >>> from bbans.schemes import bits_back, sampling
        >>> model = LinearGaussian(latents=8, k=3)
        >>> x = sampling.sample_items(model, 1)
        >>> bool((samples(model, encode(model, bits_back.codec, x)) == x).all())
        True
    """
    message, z = model.prior(1).pop(lanes.start(unpacked(data)))
    return model.likelihood(0, z).pop(message)[1]


def packed(words: Words) -> bytes:
    """Serialise a message of one lane: its head as big-endian bytes without leading zeros, then its
    other words, little-endian.

    Examples:
        >>> packed(np.array([0, 2**31, 7], np.uint32)).hex()
        '8000000007000000'
    """
    head = int(words[0]) << 32 | int(words[1])
    return head.to_bytes((head.bit_length() + 7) // 8, "big") + words[2:].astype("<u4").tobytes()


def unpacked(data: bytes) -> Words:
    """Parse bytes of `packed` and return the words, uint32.

    The length of the head follows from its value: a head of four bytes is at least 2^31, so its
    first bit is set; one of eight bytes is below 2^63, so its first bit is not. Raises FormatError
    on bytes that `packed` cannot have written.

    Examples:
        >>> unpacked(bytes.fromhex("8000000007000000")).tolist()
        [0, 2147483648, 7]
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
    """Return the initial message: `words` pseudo-random words, the same on every machine, or an
    empty message.
    """
    return pseudo_random_message((1,), words, SEED) if words else base_message((1,))


def _untouched(before: Message, after: Message) -> int:
    """Return the number of words at the bottom of a message that no pop has reached."""
    oldest = min(tail_words(before[1]), tail_words(after[1]))
    if not oldest:
        return 0
    same = flatten(before)[-oldest:] == flatten(after)[-oldest:]
    return oldest if same.all() else int(np.argmin(same[::-1]))
