"""Distributions of independent symbols int64 `(items, dims)`, one function for each family.

Parameters are integers as a model's networks emit them: arrays int64 `(items, dims)`, or `(items,
dims, K)` where a symbol has K of them. The result is a `Distribution`, with which a scheme pushes
and pops. Its functions raise ValueError on parameters and symbols that the module of the family
refuses.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from bbans.distributions import bernoulli as bits
from bbans.distributions import beta_binomial as beta
from bbans.distributions import categorical as classes
from bbans.distributions import gaussian_bins, mixture
from bbans.distributions import normal_cells as whole
from bbans.distributions import uniform as even
from bbans.distributions.distribution import Distribution, Ints, factorised
from bbans.distributions.inverse_cdf import as_int64
from bbans.distributions.sample_grid import Axis

UNIFORM_PRECISION = 24
"""Precision in bits of `uniform` where n is no power of two."""


def uniform(shape: tuple[int, int], n: int) -> Distribution:
    """P(x) = 1 / n on 0..n-1, n <= 2^24, for symbols of this shape.

    A symbol costs exactly log2 n bits if n is a power of two, and otherwise log2 n to within n
    2^-24 bits.

    Examples:
        >>> uniform((2, 3), 8).bits(np.zeros((2, 3), np.int64))
        array([9., 9.])
    """
    precision = (n - 1).bit_length() if n & (n - 1) == 0 else UNIFORM_PRECISION
    return factorised(
        lambda x: even.interval(_below(x, n), n, precision),
        lambda cf, *_: even.symbol(cf, n, precision),
        shape,
        precision,
    )


def standard_normal(shape: tuple[int, int], latent_precision: int) -> Distribution:
    """p(u) = N(0, 1) over its 2^latent_precision bins of equal mass: exactly latent_precision bits
    a dimension.

    A symbol is the index of a bin, and is pushed with its bits in reverse order. When items are
    coded one after the other, the bits that this prior pushes are the first that the next item's
    posterior pops. They are not uniform: the latents of a data set follow the average of their
    posteriors, which differs from the prior, and the highest bits of an index differ most. With the
    order reversed, the posterior's quantile is selected by the lowest bits of an index, which lie
    far inside a posterior's width. Without it, measured net rates exceeded the ideal by up to 1 %
    (`docs/decisions/0013-clean-bits.md`).

    Examples:
        >>> standard_normal((1, 2), 10).bits(np.array([[0, 512]]))
        array([20.])
    """
    n = 1 << latent_precision
    bit_reversed = reversed_bits(latent_precision)

    def symbol(cf: Ints, first: int, last: int) -> tuple[Ints, Ints, Ints]:
        x, starts, freqs = even.symbol(as_int64(cf), n, latent_precision)
        return bit_reversed[x], starts, freqs

    return factorised(
        lambda x: even.interval(bit_reversed[_below(x, n)], n, latent_precision),
        symbol,
        shape,
        latent_precision,
    )


@lru_cache(maxsize=8)
def reversed_bits(bits: int) -> Ints:
    """Returns the integers 0..2^bits - 1 with their bits in reverse order, int64 `(2^bits,)`: a
    permutation that is its own inverse.

    Examples:
        >>> reversed_bits(2)
        array([0, 2, 1, 3])
    """
    x = np.arange(1 << bits, dtype=np.int64)
    order: Ints = sum(((x >> i) & 1) << (bits - 1 - i) for i in range(bits))  # type: ignore[assignment]
    order.setflags(write=False)
    return order


def cells(items: int, steps: Ints, latent_precision: int) -> Distribution:
    """p(u) = N(0, 1) over a grid of equal cells, that of dimension d of width steps[d] / 128;
    `steps` is int64 `(dims,)`.

    A symbol is the index of a cell, 0 for the cell around u = 0; its mass is that of the bins of
    `standard_normal` in it. `interval` raises ValueError on a cell that contains no bin.

    Examples:
        >>> cells(1, np.array([128]), 10).bits(np.array([[0]])).round(2)  # -log2 P(|u| < 1/2)
        array([1.39])
    """
    widths = np.tile(steps, items)

    def interval(cell: Ints) -> tuple[Ints, Ints]:
        start, freq = whole.interval(cell, widths, latent_precision)
        if not freq.all():
            raise ValueError("a symbol is a cell that holds a bin; found one beyond the outermost")
        return start, freq

    return factorised(
        interval,
        lambda cf, first, last: whole.symbol(as_int64(cf), widths[first:last], latent_precision),
        (items, len(steps)),
        latent_precision,
    )


def gaussian(mean: Ints, sigma: Ints, latent_precision: int) -> Distribution:
    """N(mean / 128, sigma^2) over the 2^latent_precision bins of equal mass under N(0, 1): a
    posterior q(u), or a prior p(u) given other latents.

    `mean` is in units of 1/128, `sigma` an index of `tables.inverse_sigmas`. A symbol is the index
    of a bin.

    Examples:
        >>> standard = gaussian(np.array([[0]]), np.array([[48]]), 10)  # sigma = 2^(48 / 8 - 6) = 1
        >>> standard.bits(np.array([[512]])).round(2)
        array([10.])
    """
    shape = _shape(mean)
    m, s = _flat(mean), _flat(sigma)
    return factorised(
        lambda i: gaussian_bins.interval(
            m, s, latent_precision, _below(i, 1 << latent_precision), interpolated=True
        ),
        lambda cf, first, last: gaussian_bins.symbol(
            m[first:last], s[first:last], latent_precision, as_int64(cf), interpolated=True
        ),
        shape,
        gaussian_bins.PRECISION,
    )


def bernoulli(logits: Ints) -> Distribution:
    """P(1) = 1 / (1 + exp(-logit / 64)): bits with log-odds `logits` in 1/64 nat.

    Examples:
        >>> bernoulli(np.array([[0, 0]])).bits(np.array([[0, 1]]))
        array([2.])
    """
    shape, l = _shape(logits), _flat(logits)
    return factorised(
        lambda x: bits.interval(l, x),
        lambda cf, first, last: bits.symbol(l[first:last], as_int64(cf)),
        shape,
        bits.PRECISION,
    )


def categorical(logits: Ints) -> Distribution:
    """P(x) proportional to 2^(logits[x] / 16): symbols 0..K-1 with logits `(items, dims, K)`.

    Examples:
        >>> categorical(np.zeros((1, 1, 4), np.int64)).bits(np.array([[2]])).round(3)
        array([2.])
    """
    shape = _shape(logits[..., 0])
    l = as_int64(logits).reshape(-1, logits.shape[-1])
    return factorised(
        lambda x: classes.interval(l, x),
        lambda cf, first, last: classes.symbol(l[first:last], as_int64(cf)),
        shape,
        classes.PRECISION,
    )


def lookup(table: Ints, rows: Ints) -> Distribution:
    """Categorical symbols 0..K-1 whose distributions are rows of a table: symbol (i, d) has the CDF
    `table[rows[i, d]]`.

    `table` is int64 `(R, K + 1)`, as `categorical.from_weights` returns it; `rows` is int64
    `(items, dims)`.

    Examples:
        >>> table = classes.from_weights(np.array([[1, 1, 2]]))
        >>> lookup(table, np.array([[0, 0]])).bits(np.array([[0, 2]])).round(3)
        array([3.])
    """
    shape, r = _shape(rows), _flat(rows)
    return factorised(
        lambda x: classes.table_interval(table, r, x),
        lambda cf, first, last: classes.table_symbol(table, r[first:last], as_int64(cf)),
        shape,
        classes.PRECISION,
    )


def beta_binomial(a: Ints, b: Ints, n: int = 256) -> Distribution:
    """A beta-binomial distribution on 0..n-1, n <= 256; a and b are parameter indices as in the
    module `beta_binomial`, where 128 stands for 1.

    Examples:
        >>> one = np.array([[128]])
        >>> beta_binomial(one, one).bits(np.array([[200]])).round(3)  # a = b = 1: uniform
        array([8.])
    """
    shape, a, b = _shape(a), _flat(a), _flat(b)
    return factorised(
        lambda x: beta.interval(a, b, x, n),
        lambda cf, first, last: beta.symbol(a[first:last], b[first:last], as_int64(cf), n),
        shape,
        beta.PRECISION,
    )


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
    shape = _shape(weights[..., 0])
    w, m, s = (
        as_int64(part).reshape(-1, weights.shape[-1]) for part in (weights, locations, scales)
    )
    return factorised(
        lambda x: mixture.interval(w, m, s, x, axis),
        lambda cf, first, last: mixture.symbol(
            w[first:last], m[first:last], s[first:last], as_int64(cf), axis
        ),
        shape,
        mixture.PRECISION,
    )


def _flat(values: Ints) -> Ints:
    """The parameters in one row."""
    return as_int64(values).reshape(-1)


def _shape(values: Ints) -> tuple[int, int]:
    """`(items, dims)`. Raises ValueError on another number of axes."""
    if values.ndim != 2:
        raise ValueError(f"expected parameters for (items, dims); found an array {values.shape}")
    return values.shape[0], values.shape[1]


def _below(x: Ints, n: int) -> Ints:
    """The symbols. Raises ValueError unless they lie in 0..n-1."""
    if x.size and (x.min() < 0 or x.max() >= n):
        raise ValueError(f"values lie in 0..{n - 1}; found {x.min()} to {x.max()}")
    return x
