"""-log2(freq / outer freq) bits: codes one of the parts into which an interval is divided, given
the interval, for outer frequencies that need not be powers of two.

A push of the part, followed by a pop of the outer interval, is the map m -> (m // f) F + m mod f +
(c - C), where [c, c + f) is the part and [C, C + F) the outer interval. This is an ANS step of base
F, composed of steps of base 2^precision. The pop does not need to identify a symbol: after the
push, the cumulative frequency lies in the outer interval. Parts are coded symbol by symbol over the
lanes, in the order of `blocks`. All intervals of a block are out of 2^precision.

Source of the use: coupled importance sampling, Ruan, Ullrich, Severo, Townsend, Khisti, Doucet,
Makhzani and Maddison 2021 (arXiv:2102.11086); coding by parts is our own.
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
"""`part(cf, first, last) -> (starts, freqs)` returns the parts that contain `cf`, for symbols
first..last-1.
"""


def push_within(
    message: Message,
    starts: Ints,
    freqs: Ints,
    outer_starts: Ints,
    outer_freqs: Ints,
    precision: int,
) -> Message:
    """Pushes parts `[start, start + freq)` of outer intervals at -log2(freq / outer freq) bits
    each; all arrays are int64 `(N,)`.

    Raises IntervalError unless each part lies in its outer interval.

    Examples:
        >>> from bbans.coding.rans import base_message, message_bits, unflatten
        >>> part, outer = (np.array([3]), np.array([2])), (np.array([1]), np.array([6]))
        >>> message = unflatten(np.array([5, 0]), (1,))
        >>> pushed = push_within(message, *part, *outer, precision=3)
        >>> round(message_bits(pushed) - message_bits(message), 6)  # log2(6 / 2)
        1.584963
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
    """Inverse of `push_within`: returns the message, and the starts and frequencies of the parts,
    int64 `(N,)`.

    Raises UnderflowError if the message holds too few words.

    Examples:
        >>> from bbans.coding.rans import unflatten
        >>> part, outer = (np.array([3]), np.array([2])), (np.array([1]), np.array([6]))
        >>> pushed = push_within(unflatten(np.array([5, 0]), (1,)), *part, *outer, precision=3)
        >>> pop_within(pushed, lambda cf, first, last: part, *outer, precision=3)[1:]
        (array([3]), array([2]))
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
