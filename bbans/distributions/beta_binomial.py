"""P(x) = C(N, x) B(x + a, N - x + b) / B(a, b), N = n - 1: a beta-binomial distribution on 0..n-1,
n <= 256, in integers.

P(x) is proportional to `(a)_x (b)_(N-x) / (x! (N-x)!)` with the rising factorial (a)_k = a (a + 1)
... (a + k - 1), and k! = (1)_k. So log2 P(x) is, up to a constant, a sum of four entries of one
table, R[i, k] = log2 (a_i)_k in units of 2^-20. The weights 2^(log2 P) come from a table of 2^(-j /
256), and `categorical` turns them into frequencies: out of 2^24, every one at least 1. Log-odds are
off by at most 2^-8 in log2, which costs below 10^-6 bit a symbol.

Parameters a and b are indices 0..320 of a_i = 2^(i / 16 - 8), rounded to 2^-16. Index 128 is 1; a =
b = 1 is the uniform distribution. The mean is N a / (a + b). Arrays are int64 `(N,)`. A row of n
weights is computed for each symbol, as for a categorical. Functions raise ValueError on wrong
shapes, and on indices and values out of range.

Source of the use for 8-bit samples: Townsend, Bird and Barber 2019 (arXiv:1901.04866).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bbans.distributions import categorical
from bbans.distributions.categorical import PRECISION
from bbans.distributions.distribution import Distribution, factorised, one_row, shape_of
from bbans.distributions.inverse_cdf import Ints, as_int64
from bbans.distributions.tables import exp2_fractions, log2_rising_factorials

__all__ = ["PRECISION", "interval", "symbol"]

PARAMETERS = 321
ONE = 128
MAX_SYMBOLS = 256
CHUNK = 128  # symbols at once, so that their rows of weights stay in the second-level cache


def interval(a: Ints, b: Ints, x: Ints, n: int = 256) -> tuple[Ints, Ints]:
    """Returns `(start, freq)` of x in 0..n-1, out of 2^24, under parameter indices a and b.

    Examples:
        >>> one = np.array([ONE])
        >>> [a.tolist() for a in interval(one, one, np.array([3]), n=4)]  # a = b = 1: uniform
        [[12582912], [4194304]]
    """
    a, b, x = _checked(a, b, x, n, n)
    start, freq = np.empty_like(x), np.empty_like(x)
    for part in _chunks(len(x)):
        start[part], freq[part] = categorical.of_mass(
            np.cumsum(_weights(a[part], b[part], n), 1), x[part]
        )
    return start, freq


def symbol(a: Ints, b: Ints, cf: Ints, n: int = 256) -> tuple[Ints, Ints, Ints]:
    """Returns `(x, start, freq)` of the interval that contains cf in [0, 2^24): the inverse of
    `interval`.

    Examples:
        >>> one = np.array([ONE])
        >>> symbol(one, one, np.array([1 << 23]), n=4)[0]
        array([2])
    """
    a, b, cf = _checked(a, b, cf, n, 1 << PRECISION)
    x, start, freq = np.empty_like(cf), np.empty_like(cf), np.empty_like(cf)
    for part in _chunks(len(cf)):
        mass = np.cumsum(_weights(a[part], b[part], n), 1)
        x[part], start[part], freq[part] = categorical.search(mass, cf[part])
    return x, start, freq


def _weights(a: Ints, b: Ints, n: int) -> Ints:
    """2^22 P(x) / max P, int64 `(N, n)`."""
    logs = log2_rising_factorials()
    log_p = logs[a, :n] + logs[b, n - 1 :: -1] - (logs[ONE, :n] + logs[ONE, n - 1 :: -1])
    d = (log_p.max(1, keepdims=True) - log_p) >> 12
    weights: Ints = exp2_fractions()[d & 255] >> np.minimum(d >> 8, 63)
    return weights


def _checked(a: Ints, b: Ints, x: Ints, n: int, top: int) -> tuple[Ints, Ints, Ints]:
    """The arrays as int64. Raises ValueError on wrong shapes and on values out of range."""
    a, b, x = as_int64(a), as_int64(b), as_int64(x)
    if not a.shape == b.shape == x.shape or x.ndim != 1 or not 1 <= n <= MAX_SYMBOLS:
        raise ValueError(
            f"expected three arrays (N,) and 1 to {MAX_SYMBOLS} symbols; found {a.shape}, "
            f"{b.shape}, {x.shape}, n {n}"
        )
    if x.size and (min(a.min(), b.min()) < 0 or max(a.max(), b.max()) >= PARAMETERS):
        raise ValueError(
            f"parameter indices lie in 0..{PARAMETERS - 1}; found {min(a.min(), b.min())} to "
            f"{max(a.max(), b.max())}"
        )
    if x.size and (x.min() < 0 or x.max() >= top):
        raise ValueError(f"values lie in 0..{top - 1}; found {x.min()} to {x.max()}")
    return a, b, x


def _chunks(n: int) -> Iterator[slice]:
    """Slices of at most CHUNK symbols."""
    return (slice(first, min(first + CHUNK, n)) for first in range(0, n, CHUNK))


def beta_binomial(a: Ints, b: Ints, n: int = 256) -> Distribution:
    """A beta-binomial distribution on 0..n-1, n <= 256; a and b are parameter indices as in the
    module `beta_binomial`, where 128 stands for 1.

    Examples:
        >>> one = np.array([[128]])
        >>> beta_binomial(one, one).bits(np.array([[200]])).round(3)  # a = b = 1: uniform
        array([8.])
    """
    shape, a, b = shape_of(a), one_row(a), one_row(b)
    return factorised(
        lambda x: interval(a, b, x, n),
        lambda cf, first, last: symbol(a[first:last], b[first:last], as_int64(cf), n),
        shape,
        PRECISION,
    )
