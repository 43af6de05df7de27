"""Lanes out of the message and back: a head popped under P(h) ~ 1 / h costs what pushing it back
returns, log2 h + 4.47 bits.

A lane that starts from nothing costs some 35 bits in the file. A lane whose head is popped from the
message costs nothing: heads of a running coder follow Benford's law on [2^31, 2^63), and folding
pushes them back under the same law. Within the law the octave of a head is uniform over 32 values,
its next 8 bits follow log2(1 + j / 256), and the rest is as good as uniform (the loss is below
10^-5 bits a lane; uniform bits from the octave down would lose 0.03).

Source: the law is that of Townsend 2021 (arXiv:2104.10544) and craystack's `Benford64`; the split
by a table is ours.
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
    """Unfold a 1-D message to `lanes` lanes, whose new heads are popped from it.

    Raises FormatError, UnderflowError.
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
    """Inverse of `grow`: back to `lanes` lanes, pushing the heads of the others.

    Raises FormatError.
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
    """The message as little words to store: folded to one lane and flattened, uint32 `(n,)`, n >=
    2.
    """
    return flatten(fold(message, 1))


def start(words: Integers) -> Message:
    """Inverse of `finish`, of one lane.

    Raises TruncatedError or FormatError on words that `finish` cannot have made.
    """
    return unflatten(words, (1,))


def is_empty(message: Message, lanes: int = 1) -> bool:
    """Whether everything pushed has been popped: the message is `base_message((lanes,))`, which
    coding began with.
    """
    return message_equal(message, base_message((lanes,)))


def check_empty(message: Message, lanes: int = 1) -> None:
    """Raise TrailingDataError unless the message is empty and has as many lanes as coding began
    with.
    """
    if not is_empty(message, lanes):
        raise TrailingDataError(
            "a decoded message must be empty; found words left in it: the data or the model do "
            "not match"
        )


def _check_lanes(message: Message, lanes: int) -> None:
    if message[0].ndim != 1 or not 1 <= len(message[0]) <= MAX_LANES:
        raise FormatError(
            f"lanes are one axis of 1 to {MAX_LANES} heads; found a head of shape "
            f"{message[0].shape}"
        )
    if not 1 <= lanes <= MAX_LANES:
        raise FormatError(f"a message has 1 to {MAX_LANES} lanes; found {lanes}")


def _doublings(small: int, large: int) -> list[tuple[int, int]]:
    steps = []
    while small < large:
        steps.append((small, min(2 * small, large)))
        small = steps[-1][1]
    return steps


def _pop_heads(message: Message) -> tuple[Message, Head]:
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
    # A float holds 32 bits exactly, so that the octave is exact on every machine.
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
