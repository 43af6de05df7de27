"""F(x) = floor(T((32 x - 16 - m) / (32 s)) (2^22 - n) / 2^24) + x: one logistic on 0..n-1, the
mixture of one component.

Location m int64 `(N,)` in 1/32 grey level, scale index int64 `(N,)` of `tables.inverse_scales`,
precision 22 bits.
"""

from __future__ import annotations

import numpy as np

from bbans.distributions import mixture
from bbans.distributions.inverse_cdf import Ints, as_int64
from bbans.distributions.mixture import PRECISION, WEIGHT_BITS

__all__ = ["PRECISION", "interval", "symbol"]


def interval(location: Ints, scale: Ints, x: Ints, n: int = 256) -> tuple[Ints, Ints]:
    """`(start, freq)` of x in 0..n-1, int64 `(N,)`."""
    return mixture.interval(*_component(location, scale), as_int64(x), n)


def symbol(location: Ints, scale: Ints, cf: Ints, n: int = 256) -> tuple[Ints, Ints, Ints]:
    """`(x, start, freq)` of the interval that holds cf in [0, 2^22)."""
    return mixture.symbol(*_component(location, scale), as_int64(cf), n)


def _component(location: Ints, scale: Ints) -> tuple[Ints, Ints, Ints]:
    m, s = as_int64(location)[:, None], as_int64(scale)[:, None]
    return np.full_like(m, 1 << WEIGHT_BITS), m, s
