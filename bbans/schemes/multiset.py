"""bits = sum of model bits - log2(n! / (m_1! m_2! ...)): a set of n items with m_k copies of the
k-th costs less than any order of it.

The encoder pops which of the remaining items comes next, uniformly, and codes that one; the
decoder, who holds the items that were coded after it, pushes the choice back. Items are told apart
by a 128-bit digest of their symbols: equal items share an interval, and so would items of equal
digest, which costs nothing but the bits that name them.

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
MAX_ITEMS = (
    2**16
)  # keeps a rank's mass within 0.4 % of 1 / n, which costs less than 10^-5 bits an item
DIGEST_BYTES = 16

Key: TypeAlias = tuple[bytes, int]
"""Digest of an item, and which item it is."""
Pool: TypeAlias = list[Key]
"""The remaining items, sorted by digest."""


def keys(x: NDArray[np.integer[Any]]) -> Pool:
    """A key for each row of x, `(items, dims)`, in their order."""
    rows = (np.ascontiguousarray(row, "<i8").data for row in x)
    return [
        (hashlib.blake2b(row, digest_size=DIGEST_BYTES).digest(), i) for i, row in enumerate(rows)
    ]


def draw(message: Message, pool: Pool, count: int) -> tuple[Message, Pool, Pool]:
    """Pop `count` of the pool's items without putting back: the message, the items in the order
    drawn, the pool without them.

    Raises UnderflowError. Changes nothing that it is given.
    """
    rest, drawn = list(pool), []
    for _ in range(count):
        sub, finish = pop((message[0][:1], message[1]), PRECISION)
        rank = ((int(sub[0]) + 1) * len(rest) - 1) >> PRECISION
        first, last = _copies(rest, rest[rank])
        (coded,) = finish(*_interval(first, last, len(rest)))
        message = _with_first_lane(message, coded)
        drawn.append(rest.pop(first))
    return message, drawn, rest


def put_back(message: Message, pool: Pool, drawn: Sequence[Key]) -> Message:
    """Inverse of `draw`: push the choice of these items, given in the order drawn, and add them to
    the pool in place.
    """
    for key in reversed(drawn):
        insort(pool, key)
        first, last = _copies(pool, key)
        (coded,) = push((message[0][:1], message[1]), *_interval(first, last, len(pool)), PRECISION)
        message = _with_first_lane(message, coded)
    return message


def _copies(pool: Pool, key: Key) -> tuple[int, int]:
    """The ranks of the items that equal this one, first and last + 1."""
    return bisect_left(pool, (key[0], -1)), bisect_right(pool, (key[0], MAX_ITEMS))


def _interval(first: int, last: int, n: int) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    start = (first << PRECISION) // n
    return np.array([start], np.uint64), np.array([((last << PRECISION) // n) - start], np.uint64)


def _with_first_lane(message: Message, coded: Message) -> Message:
    return np.concatenate([coded[0], message[0][1:]]), coded[1]
