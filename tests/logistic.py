"""F(x) = floor(T((32 x - 16 - m) / (32 s)) (2^22 - n) / 2^24) + x: a logistic distribution on
0..n-1, as a mixture of one component.

T is the integer table of the logistic CDF. The location m is in 1/32 grey level, the scale an index
of `tables.inverse_scales`. Arrays are int64 `(N,)`. Functions raise ValueError as those of
`mixture` do: on wrong shapes, and on scale indices and values out of range.
"""

from __future__ import annotations

import numpy as np

from bbans.distributions import mixture
from bbans.distributions.inverse_cdf import Ints, as_int64
from bbans.distributions.mixture import PRECISION, WEIGHT_BITS

__all__ = ["PRECISION", "interval", "symbol"]


def interval(location: Ints, scale: Ints, x: Ints, n: int = 256) -> tuple[Ints, Ints]:
    """Returns `(start, freq)` of x in 0..n-1, int64 `(N,)` out of 2^22.

    Examples:
        >>> _, freq = interval(np.array([32 * 100]), np.array([64]), np.array([100]))
        >>> (freq / 2**22).round(3)  # 2 / (1 + exp(-1/2)) - 1
        array([0.245])
    """
    return mixture.interval(*_component(location, scale), as_int64(x), n)


def symbol(location: Ints, scale: Ints, cf: Ints, n: int = 256) -> tuple[Ints, Ints, Ints]:
    """Returns `(x, start, freq)` of the interval that contains cf in [0, 2^22): the inverse of
    `interval`.

    Examples:
        >>> symbol(np.array([32 * 100]), np.array([64]), np.array([1 << 21]))[0]
        array([100])
    """
    return mixture.symbol(*_component(location, scale), as_int64(cf), n)


def _component(location: Ints, scale: Ints) -> tuple[Ints, Ints, Ints]:
    """Weights, locations and scales of a mixture of one component, `(N, 1)`."""
    m, s = as_int64(location)[:, None], as_int64(scale)[:, None]
    return np.full_like(m, 1 << WEIGHT_BITS), m, s
