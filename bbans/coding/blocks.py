"""Codes N symbols over L lanes, row by row: row r holds symbols r L to (r + 1) L - 1, and the last
row may be shorter.

Symbols are popped from the first row to the last, so they are pushed from the last row to the
first. Words go to one flat buffer that is filled downwards, so that the newest words come first in
memory, as they do in a flattened message.

The lanes of a message can grow while symbols are pushed. Growth starts with the lanes that the
message has and goes to the next of `RUNGS` as soon as the message holds `GROWTH_WORDS` words for
each lane of that rung. (Popping a head takes 51.5 bits, so about half of these words remain for the
pops of a bits-back scheme.) The points of growth depend on the content, so they are returned and
must be stored.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bbans.coding.lanes import fold, grow
from bbans.coding.rans import (
    HEAD_MIN,
    MAX_PRECISION,
    WORD_BITS,
    Head,
    Message,
    Tail,
    Words,
    as_uint64,
    check_intervals,
    tail_words,
    take_words,
)
from bbans.errors import FormatError
from bbans.exact.engines import native

RUNGS = (1, 8, 64, 512, 4096, 32768)
GROWTH_WORDS = 3.25
MAX_ROWS = 2**16  # samples a lane of a tile: bounds the time of its decoder, as in `container`
GROWTH_ROWS = 8
"""Lanes grow only while at least this many rows of the present lanes remain to be pushed."""
CHECKED_AT_ONCE = 1 << 15  # intervals, so that temporaries stay in the cache
FEW_LANES = 8  # up to this many, rows are pushed in Python's integers
ROWS_AT_ONCE = 64  # converted to Python's integers together

Locate: TypeAlias = Callable[[NDArray[Any], int, int], tuple[Any, Any, Any]]
"""`locate(cf, first, last) -> (symbols, starts, freqs)` identifies symbols first..last-1 by their
cumulative frequencies `cf`, uint64 `(last - first,)`.
"""
Growth: TypeAlias = tuple[tuple[int, int], ...]
"""The lane schedule: pairs `(symbols pushed before the growth, lanes after it)`, in the order of
pushing.
"""


class RowLocator(ABC):
    """A `Locate` that can also pop a stretch of symbols by itself, in one call for all rows."""

    @abstractmethod
    def __call__(self, cf: NDArray[Any], first: int, last: int) -> tuple[Any, Any, Any]:
        """Returns symbols first..last-1 and their intervals, as `Locate` says."""

    @abstractmethod
    def pop_rows(
        self, message: Message, first: int, last: int
    ) -> tuple[Message, NDArray[np.int64]] | None:
        """Pops symbols first..last-1; returns the message and the symbols, or None to be asked row
        by row.
        """


def lanes_needed(samples: int) -> int:
    """Returns the smallest of `RUNGS` over which this many samples take no more than MAX_ROWS rows.

    Examples:
        >>> lanes_needed(1000), lanes_needed(10**6)
        (1, 64)
    """
    return next(rung for rung in RUNGS if samples // rung <= MAX_ROWS)


def push_block(message: Message, starts: Any, freqs: Any, precision: int) -> Message:
    """Pushes N symbols, intervals out of 2^precision given as integer arrays `(N,)`, so that they
    pop in order.

    Raises IntervalError on an invalid interval and ValueError on other shapes.

    Examples:
        >>> from bbans.coding.rans import base_message
        >>> message = push_block(base_message((2,)), [0, 1, 2], [1, 1, 2], precision=2)
        >>> message[0].shape
        (2,)
    """
    s, f = _checked(message, starts, freqs, precision)
    return _push_rows(message, s, f, precision, None)[0]


def pop_block(
    message: Message, n: int, precision: int, locate: Locate
) -> tuple[Message, NDArray[np.int64]]:
    """Inverse of `push_block`: pops n symbols in order; returns the message and the symbols, int64
    `(n,)`.

    `locate` is called once for each row. Raises UnderflowError if the message holds too few words.

    Examples:
        >>> from bbans.coding.rans import base_message
        >>> message = push_block(base_message((2,)), [3, 1, 2], [1, 1, 1], precision=2)
        >>> pop_block(message, 3, 2, lambda cf, first, last: (cf, cf, np.ones_like(cf)))[1]
        array([3, 1, 2])
    """
    return _pop_rows(message, n, precision, locate, 0)


def push_growing(
    message: Message, starts: Any, freqs: Any, precision: int, max_lanes: int = 4096
) -> tuple[Message, Growth]:
    """Pushes N symbols as `push_block` does and grows the lanes on the way, up to `max_lanes`;
    returns the message and its lane schedule.

    Raises IntervalError on an invalid interval and ValueError on other shapes.

    Examples:
        >>> from bbans.coding.rans import base_message
        >>> x = np.arange(1000) % 256
        >>> message, growth = push_growing(base_message((1,)), x, np.ones_like(x), precision=8)
        >>> growth, len(message[0])
        (((104, 8), (880, 64)), 64)
    """
    s, f = _checked(message, starts, freqs, precision)
    growth: list[tuple[int, int]] = []
    left = n = len(f)
    while left:
        wider = _next_rung(len(message[0]), left, max_lanes)
        if wider and tail_words(message[1]) >= GROWTH_WORDS * wider:
            message = grow(message, wider)
            growth.append((n - left, wider))
            wider = _next_rung(wider, left, max_lanes)
        message, left = _push_rows(message, s[:left], f[:left], precision, wider)
    return message, tuple(growth)


def pop_growing(
    message: Message, n: int, precision: int, locate: Locate, growth: Sequence[tuple[int, int]]
) -> tuple[Message, NDArray[np.int64]]:
    """Inverse of `push_growing`: pops n symbols and restores the number of lanes; returns the
    message and the symbols, int64 `(n,)`.

    Raises FormatError on a lane schedule that `push_growing` cannot have returned, and
    UnderflowError if the message holds too few words.

    Examples:
        >>> from bbans.coding.rans import base_message
        >>> x = np.arange(1000) % 256
        >>> message, growth = push_growing(base_message((1,)), x, np.ones_like(x), precision=8)
        >>> def locate(cf, first, last):
        ...     return cf, cf, np.ones_like(cf)
        >>> bool((pop_growing(message, 1000, 8, locate, growth)[1] == x).all())
        True
    """
    check_growth(growth, n, len(message[0]))
    symbols = np.empty(n, np.int64)
    first = 0
    for pushed, lanes in reversed(growth):
        last = n - pushed
        message, symbols[first:last] = _pop_rows(message, last - first, precision, locate, first)
        message = fold(message, RUNGS[RUNGS.index(lanes) - 1])
        first = last
    message, symbols[first:] = _pop_rows(message, n - first, precision, locate, first)
    return message, symbols


def check_growth(growth: Sequence[tuple[int, int]], n: int, lanes: int) -> None:
    """Raises FormatError unless this is a lane schedule with which n symbols can have been pushed
    to a message that now has this many lanes.

    Examples:
        >>> check_growth([(104, 8)], n=1000, lanes=8)
    """
    rungs = [RUNGS.index(wide) if wide in RUNGS else 0 for _, wide in growth]
    if any(rung == 0 for rung in rungs):
        raise FormatError(
            f"lanes grow to one of {RUNGS[1:]}; found {[wide for _, wide in growth][:8]}"
        )
    if any(b != a + 1 for a, b in pairwise(rungs)):
        raise FormatError(
            f"lanes grow by one rung of {RUNGS} at a time; found {[wide for _, wide in growth]}"
        )
    counts = [-1, *(count for count, _ in growth), n]
    if growth and any(b <= a for a, b in pairwise(counts)):
        raise FormatError(
            f"points of growth increase from 0 to below {n} symbols; found {counts[1:-1]}"
        )
    if growth and growth[-1][1] != lanes:
        raise FormatError(
            f"the lane schedule ends with {growth[-1][1]} lanes; found a message of {lanes}"
        )


def _checked(message: Message, starts: Any, freqs: Any, precision: int) -> tuple[Head, Head]:
    """The intervals as uint64. Raises ValueError on their shapes, IntervalError on their values."""
    s, f = as_uint64(starts), as_uint64(freqs)
    if message[0].ndim != 1 or f.ndim != 1 or s.shape != f.shape:
        raise ValueError(
            f"expected a 1-D head and starts and freqs (N,); found {message[0].shape}, {s.shape}, "
            f"{f.shape}"
        )
    if native() is not None and 0 <= precision <= MAX_PRECISION:  # it looks at them itself
        return s, f
    for first in range(0, len(f), CHECKED_AT_ONCE):
        check_intervals(
            s[first : first + CHECKED_AT_ONCE], f[first : first + CHECKED_AT_ONCE], precision
        )
    return s, f


def _next_rung(lanes: int, left: int, max_lanes: int) -> int | None:
    """The number of lanes to grow to, or None if there is no larger rung or too few symbols remain
    for the growth to pay.
    """
    if lanes not in RUNGS[:-1] or left < GROWTH_ROWS * lanes:
        return None
    wider = RUNGS[RUNGS.index(lanes) + 1]
    return wider if wider <= max_lanes else None


def _push_rows(
    message: Message, starts: Head, freqs: Head, precision: int, wider: int | None
) -> tuple[Message, int]:
    """Pushes rows from the end, one at least, until none remains or there are words enough for
    `wider` lanes; returns the message and the number of symbols that remain.
    """
    head, tail = message[0].copy(), message[1]
    lanes, left = len(head), len(freqs)
    stop_at = GROWTH_WORDS * wider - tail_words(tail) if wider else left + 1
    if (core := native()) is not None:
        words = np.empty(left, np.uint32)
        left, top = core.push_rows(head, starts, freqs, precision, stop_at, words)
        if left < 0:
            check_intervals(starts, freqs, precision)
        return (head, (words[top:].copy(), tail) if top < len(words) else tail), left
    if lanes <= FEW_LANES:
        return _push_few(message, starts, freqs, precision, stop_at)
    words = np.empty(left, np.uint32)  # a push moves one word at most
    top = len(words)
    scratch, full = np.empty(lanes, np.uint64), np.empty(lanes, np.bool_)
    shift, total = np.uint64(63 - precision), np.uint64(1 << precision)
    while left:
        width = left % lanes or min(lanes, left)
        f = freqs[left - width : left]
        h, a, mask = head[:width], scratch[:width], full[:width]
        np.left_shift(f, shift, out=a)
        np.greater_equal(h, a, out=mask)
        index = mask.nonzero()[0]
        if index.size:
            moved = h[index]
            words[top - index.size : top] = moved
            top -= index.size
            h[index] = moved >> np.uint64(WORD_BITS)
        # (h // f) 2^p + h mod f + start = h + (h // f) (2^p - f) + start
        q = h // f
        np.subtract(total, f, out=a)
        q *= a
        h += q
        h += starts[left - width : left]
        left -= width
        if len(words) - top >= stop_at:
            break
    return (head, (words[top:].copy(), tail) if top < len(words) else tail), left


def _push_few(
    message: Message, starts: Head, freqs: Head, precision: int, stop_at: float
) -> tuple[Message, int]:
    """Does what `_push_rows` does, in Python's integers: several times as fast if rows are too
    short for numpy's overhead.
    """
    head, tail = message[0].tolist(), message[1]
    lanes, left = len(head), len(freqs)
    shift, low = 63 - precision, (1 << WORD_BITS) - 1
    rows: list[list[int]] = []
    count = 0
    while left and count < stop_at:
        first = max(0, (left - 1) // lanes - ROWS_AT_ONCE) * lanes
        s, f = starts[first:left].tolist(), freqs[first:left].tolist()
        while left > first and count < stop_at:
            begin = (left - 1) // lanes * lanes
            moved = []
            for lane, at in enumerate(range(begin - first, left - first)):
                h, freq = head[lane], f[at]
                if h >= freq << shift:
                    moved.append(h & low)
                    h >>= WORD_BITS
                head[lane] = (h // freq << precision) + h % freq + s[at]
            count += len(moved)
            rows.append(moved)
            left = begin
    words = np.array([word for moved in reversed(rows) for word in moved], np.uint32)
    return (np.array(head, np.uint64), (words, tail) if count else tail), left


def _pop_rows(
    message: Message, n: int, precision: int, locate: Locate, offset: int
) -> tuple[Message, NDArray[np.int64]]:
    """Pops n symbols, the first of which has number `offset` for `locate`; returns the message and
    the symbols.
    """
    if isinstance(locate, RowLocator):
        popped = locate.pop_rows(message, offset, offset + n)
        if popped is not None:
            return popped
    head, tail = message[0].copy(), message[1]
    if head.ndim != 1:
        raise ValueError(f"expected a 1-D head; found {head.shape}")
    lanes = len(head)
    symbols = np.empty(n, np.int64)
    low = np.empty(lanes, np.bool_)
    p, mask = np.uint64(precision), np.uint64((1 << precision) - 1)
    chunk, top = np.zeros(0, np.uint32), 0
    for first in range(0, n, lanes):
        last = min(first + lanes, n)
        h, under = head[: last - first], low[: last - first]
        cf = h & mask
        symbols[first:last], starts, freqs = locate(cf, offset + first, offset + last)
        h >>= p
        h *= as_uint64(freqs)
        h += cf
        h -= as_uint64(starts)
        np.less(h, np.uint64(HEAD_MIN), out=under)
        index = under.nonzero()[0]
        if index.size:
            if index.size > len(chunk) - top:
                chunk, tail = _refill(chunk[top:], tail, index.size)
                top = 0
            h[index] = (h[index] << np.uint64(WORD_BITS)) | chunk[top : top + index.size]
            top += index.size
    return (head, (chunk[top:], tail) if top < len(chunk) else tail), symbols


def _refill(chunk: Words, tail: Tail, count: int) -> tuple[Words, Tail]:
    """Returns a chunk of at least `count` words, which begins with those of `chunk`, and the tail
    below it.

    Raises UnderflowError.
    """
    if tail and not len(chunk) and len(tail[0]) >= count:
        return tail
    words, rest = take_words((chunk, tail), count)
    if rest and len(rest[0]) > 0:
        return np.concatenate([words, rest[0]]), rest[1]
    return words, rest
