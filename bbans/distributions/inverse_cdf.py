"""symbol(cf) = max{x : F(x) <= cf}, by bisection of a monotone integer CDF that is evaluated only
where it is probed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Ints: TypeAlias = NDArray[np.int64]


def as_int64(values: Any) -> Ints:
    """Integers as a contiguous int64 array; uint64 below 2^63 keeps its value."""
    return np.ascontiguousarray(values, dtype=np.int64)


def invert(cdf: Callable[[Ints], Ints], cf: Ints, n: int, total: int) -> tuple[Ints, Ints, Ints]:
    """`(x, start, freq)` with start = F(x) <= cf < F(x + 1), int64 `(N,)`, for n symbols, F(0) = 0
    and F(n) = total.
    """
    low, start = np.zeros_like(cf), np.zeros_like(cf)
    high, end = np.full_like(cf, n), np.full_like(cf, total)
    for _ in range((n - 1).bit_length()):
        middle = (low + high) >> 1  # equals low where the search has ended, which changes nothing
        value = cdf(middle)
        right = value <= cf
        low, start = np.where(right, middle, low), np.where(right, value, start)
        high, end = np.where(right, high, middle), np.where(right, end, value)
    return low, start, end - start
