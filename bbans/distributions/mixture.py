"""F(x) = floor(S(x) (2^22 - n) / 2^40) + x, S(x) = sum_k w_k T((b_x - m_k) / s_k): a mixture of
logistics on 0..n-1.

T is the integer table of the logistic CDF, in which 2^24 stands for 1. Weights w sum to 2^16,
locations m are in 1/32 grey level, scales are indices of `tables.inverse_scales`, and b_x is the
lower boundary of value x on the grey scale (`sample_grid.Axis`; x - 1/2 for 8-bit samples). S is
forced to 0 at x = 0 and to 2^40 at x = n, so that F(0) = 0 and F(n) = 2^22. S never decreases, so
that the term x gives every value a frequency of at least 1. All arithmetic is int64, and no
intermediate exceeds 2^62.

If numba is installed, it computes the same integers faster; BBANS_NUMBA=0 in the environment
disables it. `weights`, `locations` and `scales` are int64 `(N, K)`; `x`, `cf` and results are int64
`(N,)`; an integer n for `axis` stands for `sample_grid.regular(n)`. Functions raise ValueError on
wrong shapes, and on scale indices and values out of range.

Source of the family: Salimans et al. 2017 (arXiv:1701.05517).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from types import ModuleType

import numpy as np

from bbans.distributions.distribution import Distribution, factorised, shape_of
from bbans.distributions.inverse_cdf import Ints, as_int64, invert
from bbans.distributions.sample_grid import UNIT, Axis, regular
from bbans.distributions.tables import (
    LOGISTIC_BITS,
    LOGISTIC_HALF,
    SCALES,
    inverse_scales,
    logistic_cdf_table,
)

PRECISION = 22
WEIGHT_BITS = 16
MASS_BITS = WEIGHT_BITS + LOGISTIC_BITS
FINER = UNIT - 5  # a boundary's fractional bits beyond those of a location
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
    w, m, s, x, boundaries = _checked(weights, locations, scales, x, axis)
    start, freq = np.empty_like(x), np.empty_like(x)
    if (fast := accelerator()) is not None:
        fast.interval(w, m, s, x, boundaries, logistic_cdf_table(), inverse_scales(), start, freq)
        return start, freq
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
    w, m, s, cf, boundaries = _checked(weights, locations, scales, cf, axis, 1 << PRECISION)
    x, start, freq = np.empty_like(cf), np.empty_like(cf), np.empty_like(cf)
    if (fast := accelerator()) is not None:
        fast.symbol(w, m, s, cf, boundaries, logistic_cdf_table(), inverse_scales(), x, start, freq)
        return x, start, freq
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
    w, m, s, x, boundaries = _checked(weights, locations, scales, x, axis)
    start, freq, after = np.empty_like(x), np.empty_like(x), np.empty_like(w)
    if (fast := accelerator()) is not None:
        fast.interval_and_condition(
            w, m, s, x, boundaries, logistic_cdf_table(), inverse_scales(), start, freq, after
        )
        return start, freq, after
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
    if (fast := accelerator()) is not None:
        fast.normalise(raw, weights)
        return weights
    for part in _chunks(len(raw)):
        weights[part] = _normalised(np.ascontiguousarray(raw[part].T)).T
    return weights


def accelerator() -> ModuleType | None:
    """Returns the module of numba kernels, or None if numba is not installed or BBANS_NUMBA=0.

    Examples:
        >>> kernels = accelerator()
        >>> kernels is None or kernels.PRECISION == PRECISION
        True
    """
    return None if os.environ.get("BBANS_NUMBA") == "0" else _import_accelerator()


@cache
def _import_accelerator() -> ModuleType | None:
    """The module of numba kernels, or None if it cannot be imported."""
    try:
        from bbans.distributions import mixture_numba
    except (ImportError, RuntimeError):  # not installed, or too old for this numpy
        return None
    return mixture_numba


def _checked(
    weights: Ints, locations: Ints, scales: Ints, x: Ints, axis: Axis | int, top: int | None = None
) -> tuple[Ints, Ints, Ints, Ints, Ints]:
    """The arrays as int64 and the boundaries of the axis. Raises ValueError on wrong shapes and
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
    boundaries = (regular(axis) if isinstance(axis, int) else axis).boundaries
    top = len(boundaries) - 1 if top is None else top
    if x.size and (x.min() < 0 or x.max() >= top):
        raise ValueError(f"values lie in 0..{top - 1}; found {x.min()} to {x.max()}")
    return w, m, s, x, boundaries


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
