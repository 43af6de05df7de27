"""-log2(freq / outer freq) bits: one of the parts that an interval is cut into, given the interval,
whatever its frequency.

A push of the part followed by a pop of the whole: the pop finds the number that the push left,
which lies in the whole, so it needs no look at the message. m -> (m // f) F + m mod f + (c - C): an
ANS whose base F is no power of two, from steps that are there already. Parts go symbol by symbol
over the lanes, in the order of `blocks`. All of a block's intervals are out of 2^precision.

Source of the use: coupled importance sampling, Ruan, Ullrich, Severo, Townsend, Khisti, Doucet,
Makhzani and Maddison 2021 (arXiv:2102.11086); cutting by parts is ours.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bbans.coding.rans import Message, as_uint64, pop, push
from bbans.errors import IntervalError

Ints: TypeAlias = NDArray[np.int64]
Part: TypeAlias = Callable[[NDArray[Any], int, int], tuple[Any, Any]]
"""`part(cf, first, last) -> (starts, freqs)` of the parts that hold `cf`, of symbols first..last-1.
"""


def push_within(
    message: Message,
    starts: Ints,
    freqs: Ints,
    outer_starts: Ints,
    outer_freqs: Ints,
    precision: int,
) -> Message:
    """Push parts `[start, start + freq)` of outer intervals, all `(N,)`.

    Raises IntervalError unless each lies in its whole.
    """
    s, f, outer_s, outer_f = (
        as_uint64(part) for part in (starts, freqs, outer_starts, outer_freqs)
    )
    if ((s < outer_s) | (s + f > outer_s + outer_f)).any():
        raise IntervalError("a part must lie inside its interval; found one outside")
    lanes = len(message[0])
    for first in reversed(range(0, len(f), lanes)):
        row = slice(first, min(first + lanes, len(f)))
        width = row.stop - first
        (sub,) = push((message[0][:width], message[1]), s[row], f[row], precision)
        (sub,) = pop(sub, precision)[1](outer_s[row], outer_f[row])
        message = np.concatenate([sub[0], message[0][width:]]), sub[1]
    return message


def pop_within(
    message: Message, part: Part, outer_starts: Ints, outer_freqs: Ints, precision: int
) -> tuple[Message, Ints, Ints]:
    """Inverse of `push_within`: the message, starts and freqs, int64 `(N,)`.

    Raises UnderflowError.
    """
    outer_s, outer_f = as_uint64(outer_starts), as_uint64(outer_freqs)
    n, lanes = len(outer_f), len(message[0])
    starts, freqs = np.empty(n, np.int64), np.empty(n, np.int64)
    for first in range(0, n, lanes):
        row = slice(first, min(first + lanes, n))
        width = row.stop - first
        (sub,) = push((message[0][:width], message[1]), outer_s[row], outer_f[row], precision)
        cf, finish = pop(sub, precision)
        starts[row], freqs[row] = part(cf, first, row.stop)
        (sub,) = finish(starts[row], freqs[row])
        message = np.concatenate([sub[0], message[0][width:]]), sub[1]
    return message, starts, freqs
