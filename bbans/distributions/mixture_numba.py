"""The loops of `mixture`, compiled by numba: they compute the same integers, one symbol at a time.

They are compiled when the module is first imported, and kept in numba's cache. `mixture` has
checked the arguments: scale indices are in range, so that no table is read out of bounds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
from numba import njit

from bbans.distributions.inverse_cdf import Ints
from bbans.distributions.sample_grid import UNIT
from bbans.distributions.tables import LOGISTIC_BITS, LOGISTIC_HALF

F = TypeVar("F", bound=Callable[..., Any])

PRECISION = 22
WEIGHT_BITS = 16
MASS_BITS = WEIGHT_BITS + LOGISTIC_BITS
FINER = UNIT - 5
TOP = 2 * LOGISTIC_HALF
ONE = 1 << LOGISTIC_BITS
QUANTILE_BITS = 10
_STEPS = (np.arange(1 << QUANTILE_BITS) + 0.5) / (1 << QUANTILE_BITS)
# quantiles of the standard logistic, at which a search starts; no result depends on them
QUANTILES = np.log(_STEPS / (1 - _STEPS))

_TABLE = "Array(int64, 1, 'C', readonly=True)"
_ROW, _MATRIX = "int64[::1]", "int64[:,::1]"
_VALUES = "Array(int64, 2, 'C', readonly=True)"
_NARROW = "Array(int32, 2, 'C', readonly=True)"
_INPUTS = f"{_VALUES}, {_VALUES}, {_VALUES}, {_TABLE}, {_TABLE}, {_TABLE}, {_TABLE}"


def compiled(*signatures: str, **options: Any) -> Callable[[F], F]:
    """Returns a decorator that compiles a function at once for these signatures, to run without the
    interpreter's lock.
    """

    def decorate(function: F) -> F:
        try:
            return cast(F, njit(list(signatures), cache=True, nogil=True, **options)(function))
        except RuntimeError:  # numba has no folder to which it may write its cache
            return cast(F, njit(list(signatures), nogil=True, **options)(function))

    return decorate


@compiled(f"int64({_TABLE}, int64, int64)", inline="always")
def logistic_cdf(table: Ints, offset: int, inverse: int) -> int:
    """T(offset / scale), where `offset` is the distance from the location in units of boundaries,
    and `inverse` the entry of `tables.inverse_scales`.
    """
    index = ((offset * inverse) >> (12 + FINER)) + LOGISTIC_HALF
    return int(table[min(max(index, 0), TOP)])


@compiled(f"void({_INPUTS}, {_ROW}, {_ROW})")
def interval(
    w: Ints,
    m: Ints,
    s: Ints,
    x: Ints,
    boundaries: Ints,
    table: Ints,
    inverse: Ints,
    start: Ints,
    freq: Ints,
) -> None:
    """Computes `mixture.interval` into `start` and `freq`."""
    n = boundaries.shape[0] - 1
    span = (1 << PRECISION) - n
    for i in range(w.shape[0]):
        begin, end = boundaries[x[i]], boundaries[x[i] + 1]
        low = high = 0
        for k in range(w.shape[1]):
            scale = inverse[s[i, k]]
            location = m[i, k] << FINER
            low += w[i, k] * logistic_cdf(table, begin - location, scale)
            high += w[i, k] * logistic_cdf(table, end - location, scale)
        if x[i] <= 0:
            low = 0
        if x[i] + 1 == n:
            high = 1 << MASS_BITS
        start[i] = ((low * span) >> MASS_BITS) + x[i]
        freq[i] = ((high * span) >> MASS_BITS) + x[i] + 1 - start[i]


@njit(inline="always")
def bracket(
    w: Ints,
    location: Ints,
    scale: Ints,
    cf: int,
    boundaries: Ints,
    span: int,
    density: float,
    table: Ints,
) -> tuple[int, int, int]:
    """Returns the value, start and end of the interval that contains cf; `location` is in units of
    boundaries, `scale` holds entries of `tables.inverse_scales`.
    """
    K, n = w.shape[0], boundaries.shape[0] - 1
    largest = 0
    for k in range(1, K):
        if w[k] > w[largest]:
            largest = k
    low, high = 0, n
    first, end = 0, 1 << PRECISION
    # steps that double outwards from the quantile of the largest component, then bisection: on
    # photographs 2.1 evaluations, of which two are necessary
    unit = float((1 << UNIT + 17) // scale[largest])
    middle = int(
        (location[largest] - boundaries[0] + unit * QUANTILES[cf >> (PRECISION - QUANTILE_BITS)])
        * density
    )
    middle = min(max(middle, 1), max(n - 1, 1))
    step = max(int(unit * density) >> 2, 1)
    while high - low > 1:
        mass = 0
        for k in range(K):
            mass += w[k] * logistic_cdf(table, boundaries[middle] - location[k], scale[k])
        value = ((mass * span) >> MASS_BITS) + middle
        if value <= cf:
            low, first = middle, value
        else:
            high, end = middle, value
        if high == n and middle + step < n:
            middle += step
            step *= 2
        elif low == 0 and middle - step > 0:
            middle -= step
            step *= 2
        else:
            middle = (low + high) >> 1
    return low, first, end


@compiled(
    *(
        f"void({inputs}, {_ROW}, {_ROW}, {_ROW})"
        for inputs in (_INPUTS, _INPUTS.replace(_VALUES, _NARROW))
    )
)
def symbol(
    w: Ints,
    m: Ints,
    s: Ints,
    cf: Ints,
    boundaries: Ints,
    table: Ints,
    inverse: Ints,
    x: Ints,
    start: Ints,
    freq: Ints,
) -> None:
    """Computes `mixture.symbol` into `x`, `start` and `freq`."""
    K, n = w.shape[1], boundaries.shape[0] - 1
    span = (1 << PRECISION) - n
    # values per unit of boundaries, for the start of the search; no result depends on it
    density = n / (boundaries[n] - boundaries[0])
    weight, location, scale = np.empty(K, np.int64), np.empty(K, np.int64), np.empty(K, np.int64)
    for i in range(w.shape[0]):
        for k in range(K):
            weight[k], location[k], scale[k] = w[i, k], np.int64(m[i, k]) << FINER, inverse[s[i, k]]
        x[i], first, end = bracket(weight, location, scale, cf[i], boundaries, span, density, table)
        start[i] = first
        freq[i] = end - first


@compiled(f"void({_TABLE}, {_ROW})")
def normalise_row(raw: Ints, weights: Ints) -> None:
    """Computes `mixture.normalise` of one row; `weights` may be `raw` itself."""
    total = largest = 0
    for k in range(raw.shape[0]):
        total += raw[k]
        if raw[k] > raw[largest]:
            largest = k
    remainder = 1 << WEIGHT_BITS
    for k in range(raw.shape[0]):
        weights[k] = (raw[k] << WEIGHT_BITS) // total
        remainder -= weights[k]
    weights[largest] += remainder


@compiled(f"void({_VALUES}, {_MATRIX})")
def normalise(raw: Ints, weights: Ints) -> None:
    """Computes `mixture.normalise` into `weights`."""
    for i in range(raw.shape[0]):
        normalise_row(raw[i], weights[i])


@compiled(f"void({_INPUTS}, {_ROW}, {_ROW}, {_MATRIX})")
def interval_and_condition(
    w: Ints,
    m: Ints,
    s: Ints,
    x: Ints,
    boundaries: Ints,
    table: Ints,
    inverse: Ints,
    start: Ints,
    freq: Ints,
    after: Ints,
) -> None:
    """Computes `mixture.interval_and_condition` into `start`, `freq` and `after`."""
    K = w.shape[1]
    n = boundaries.shape[0] - 1
    span = (1 << PRECISION) - n
    raw = np.empty(K, np.int64)
    for i in range(w.shape[0]):
        begin, end = boundaries[x[i]], boundaries[x[i] + 1]
        low = high = 0
        for k in range(K):
            scale = inverse[s[i, k]]
            location = m[i, k] << FINER
            lower = logistic_cdf(table, begin - location, scale) if x[i] > 0 else 0
            upper = logistic_cdf(table, end - location, scale) if x[i] + 1 != n else ONE
            low += w[i, k] * lower
            high += w[i, k] * upper
            raw[k] = w[i, k] * max(upper - lower, 1)
        start[i] = ((low * span) >> MASS_BITS) + x[i]
        freq[i] = ((high * span) >> MASS_BITS) + x[i] + 1 - start[i]
        normalise_row(raw, after[i])
