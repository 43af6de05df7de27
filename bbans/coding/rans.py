"""rANS, a stack of symbols held as one big number: push m -> (m // f) 2^p + m mod f + c, which
grows m by p - log2 f bits.

A message is `(head, tail)`. `head` is a uint64 array of any shape, one number a lane, each in
[2^31, 2^63); `tail` holds the lanes' lower digits as nested pairs `(uint32 array, tail)`, newest
first, ending in `()`. Messages are values: nothing here changes one in place. Layout and arithmetic
are those of craystack, word for word, so its codecs run on these messages.

Sources: Duda 2009 (arXiv:0902.0271) for ANS; Giesen 2014 (arXiv:1402.3392) for interleaved lanes;
Townsend, Bird and Barber 2019 (arXiv:1901.04866) for its use with latent variables.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bbans.errors import FormatError, IntervalError, TruncatedError, UnderflowError

HEAD_BITS = 31
HEAD_MIN = 1 << HEAD_BITS
HEAD_TOP = 1 << 63
WORD_BITS = 32
MAX_PRECISION = 31
BENFORD_BITS = 4.471233627055103
"""log2 ln 2^32: what naming a head costs beyond log2 of its value, when heads follow P(h) ~ 1 / h.
"""

Words: TypeAlias = NDArray[np.uint32]
Head: TypeAlias = NDArray[np.uint64]
Tail: TypeAlias = "tuple[()] | tuple[Words, Tail]"
Message: TypeAlias = tuple[Head, Tail]
Integers: TypeAlias = NDArray[np.integer[Any]]
Precision: TypeAlias = "int | Integers"


def base_message(shape: tuple[int, ...]) -> Message:
    """The empty message: every lane at 2^31, no words."""
    return np.full(shape, HEAD_MIN, np.uint64), ()


def pseudo_random_message(shape: tuple[int, ...], words: int, seed: int) -> Message:
    """A message of `words` pseudo-random words and heads in [2^31, 2^32), for whoever asks for
    initial bits; the same on every machine.
    """
    size = int(np.prod(shape, dtype=np.int64))
    raw = np.asarray(np.random.PCG64(seed).random_raw(size + words), np.uint64)
    head = np.uint64(HEAD_MIN) + (raw[:size] >> np.uint64(33))
    return head.reshape(shape), ((raw[size:] >> np.uint64(32)).astype(np.uint32), ())


def as_uint64(values: Any) -> Head:
    """Integers as uint64, without a copy where the bits are there already.

    Negative ones wrap, and fail `check_intervals`.
    """
    array = np.asarray(values)
    return array.view(np.uint64) if array.dtype == np.int64 else array.astype(np.uint64, copy=False)


def check_intervals(starts: Head, freqs: Head, precision: Precision) -> None:
    """Raise IntervalError unless 1 <= freq and start + freq <= 2^precision for each interval."""
    if np.min(precision) < 0 or np.max(precision) > MAX_PRECISION:
        raise IntervalError(f"precision is 0 to {MAX_PRECISION} bits; found {precision}")
    if not freqs.size:
        return
    if not freqs.all():
        raise IntervalError(
            "every frequency must be at least 1; found 0, which no decoder could undo"
        )
    total = np.uint64(1) << as_uint64(precision)
    if (freqs > total).any() or (starts > total - freqs).any():
        raise IntervalError(
            f"an interval must end by 2^precision; found one beyond it (precision {precision})"
        )


def push(message: Message, starts: Any, freqs: Any, precision: Precision) -> tuple[Message]:
    """Push one symbol a lane: `[start, start + freq)` out of 2^precision, arrays of the head's
    shape. Raises IntervalError.
    """
    head, tail = message
    s, f = as_uint64(starts), as_uint64(freqs)
    check_intervals(s, f, precision)
    full = head >= f << (np.uint64(63) - as_uint64(precision))
    if full.any():
        tail = (head[full].astype(np.uint32), tail)
        head = np.where(full, head >> np.uint64(WORD_BITS), head)
    q = head // f
    return (((q << as_uint64(precision)) + (head - q * f) + s, tail),)


def pop(
    message: Message, precision: Precision
) -> tuple[Head, Callable[[Any, Any], tuple[Message]]]:
    """Look at the top symbols: `cf` uint64 in [0, 2^precision) a lane, and `finish(starts, freqs)`
    that removes their intervals.

    `finish` raises UnderflowError when the message holds too few words.
    """
    head, tail = message
    p = as_uint64(precision)
    cf = head & ((np.uint64(1) << p) - np.uint64(1))

    def finish(starts: Any, freqs: Any) -> tuple[Message]:
        s, f = as_uint64(starts), as_uint64(freqs)
        left = np.asarray(f * (head >> p) + cf - s)
        low = left < np.uint64(HEAD_MIN)
        words, rest = take_words(tail, int(np.count_nonzero(low)))
        left[low] = (left[low] << np.uint64(WORD_BITS)) | words
        return ((left, rest),)

    return cf, finish


def take_words(tail: Tail, count: int) -> tuple[Words, Tail]:
    """The newest `count` words and the tail without them. Raises UnderflowError."""
    parts: list[Words] = []
    missing = count
    while missing:
        if not tail:
            raise underflow(missing)
        chunk, tail = tail
        if len(chunk) > missing:
            tail = (chunk[missing:], tail)
        parts.append(chunk[:missing])
        missing -= len(parts[-1])
    return (np.concatenate(parts) if parts else np.zeros(0, np.uint32)), tail


def underflow(words: int) -> UnderflowError:
    """The error for a message that is short of this many words."""
    bits = float(WORD_BITS * words)
    return UnderflowError(
        f"a pop needs at least {bits:.0f} bits more than the message holds; push more before it",
        bits,
    )


def tail_words(tail: Tail) -> int:
    """Words in a tail."""
    count = 0
    while tail:
        chunk, tail = tail
        count += len(chunk)
    return count


def flatten(message: Message) -> Words:
    """The message as words: high words of the raveled head, its low words, then the tail from
    newest to oldest.
    """
    head, tail = np.ravel(message[0]), message[1]
    parts = [(head >> np.uint64(WORD_BITS)).astype(np.uint32), head.astype(np.uint32)]
    while tail:
        chunk, tail = tail
        parts.append(chunk)
    return np.concatenate(parts)


def unflatten(words: Integers, shape: tuple[int, ...]) -> Message:
    """Inverse of `flatten` for a head of this shape.

    Raises TruncatedError or FormatError on words that no message flattens to.
    """
    size = int(np.prod(shape, dtype=np.int64))
    if words.ndim != 1 or len(words) < 2 * size:
        raise TruncatedError(
            f"a message of {size} lanes has at least {2 * size} words; found {words.size}"
        )
    head = (words[:size].astype(np.uint64) << np.uint64(WORD_BITS)) | words[size : 2 * size].astype(
        np.uint64
    )
    if ((head < np.uint64(HEAD_MIN)) | (head >= np.uint64(HEAD_TOP))).any():
        raise FormatError(
            "a message's heads lie in [2^31, 2^63); found one outside: the words are damaged"
        )
    tail = words[2 * size :].astype(np.uint32)
    return head.reshape(shape), ((tail, ()) if len(tail) else ())


def message_equal(left: Message, right: Message) -> bool:
    """Whether two messages hold the same heads, of the same shape, and the same words (however they
    are cut into chunks).
    """
    return left[0].shape == right[0].shape and np.array_equal(flatten(left), flatten(right))


def message_bits(message: Message) -> float:
    """What the message holds, in bits: log2 of its heads and 32 a word, with `BENFORD_BITS` for
    every lane but one.

    With that term growing and folding lanes leave it as it is, in expectation, so that differences
    are code lengths.
    """
    head, tail = message
    return (
        float(np.log2(head.astype(np.float64)).sum())
        + BENFORD_BITS * (head.size - 1)
        + WORD_BITS * tail_words(tail)
    )
