"""bits = sum of model bits - log2(n! / (m_1! m_2! ...)): a multiset of n items, with m_k copies of
the k-th, costs less than any ordered sequence of it.

The encoder pops uniformly which of the remaining items comes next, and codes that one. The decoder,
which holds all items coded after it, pushes the choice back. Items are compared by a 128-bit digest
of their symbols, and equal items share an interval. Different items of equal digest would share one
too, which would change the code length a little and the decoded items not at all.

Source: Severo, Townsend, Khisti, Makhzani and Ullrich 2023 (arXiv:2107.09202).
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bbans.coding.rans import Message, pop, push

PRECISION = 24
MAX_ITEMS = 2**16
"""Largest number of items. It keeps the probability of a rank within 0.4 % of 1/n, which costs less
than 1e-5 bits per item.
"""
DIGEST_BYTES = 16

Key: TypeAlias = tuple[bytes, int]
"""Digest of an item, and the item's row."""
Pool: TypeAlias = list[Key]
"""The remaining items, sorted by digest."""


def keys(x: NDArray[np.integer[Any]]) -> Pool:
    """Return a key for each row of x, integers `(items, dims)`, in their order.

    Examples:
        >>> a, b = keys(np.array([[1, 2], [1, 2]]))
        >>> a[0] == b[0], a[1], b[1]
        (True, 0, 1)
    """
    rows = (np.ascontiguousarray(row, "<i8").data for row in x)
    return [
        (hashlib.blake2b(row, digest_size=DIGEST_BYTES).digest(), i) for i, row in enumerate(rows)
    ]


def draw(message: Message, pool: Pool, count: int) -> tuple[Message, Pool, Pool]:
    """Sample `count` items of the pool without replacement by popping them from the message.

    Returns the message, the items in the order sampled, and the remaining pool. The arguments are
    not modified. Raises UnderflowError when the message holds too little.

    Examples:
        >>> from bbans.coding.rans import pseudo_random_message
        >>> pool = sorted(keys(np.arange(8)[:, None]))
        >>> message, sampled, remaining = draw(pseudo_random_message((1,), 9, seed=0), pool, 3)
        >>> len(sampled), len(remaining)
        (3, 5)
    """
    remaining, sampled = list(pool), []
    for _ in range(count):
        sub, finish = pop((message[0][:1], message[1]), PRECISION)
        rank = ((int(sub[0]) + 1) * len(remaining) - 1) >> PRECISION
        first, last = _copies(remaining, remaining[rank])
        (coded,) = finish(*_interval(first, last, len(remaining)))
        message = _with_first_lane(message, coded)
        sampled.append(remaining.pop(first))
    return message, sampled, remaining


def put_back(message: Message, pool: Pool, sampled: Sequence[Key]) -> Message:
    """Invert `draw`: push the choice of these items, given in the order sampled, and return the
    message.

    The items are added to `pool` in place.

    Examples:
        >>> from bbans.coding.rans import message_equal, pseudo_random_message
        >>> pool = sorted(keys(np.arange(8)[:, None]))
        >>> message = pseudo_random_message((1,), 9, seed=0)
        >>> popped, sampled, remaining = draw(message, pool, 3)
        >>> message_equal(put_back(popped, remaining, sampled), message), remaining == pool
        (True, True)
    """
    for key in reversed(sampled):
        insort(pool, key)
        first, last = _copies(pool, key)
        (coded,) = push((message[0][:1], message[1]), *_interval(first, last, len(pool)), PRECISION)
        message = _with_first_lane(message, coded)
    return message


def _copies(pool: Pool, key: Key) -> tuple[int, int]:
    """Return the ranks of the items that equal this one, as a half-open range (first, last + 1)."""
    return bisect_left(pool, (key[0], -1)), bisect_right(pool, (key[0], MAX_ITEMS))


def _interval(first: int, last: int, n: int) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Return start and width of the interval of ranks first..last-1 out of n, in units of
    2^-PRECISION.
    """
    start = (first << PRECISION) // n
    return np.array([start], np.uint64), np.array([((last << PRECISION) // n) - start], np.uint64)


def _with_first_lane(message: Message, coded: Message) -> Message:
    """Return the message with lane 0 replaced by the one lane of `coded`."""
    return np.concatenate([coded[0], message[0][1:]]), coded[1]
