"""Range asymmetric numeral systems (rANS), a stack of symbols kept in one large integer m: pushing
the interval [c, c + f) out of 2^p maps m -> (m // f) 2^p + m mod f + c.

A push makes the message p - log2 f bits longer, which is -log2 of the symbol's probability f / 2^p,
and a pop is its exact inverse.

A message is a pair `(head, tail)`. `head` is a uint64 array of any shape; each of its elements, a
lane, is the state of one coder and lies in [2^31, 2^63). `tail` holds the low 32-bit words that
left the lanes, as nested pairs `(uint32 array, tail)` with the newest words first, ending in `()`.
Messages are values: no function here changes one in place. Layout and arithmetic are those of
craystack, word for word, so its codecs run on these messages.

Sources: Duda 2009 (arXiv:0902.0271) for asymmetric numeral systems; Giesen 2014 (arXiv:1402.3392)
for interleaved lanes; Townsend, Bird and Barber 2019 (arXiv:1901.04866) for their use with latent
variables.
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
"""log2 ln 2^32: the code length of a head under P(h) ~ 1 / h on [2^31, 2^63) is this many bits more
than log2 h.
"""

Words: TypeAlias = NDArray[np.uint32]
Head: TypeAlias = NDArray[np.uint64]
Tail: TypeAlias = "tuple[()] | tuple[Words, Tail]"
Message: TypeAlias = tuple[Head, Tail]
Integers: TypeAlias = NDArray[np.integer[Any]]
Precision: TypeAlias = "int | Integers"


def base_message(shape: tuple[int, ...]) -> Message:
    """Returns the empty message: a head of this shape with every lane at 2^31, and no words.

    Examples:
        >>> base_message((2,))
        (array([2147483648, 2147483648], dtype=uint64), ())
    """
    return np.full(shape, HEAD_MIN, np.uint64), ()


def pseudo_random_message(shape: tuple[int, ...], words: int, seed: int) -> Message:
    """Returns a message of `words` pseudo-random words with heads in [2^31, 2^32), a source of
    initial bits for bits-back coding; a seed gives the same message on every machine.

    Examples:
        >>> head, (words, _) = pseudo_random_message((2,), words=3, seed=0)
        >>> head.shape, words.shape
        ((2,), (3,))
    """
    size = int(np.prod(shape, dtype=np.int64))
    raw = np.asarray(np.random.PCG64(seed).random_raw(size + words), np.uint64)
    head = np.uint64(HEAD_MIN) + (raw[:size] >> np.uint64(33))
    return head.reshape(shape), ((raw[size:] >> np.uint64(32)).astype(np.uint32), ())


def as_uint64(values: Any) -> Head:
    """Converts integers to uint64; an int64 array is reinterpreted without a copy.

    Negative integers wrap to large ones, which `check_intervals` rejects.

    Examples:
        >>> as_uint64([1, 2])
        array([1, 2], dtype=uint64)
    """
    array = np.asarray(values)
    return array.view(np.uint64) if array.dtype == np.int64 else array.astype(np.uint64, copy=False)


def check_intervals(starts: Head, freqs: Head, precision: Precision) -> None:
    """Raises IntervalError unless 1 <= freq and start + freq <= 2^precision for every interval, and
    0 <= precision <= 31.

    Examples:
        >>> check_intervals(as_uint64([0, 3]), as_uint64([3, 1]), precision=2)
    """
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
    """m -> (m // f) 2^p + m mod f + c: pushes one symbol on each lane.

    A symbol is the interval `[start, start + freq)` out of 2^precision. `starts`, `freqs` are
    integer arrays of the head's shape; `precision` is an integer, or an array of one precision for
    each lane. Returns the new message in a tuple. Raises IntervalError on an invalid interval.

    Examples:
        >>> (message,) = push(base_message((1,)), [1], [1], precision=3)
        >>> round(message_bits(message) - message_bits(base_message((1,))), 6)
        3.0
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
    """Returns `cf`, the cumulative frequencies that identify the top symbol of each lane, and
    `finish(starts, freqs)`, which removes the symbols.

    `cf` is uint64 in [0, 2^precision), of the head's shape. The caller looks up the interval that
    contains it, `start <= cf < start + freq`, and passes it to `finish`, which returns the
    remaining message in a tuple and raises UnderflowError if the message holds too few words.

    Examples:
        >>> (message,) = push(base_message((1,)), [4], [2], precision=3)
        >>> cf, finish = pop(message, precision=3)
        >>> bool(4 <= cf[0] < 6), message_equal(finish([4], [2])[0], base_message((1,)))
        (True, True)
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
    """Splits the newest `count` words off a tail: returns them, uint32 `(count,)`, and the
    remaining tail.

    Raises UnderflowError if the tail holds fewer.

    Examples:
        >>> words, rest = take_words((np.array([1, 2, 3], np.uint32), ()), 2)
        >>> words.tolist(), tail_words(rest)
        ([1, 2], 1)
    """
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


def flat_tail(tail: Tail) -> Words:
    """Returns all words of a tail, newest first, without a copy where they are one chunk.

    Examples:
        >>> flat_tail((np.array([1], np.uint32), (np.array([2], np.uint32), ())))
        array([1, 2], dtype=uint32)
    """
    if tail and not tail[1]:
        return np.ascontiguousarray(tail[0])
    return take_words(tail, tail_words(tail))[0]


def underflow(words: int) -> UnderflowError:
    """Returns the UnderflowError of a message that lacks at least this many words.

    Examples:
        >>> underflow(2).args[0]
        'a pop needs at least 64 bits more than the message holds; push more before it'
    """
    bits = float(WORD_BITS * words)
    return UnderflowError(
        f"a pop needs at least {bits:.0f} bits more than the message holds; push more before it",
        bits,
    )


def tail_words(tail: Tail) -> int:
    """Counts the 32-bit words of a tail.

    Examples:
        >>> tail_words((np.zeros(3, np.uint32), (np.zeros(2, np.uint32), ())))
        5
    """
    count = 0
    while tail:
        chunk, tail = tail
        count += len(chunk)
    return count


def flatten(message: Message) -> Words:
    """Serialises a message as uint32 words `(n,)`: the high words of the raveled head, its low
    words, then the tail from the newest word to the oldest.

    Examples:
        >>> flatten(base_message((1,)))
        array([         0, 2147483648], dtype=uint32)
    """
    head, tail = np.ravel(message[0]), message[1]
    parts = [(head >> np.uint64(WORD_BITS)).astype(np.uint32), head.astype(np.uint32)]
    while tail:
        chunk, tail = tail
        parts.append(chunk)
    return np.concatenate(parts)


def unflatten(words: Integers, shape: tuple[int, ...]) -> Message:
    """Inverse of `flatten` for a head of this shape.

    Raises TruncatedError unless the words are one-dimensional and enough for the head, and
    FormatError if a head lies outside [2^31, 2^63).

    Examples:
        >>> message_equal(unflatten(flatten(base_message((2,))), (2,)), base_message((2,)))
        True
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
    """Whether two messages have heads of one shape and equal values, and the same words, however
    the tail is divided into chunks.

    Examples:
        >>> message_equal(base_message((1,)), base_message((2,)))
        False
    """
    return left[0].shape == right[0].shape and np.array_equal(flatten(left), flatten(right))


def message_bits(message: Message) -> float:
    """Returns the information content of a message in bits: sum of log2 over its heads, 32 for each
    word, and `BENFORD_BITS` for every lane but one.

    With the last term, growing and folding lanes leaves the content unchanged in expectation, so
    that differences of it are code lengths.

    Examples:
        >>> message_bits(base_message((1,)))
        31.0
    """
    head, tail = message
    return (
        float(np.log2(head.astype(np.float64)).sum())
        + BENFORD_BITS * (head.size - 1)
        + WORD_BITS * tail_words(tail)
    )
