"""P(x) = C(N, x) B(x + a, N - x + b) / B(a, b), N = n - 1: a beta-binomial on 0..n-1, n <= 256, in
integers.

P(x) is proportional to `(a)_x (b)_(N-x) / (x! (N-x)!)` with the rising factorial (a)_k = a (a + 1)
... (a + k - 1), and so its log2 is a sum of four entries of one table R[i, k] = log2 (a_i)_k, in
2^-20, since k! = (1)_k. The weights 2^(log2 P) come from a table of 2^(-j / 256), and `categorical`
makes frequencies of them: 24 bits, every one at least 1. Log-odds are off by 2^-8 log2 at most,
which costs below 10^-6 bit a symbol.

Parameters a and b are indices 0..320 of a_i = 2^(i / 16 - 8), rounded to 2^-16: index 128 is 1, and
two of them make the uniform distribution. a / (a + b) is the mean over N. Arrays are `(N,)`, int64.
A row of n weights is made for each symbol, as for a categorical. Raised: ValueError on shapes,
indices and values that are out of range. Source of its use for 8-bit samples: Townsend, Bird and
Barber 2019 (arXiv:1901.04866).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bbans.distributions import categorical
from bbans.distributions.categorical import PRECISION
from bbans.distributions.inverse_cdf import Ints, as_int64
from bbans.distributions.tables import exp2_fractions, log2_rising_factorials

__all__ = ["PRECISION", "interval", "symbol"]

PARAMETERS = 321
ONE = 128
MAX_SYMBOLS = 256
CHUNK = 128  # symbols at once: their rows of weights stay in the second-level cache


def interval(a: Ints, b: Ints, x: Ints, n: int = 256) -> tuple[Ints, Ints]:
    """`(start, freq)` of x in 0..n-1."""
    a, b, x = _checked(a, b, x, n, n)
    start, freq = np.empty_like(x), np.empty_like(x)
    for part in _chunks(len(x)):
        start[part], freq[part] = categorical.of_mass(
            np.cumsum(_weights(a[part], b[part], n), 1), x[part]
        )
    return start, freq


def symbol(a: Ints, b: Ints, cf: Ints, n: int = 256) -> tuple[Ints, Ints, Ints]:
    """`(x, start, freq)` of the interval that holds cf in [0, 2^24)."""
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
    found: Ints = exp2_fractions()[d & 255] >> np.minimum(d >> 8, 63)
    return found


def _checked(a: Ints, b: Ints, x: Ints, n: int, top: int) -> tuple[Ints, Ints, Ints]:
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
    return (slice(first, min(first + CHUNK, n)) for first in range(0, n, CHUNK))
