"""F(x) = floor(Phi((32 x - 16 - m) / (32 s)) (2^22 - n)) + x: a Gaussian distribution on 0..n-1,
from the integer table of Phi.

The location m is in 1/32 grey level within +-2^15; the scale is an index of
`tables.inverse_scales`, and s is the standard deviation. F(0) = 0 and F(n) = 2^22 are forced.
Arrays are int64 `(N,)`. Functions raise ValueError on arrays of different shapes and on scale
indices out of range.
"""

from __future__ import annotations

import numpy as np

from bbans.distributions.inverse_cdf import Ints, as_int64, invert
from bbans.distributions.tables import (
    GAUSSIAN_BITS,
    GAUSSIAN_HALF,
    SCALES,
    gaussian_cdf_table,
    inverse_scales,
)

PRECISION = 22
MAX_SYMBOLS = 2**16


def interval(location: Ints, scale: Ints, x: Ints, n: int = 256) -> tuple[Ints, Ints]:
    """Returns `(start, freq)` of x in 0..n-1, int64 `(N,)` out of 2^22.

    Examples:
        >>> _, freq = interval(np.array([32 * 100]), np.array([64]), np.array([100]))
        >>> (freq / 2**22).round(3)  # Phi(1/2) - Phi(-1/2)
        array([0.383])
    """
    m, inverse, x = _checked(location, scale, x, n)
    start = _cdf(m, inverse, x, n)
    return start, _cdf(m, inverse, x + 1, n) - start


def symbol(location: Ints, scale: Ints, cf: Ints, n: int = 256) -> tuple[Ints, Ints, Ints]:
    """Returns `(x, start, freq)` of the interval that contains cf in [0, 2^22): the inverse of
    `interval`.

    Examples:
        >>> symbol(np.array([32 * 100]), np.array([64]), np.array([1 << 21]))[0]
        array([100])
    """
    m, inverse, cf = _checked(location, scale, cf, n)
    return invert(lambda x: _cdf(m, inverse, x, n), cf, n, 1 << PRECISION)


def _checked(location: Ints, scale: Ints, x: Ints, n: int) -> tuple[Ints, Ints, Ints]:
    """Locations, inverse scales and x as int64. Raises ValueError on wrong shapes and indices."""
    m, s, x = as_int64(location), as_int64(scale), as_int64(x)
    if not m.shape == s.shape == x.shape or not 1 <= n <= MAX_SYMBOLS:
        raise ValueError(
            f"expected arrays of one shape and 1 to {MAX_SYMBOLS} symbols; found {m.shape}, "
            f"{s.shape}, {x.shape}, n {n}"
        )
    if s.size and (s.min() < 0 or s.max() >= SCALES):
        raise ValueError(f"scale indices lie in 0..{SCALES - 1}; found {s.min()} to {s.max()}")
    return m, inverse_scales()[s], x


def _cdf(location: Ints, inverse: Ints, x: Ints, n: int) -> Ints:
    """F(x)."""
    index = GAUSSIAN_HALF + (((32 * x - 16 - location) * inverse) >> 12)
    mass = gaussian_cdf_table()[np.clip(index, 0, 2 * GAUSSIAN_HALF)]
    mass = np.where(x <= 0, 0, np.where(x >= n, 1 << GAUSSIAN_BITS, mass))
    return ((mass * ((1 << PRECISION) - n)) >> GAUSSIAN_BITS) + x
