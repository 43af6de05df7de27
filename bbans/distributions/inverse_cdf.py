"""symbol(cf) = max{x : F(x) <= cf}: inverts a monotone integer CDF by bisection, so that it is
evaluated only at the values that are tried.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Ints: TypeAlias = NDArray[np.int64]


def as_int64(values: Any) -> Ints:
    """Converts integers to a contiguous int64 array; uint64 values below 2^63 are kept.

    Examples:
        >>> as_int64(np.array([3], np.uint64))
        array([3])
    """
    return np.ascontiguousarray(values, dtype=np.int64)


def invert(cdf: Callable[[Ints], Ints], cf: Ints, n: int, total: int) -> tuple[Ints, Ints, Ints]:
    """Returns `(x, start, freq)` with start = F(x) <= cf < F(x + 1) = start + freq, int64 `(N,)`.

    `cdf(x)` is F, for n symbols, with F(0) = 0 and F(n) = total.

    Examples:
        >>> [a.tolist() for a in invert(lambda x: x**2, np.array([5, 8]), n=3, total=9)]
        [[2, 2], [4, 4], [5, 5]]
    """
    low, start = np.zeros_like(cf), np.zeros_like(cf)
    high, end = np.full_like(cf, n), np.full_like(cf, total)
    for _ in range((n - 1).bit_length()):
        middle = (low + high) >> 1  # where the search has ended it equals low, and nothing changes
        value = cdf(middle)
        right = value <= cf
        low, start = np.where(right, middle, low), np.where(right, value, start)
        high, end = np.where(right, high, middle), np.where(right, end, value)
    return low, start, end - start
