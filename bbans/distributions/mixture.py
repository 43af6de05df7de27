"""F(x) = floor(S(x) (2^22 - n) / 2^40) + x, S(x) = sum_k w_k T((b_x - m_k) / s_k): a mixture of
logistics on 0..n-1.

T is the integer table of the logistic CDF, in which 2^24 stands for 1. Weights w sum to 2^16,
locations m are in 1/32 grey level, scales are indices of `tables.inverse_scales`, and b_x is the
lower boundary of value x on the grey scale (`sample_grid.Axis`; x - 1/2 for 8-bit samples). S is
forced to 0 at x = 0 and to 2^40 at x = n, so that F(0) = 0 and F(n) = 2^22. S never decreases, so
that the term x gives every value a frequency of at least 1. All arithmetic is int64, and no
intermediate exceeds 2^62.

The compiled core (`exact.engines`) computes the same integers faster. `weights`, `locations` and
`scales` are int64 `(N, K)`; `x`, `cf` and results are int64 `(N,)`; an integer n for `axis` stands
for `sample_grid.regular(n)`. Functions raise ValueError on wrong shapes, and on scale indices and
values out of range.

Source of the family: Salimans et al. 2017 (arXiv:1701.05517).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbans.distributions.distribution import Distribution, factorised, shape_of
from bbans.distributions.inverse_cdf import Ints, as_int64, invert
from bbans.distributions.sample_grid import UNIT, Axis, regular
from bbans.distributions.tables import (
    LOGISTIC_BITS,
    LOGISTIC_HALF,
    SCALES,
    exp2_weights,
    inverse_scales,
    logistic_cdf_table,
)
from bbans.exact.engines import native

PRECISION = 22
WEIGHT_BITS = 16
MASS_BITS = WEIGHT_BITS + LOGISTIC_BITS
FINER = UNIT - 5  # a boundary's fractional bits beyond those of a location
COMPILED_COMPONENTS = 64  # mixtures of more run on the reference
CHUNK = 4096  # symbols at once, so that a component's temporaries stay in the second-level cache


def interval(
    weights: Ints, locations: Ints, scales: Ints, x: Ints, axis: Axis | int = 256
) -> tuple[Ints, Ints]:
    """Returns `(start, freq)` of x in 0..n-1, out of 2^22.

    Examples:
        >>> w, m, s = np.array([[1 << 16]]), np.array([[32 * 100]]), np.array([[64]])
        >>> (interval(w, m, s, np.array([100]))[1] / 2**22).round(3)
        array([0.245])
    """
    w, m, s, x, axis = _checked(weights, locations, scales, x, axis)
    start, freq = np.empty_like(x), np.empty_like(x)
    if (core := compiled(w.shape[1])) is not None:
        core.intervals(w, m, s, x, *tables_of(axis), start, freq, None)
        return start, freq
    boundaries = axis.boundaries
    for part in _chunks(len(x)):
        wt, mt, inverse = _transposed(w[part], m[part], s[part])
        start[part] = _cdf(wt, mt, inverse, x[part], boundaries)
        freq[part] = _cdf(wt, mt, inverse, x[part] + 1, boundaries) - start[part]
    return start, freq


def symbol(
    weights: Ints, locations: Ints, scales: Ints, cf: Ints, axis: Axis | int = 256
) -> tuple[Ints, Ints, Ints]:
    """Returns `(x, start, freq)` of the interval that contains cf in [0, 2^22): the inverse of
    `interval`.

    Examples:
        >>> w, m, s = np.array([[1 << 16]]), np.array([[32 * 100]]), np.array([[64]])
        >>> symbol(w, m, s, np.array([1 << 21]))[0]
        array([100])
    """
    w, m, s, cf, axis = _checked(weights, locations, scales, cf, axis, 1 << PRECISION)
    x, start, freq = np.empty_like(cf), np.empty_like(cf), np.empty_like(cf)
    if (core := compiled(w.shape[1])) is not None:
        core.symbols(w, m, s, cf, *tables_of(axis), x, start, freq)
        return x, start, freq
    boundaries = axis.boundaries
    for part in _chunks(len(cf)):
        wt, mt, inverse = _transposed(w[part], m[part], s[part])

        def cdf(x: Ints, wt: Ints = wt, mt: Ints = mt, inverse: Ints = inverse) -> Ints:
            return _cdf(wt, mt, inverse, x, boundaries)

        x[part], start[part], freq[part] = invert(
            cdf, cf[part], len(boundaries) - 1, 1 << PRECISION
        )
    return x, start, freq


def condition(
    weights: Ints, locations: Ints, scales: Ints, x: Ints, axis: Axis | int = 256
) -> Ints:
    """w_k max(T_k(x + 1) - T_k(x), 1), normalised to 2^16: returns the posterior weights of the
    components given x, int64 `(N, K)`.

    T_k is forced to 0 at 0 and to 2^24 at n.

    Examples:
        >>> w, m = np.array([[1 << 15, 1 << 15]]), np.array([[0, 32 * 200]])
        >>> s = np.array([[64, 64]])
        >>> condition(w, m, s, np.array([200]))
        array([[    0, 65536]])
    """
    return interval_and_condition(weights, locations, scales, x, axis)[2]


def interval_and_condition(
    weights: Ints, locations: Ints, scales: Ints, x: Ints, axis: Axis | int = 256
) -> tuple[Ints, Ints, Ints]:
    """Returns `(start, freq, posterior weights given x)` in one pass: the results of `interval` and
    of `condition`.

    Examples:
        >>> w, m, s = np.array([[1 << 16]]), np.array([[32 * 100]]), np.array([[64]])
        >>> interval_and_condition(w, m, s, np.array([100]))[2]
        array([[65536]])
    """
    w, m, s, x, axis = _checked(weights, locations, scales, x, axis)
    start, freq, after = np.empty_like(x), np.empty_like(x), np.empty_like(w)
    if (core := compiled(w.shape[1])) is not None:
        core.intervals(w, m, s, x, *tables_of(axis), start, freq, after)
        return start, freq, after
    boundaries = axis.boundaries
    for part in _chunks(len(x)):
        wt, mt, inverse = _transposed(w[part], m[part], s[part])
        lower, upper = (_components(mt, inverse, x[part] + step, boundaries) for step in (0, 1))
        start[part] = _scaled((wt * lower).sum(0), x[part], boundaries)
        freq[part] = _scaled((wt * upper).sum(0), x[part] + 1, boundaries) - start[part]
        after[part] = _normalised(wt * np.maximum(upper - lower, 1)).T
    return start, freq, after


def normalise(raw: Ints) -> Ints:
    """w_k = floor(2^16 raw_k / sum raw), with the remainder added to the first of the largest:
    scales rows of int64 `(N, K)` to a sum of exactly 2^16.

    Values lie in [0, 2^46], and each row has a positive sum.

    Examples:
        >>> normalise(np.array([[1, 1, 1]]))
        array([[21846, 21845, 21845]])
    """
    raw = as_int64(raw)
    weights = np.empty_like(raw)
    for part in _chunks(len(raw)):
        weights[part] = _normalised(np.ascontiguousarray(raw[part].T)).T
    return weights


def compiled(components: int) -> ModuleType | None:
    """Returns the compiled core if it is used and holds mixtures of so many components, else None.

    Examples:
        >>> compiled(COMPILED_COMPONENTS + 1) is None
        True
    """
    return native() if components <= COMPILED_COMPONENTS else None


@cache
def _narrow_logistic_cdf() -> NDArray[np.int32]:
    """The logistic CDF in half the memory."""
    return logistic_cdf_table().astype(np.int32)


def tables_of(axis: Axis) -> tuple[Any, ...]:
    """Returns the tables that the compiled core reads: boundaries and centres of the axis, the
    logistic CDF, inverse scales and weights.

    Examples:
        >>> [len(table) for table in tables_of(regular())]
        [257, 256, 32769, 161, 256]
    """
    tables = _narrow_logistic_cdf(), inverse_scales(), exp2_weights()
    return axis.boundaries, axis.centres, *tables


def _checked(
    weights: Ints, locations: Ints, scales: Ints, x: Ints, axis: Axis | int, top: int | None = None
) -> tuple[Ints, Ints, Ints, Ints, Axis]:
    """The arrays as int64, and the axis. Raises ValueError on wrong shapes and
    unless x lies in 0..top - 1 (by default, the values of the axis).
    """
    w, m, s, x = as_int64(weights), as_int64(locations), as_int64(scales), as_int64(x)
    if w.ndim != 2 or not w.shape == m.shape == s.shape or x.shape != w.shape[:1] or not w.shape[1]:
        raise ValueError(
            f"expected three arrays (N, K) and one (N,); found {w.shape}, {m.shape}, {s.shape} "
            f"and {x.shape}"
        )
    if s.size and (s.min() < 0 or s.max() >= SCALES):
        raise ValueError(f"scale indices lie in 0..{SCALES - 1}; found {s.min()} to {s.max()}")
    axis = regular(axis) if isinstance(axis, int) else axis
    top = axis.n if top is None else top
    if x.size and (x.min() < 0 or x.max() >= top):
        raise ValueError(f"values lie in 0..{top - 1}; found {x.min()} to {x.max()}")
    return w, m, s, x, axis


def _chunks(n: int) -> Iterator[slice]:
    """Slices of at most CHUNK symbols."""
    return (slice(first, min(first + CHUNK, n)) for first in range(0, n, CHUNK))


def _transposed(weights: Ints, locations: Ints, scales: Ints) -> tuple[Ints, Ints, Ints]:
    """Weights, locations and inverse scales as `(K, N)`: numpy's loops are faster along the long
    axis.
    """
    return (
        np.ascontiguousarray(weights.T),
        np.ascontiguousarray(locations.T),
        inverse_scales()[np.ascontiguousarray(scales.T)],
    )


def _components(locations: Ints, inverse: Ints, x: Ints, boundaries: Ints) -> Ints:
    """T_k(x), the CDF of every component, int64 `(K, N)`."""
    index: Ints = boundaries[x] - (locations << FINER)
    index *= inverse
    index >>= 12 + FINER
    index += LOGISTIC_HALF
    np.clip(index, 0, 2 * LOGISTIC_HALF, out=index)
    mass: Ints = logistic_cdf_table()[index]
    mass *= x > 0
    mass[:, x == len(boundaries) - 1] = 1 << LOGISTIC_BITS
    return mass


def _scaled(mass: Ints, x: Ints, boundaries: Ints) -> Ints:
    """F(x) from S(x)."""
    return ((mass * ((1 << PRECISION) - (len(boundaries) - 1))) >> MASS_BITS) + x


def _cdf(weights: Ints, locations: Ints, inverse: Ints, x: Ints, boundaries: Ints) -> Ints:
    """F(x)."""
    mass = _components(locations, inverse, x, boundaries)
    mass *= weights
    return _scaled(mass.sum(0), x, boundaries)


def _normalised(raw: Ints) -> Ints:
    """`normalise` of arrays `(K, N)`."""
    weights: Ints = (raw << WEIGHT_BITS) // raw.sum(0)
    remainder = (1 << WEIGHT_BITS) - weights.sum(0)
    weights[raw.argmax(0), np.arange(raw.shape[1])] += remainder
    return weights


def logistic_mixture(
    weights: Ints, locations: Ints, scales: Ints, axis: Axis | int = 256
) -> Distribution:
    """A mixture of K logistics on the values 0..n-1 of a sample, laid out by `axis` (an integer n
    stands for `sample_grid.regular(n)`).

    `weights` sum to 2^16, `locations` are in 1/32 grey level, `scales` are indices of
    `tables.inverse_scales`; all are int64 `(items, dims, K)`.

    Examples:
        >>> w, m, s = np.array([[[1 << 16]]]), np.array([[[32 * 100]]]), np.array([[[64]]])
        >>> logistic_mixture(w, m, s).bits(np.array([[100]])).round(2)  # logistic at 100, scale 1
        array([2.03])
    """
    shape = shape_of(weights[..., 0])
    w, m, s = (
        as_int64(part).reshape(-1, weights.shape[-1]) for part in (weights, locations, scales)
    )
    return factorised(
        lambda x: interval(w, m, s, x, axis),
        lambda cf, first, last: symbol(
            w[first:last], m[first:last], s[first:last], as_int64(cf), axis
        ),
        shape,
        PRECISION,
    )
