"""P(1) = T(logit) / 2^24: one bit with integer log-odds, where T is the integer table of the
logistic CDF.

Logits are int64 in 1/64 nat and are clipped to +-16 nats, where the unlikely bit still has a
frequency of 2. Symbol 0 has the lower interval. Frequencies are out of 2^24. Arrays are int64
`(N,)`. Functions raise ValueError on arrays of different shapes and on symbols other than 0 and 1.
"""

from __future__ import annotations

import numpy as np

from bbans.distributions.distribution import Distribution, factorised, one_row, shape_of
from bbans.distributions.inverse_cdf import Ints, as_int64
from bbans.distributions.tables import LOGISTIC_BITS, LOGISTIC_HALF, STEP, logistic_cdf_table

PRECISION = LOGISTIC_BITS
UNIT = 6
"""Fractional bits of a logit."""


def interval(logit: Ints, x: Ints) -> tuple[Ints, Ints]:
    """Returns `(start, freq)` of the bits x under log-odds `logit`, out of 2^24.

    Examples:
        >>> [a.tolist() for a in interval(np.array([0, 0]), np.array([0, 1]))]
        [[0, 8388608], [8388608, 8388608]]
    """
    x = as_int64(x)
    if x.size and (x.min() < 0 or x.max() > 1):
        raise ValueError(f"a Bernoulli symbol is 0 or 1; found {x.min()} to {x.max()}")
    zero = _mass_of_zero(logit, x)
    return np.where(x == 1, zero, 0), np.where(x == 1, (1 << PRECISION) - zero, zero)


def symbol(logit: Ints, cf: Ints) -> tuple[Ints, Ints, Ints]:
    """Returns `(x, start, freq)` of the interval that contains cf in [0, 2^24): the inverse of
    `interval`.

    Examples:
        >>> int(symbol(np.array([64]), np.array([9 << 20]))[0][0])  # log-odds of 1 nat
        1
    """
    cf = as_int64(cf)
    zero = _mass_of_zero(logit, cf)
    x = (cf >= zero).astype(np.int64)
    return x, zero * x, np.where(x == 1, (1 << PRECISION) - zero, zero)


def _mass_of_zero(logit: Ints, x: Ints) -> Ints:
    """Frequency of the symbol 0. Raises ValueError on arrays of different shapes."""
    logit = as_int64(logit)
    if logit.shape != x.shape:
        raise ValueError(f"expected arrays of one shape; found {logit.shape} and {x.shape}")
    limit = LOGISTIC_HALF >> (STEP - UNIT)
    mass: Ints = logistic_cdf_table()[
        LOGISTIC_HALF - (np.clip(logit, -limit, limit) << (STEP - UNIT))
    ]
    return mass


def bernoulli(logits: Ints) -> Distribution:
    """P(1) = 1 / (1 + exp(-logit / 64)): bits with log-odds `logits` in 1/64 nat.

    Examples:
        >>> bernoulli(np.array([[0, 0]])).bits(np.array([[0, 1]]))
        array([2.])
    """
    shape, l = shape_of(logits), one_row(logits)
    return factorised(
        lambda x: interval(l, x),
        lambda cf, first, last: symbol(l[first:last], as_int64(cf)),
        shape,
        PRECISION,
    )
