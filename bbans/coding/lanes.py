"""P(h) ~ 1 / h: changes the number of lanes of a message by popping new heads from it, or by
pushing surplus heads onto it, at log2 h + 4.47 bits a head.

A lane that starts at 2^31 costs some 35 bits in the file. A lane whose head is popped from the
message costs nothing: the heads of a running coder follow Benford's law on [2^31, 2^63), and
folding pushes them back under the same law. Under this law the octave of a head (the position of
its leading bit) is uniform over 32 values, its next 8 bits follow log2(1 + j / 256), and its other
bits are uniform to within 10^-5 bits a lane. Treating all bits below the octave as uniform would
lose 0.03 bits a lane.

Source: the law is that of Townsend 2021 (arXiv:2104.10544) and craystack's `Benford64`; the split
into octave, table and uniform bits is our own.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from bbans.coding.rans import (
    HEAD_BITS,
    Head,
    Integers,
    Message,
    Words,
    base_message,
    flatten,
    message_equal,
    pop,
    push,
    unflatten,
)
from bbans.errors import FormatError, TrailingDataError

MAX_LANES = 2**16
OCTAVE_BITS = 5
LEADING_BITS, LEADING_PRECISION = 8, 16
LOW_BITS = HEAD_BITS - LEADING_BITS


def grow(message: Message, lanes: int) -> Message:
    """Extends a message of one axis to `lanes` lanes, by popping the heads of the new lanes from
    it.

    Raises FormatError if that is fewer lanes than it has or more than 2^16, and UnderflowError if
    it holds too few words.

    Examples:
        >>> from bbans.coding.rans import pseudo_random_message
        >>> message = pseudo_random_message((1,), words=16, seed=0)
        >>> len(grow(message, 4)[0]), message_equal(fold(grow(message, 4), 1), message)
        (4, True)
    """
    _check_lanes(message, lanes)
    if lanes < len(message[0]):
        raise FormatError(
            f"a message of {len(message[0])} lanes cannot grow to {lanes}; the lane schedule is "
            "damaged"
        )
    for small, large in _doublings(len(message[0]), lanes):
        head, tail = message
        k = large - small
        (sub, tail), new = _pop_heads((head[:k], tail))
        message = np.concatenate([sub, head[k:], new]), tail
    return message


def fold(message: Message, lanes: int) -> Message:
    """Inverse of `grow`: reduces a message to its first `lanes` lanes and pushes the heads of the
    others onto it.

    Raises FormatError if it has fewer lanes.

    Examples:
        >>> head, tail = fold(base_message((8,)), 1)
        >>> head.shape
        (1,)
    """
    _check_lanes(message, lanes)
    if lanes > len(message[0]):
        raise FormatError(
            f"a message of {len(message[0])} lanes cannot fold to {lanes}; the lane schedule is "
            "damaged"
        )
    for small, large in reversed(_doublings(lanes, len(message[0]))):
        head, tail = message
        k = large - small
        sub, tail = _push_heads((head[:k], tail), head[small:])
        message = np.concatenate([sub, head[k:small]]), tail
    return message


def finish(message: Message) -> Words:
    """Serialises a message: folds it to one lane and flattens it to uint32 words `(n,)`, n >= 2.

    Examples:
        >>> finish(base_message((1,)))
        array([         0, 2147483648], dtype=uint32)
    """
    return flatten(fold(message, 1))


def start(words: Integers) -> Message:
    """Inverse of `finish`: returns the message of one lane that these words hold.

    Raises TruncatedError or FormatError on words that `finish` cannot have written.

    Examples:
        >>> is_empty(start(finish(base_message((1,)))))
        True
    """
    return unflatten(words, (1,))


def is_empty(message: Message, lanes: int = 1) -> bool:
    """Whether every pushed symbol has been popped: the message equals `base_message((lanes,))`,
    with which an encoder starts.

    Examples:
        >>> is_empty(base_message((2,)), lanes=2)
        True
    """
    return message_equal(message, base_message((lanes,)))


def check_empty(message: Message, lanes: int = 1) -> None:
    """Raises TrailingDataError unless the message equals `base_message((lanes,))`, with which an
    encoder starts.

    Examples:
        >>> check_empty(base_message((1,)))
    """
    if not is_empty(message, lanes):
        raise TrailingDataError(
            "a decoded message must be empty; found words left in it: the data or the model do "
            "not match"
        )


def _check_lanes(message: Message, lanes: int) -> None:
    """Raises FormatError unless the head has one axis and both numbers of lanes are permitted."""
    if message[0].ndim != 1 or not 1 <= len(message[0]) <= MAX_LANES:
        raise FormatError(
            f"lanes are one axis of 1 to {MAX_LANES} heads; found a head of shape "
            f"{message[0].shape}"
        )
    if not 1 <= lanes <= MAX_LANES:
        raise FormatError(f"a message has 1 to {MAX_LANES} lanes; found {lanes}")


def _doublings(small: int, large: int) -> list[tuple[int, int]]:
    """The steps `(from, to)` from `small` to `large` lanes, each at most a doubling."""
    steps = []
    while small < large:
        steps.append((small, min(2 * small, large)))
        small = steps[-1][1]
    return steps


def _pop_heads(message: Message) -> tuple[Message, Head]:
    """Pops one head for each lane under P(h) ~ 1 / h; returns the message and the heads."""
    octave, finish_octave = pop(message, OCTAVE_BITS)
    (message,) = finish_octave(octave, 1)
    cf, finish_leading = pop(message, LEADING_PRECISION)
    table = _leading_table()
    leading = np.searchsorted(table, cf, "right").astype(np.uint64) - np.uint64(1)
    first = table[leading]
    (message,) = finish_leading(first, table[leading + np.uint64(1)] - first)
    low, finish_low = pop(message, LOW_BITS)
    (message,) = finish_low(low, 1)
    middle, finish_middle = pop(message, octave)
    (message,) = finish_middle(middle, 1)
    mantissa = (np.uint64(1 << LEADING_BITS) | leading) << octave
    return message, ((mantissa | middle) << np.uint64(LOW_BITS)) | low


def _push_heads(message: Message, heads: Head) -> Message:
    # float64 holds these 32 bits exactly, so that frexp finds the octave exactly on every machine
    """Inverse of `_pop_heads`."""
    exponent = np.frexp((heads >> np.uint64(HEAD_BITS)).astype(np.float64))[1]
    octave = exponent.astype(np.uint64) - np.uint64(1)
    mantissa = heads >> np.uint64(LOW_BITS)
    leading = (mantissa >> octave) & np.uint64((1 << LEADING_BITS) - 1)
    middle = mantissa & ((np.uint64(1) << octave) - np.uint64(1))
    low = heads & np.uint64((1 << LOW_BITS) - 1)
    table = _leading_table()
    first = table[leading]
    one = np.ones_like(heads)
    (message,) = push(message, middle, one, octave)
    (message,) = push(message, low, one, LOW_BITS)
    (message,) = push(message, first, table[leading + np.uint64(1)] - first, LEADING_PRECISION)
    (message,) = push(message, octave, one, OCTAVE_BITS)
    return message


@cache
def _leading_table() -> NDArray[np.uint64]:
    """floor(2^16 log2(1 + j / 256)) for j = 0..256, by repeated squaring of integers with 64
    fractional bits.
    """
    values = []
    for j in range(1 << LEADING_BITS):
        x, log = ((1 << LEADING_BITS) + j) << (64 - LEADING_BITS), 0
        for _ in range(LEADING_PRECISION):
            x = x * x >> 64
            carry = x >> 65
            x >>= carry
            log = 2 * log + carry
        values.append(log)
    table = np.array([*values, 1 << LEADING_PRECISION], np.uint64)
    table.flags.writeable = False
    return table
