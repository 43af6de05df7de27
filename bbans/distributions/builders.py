"""Conditionals of independent symbols, from the families: parameters int64 `(items, dims)`, or
`(items, dims, K)`, symbols `(items, dims)`.

What a model's networks emit goes in, what a scheme pushes and pops with comes out. Each of them
raises ValueError as its family does.
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


def uniform(shape: tuple[int, int], n: int) -> Distribution:
    """P(x) = 1 / n, n <= 2^24: exactly log2 n bits a symbol when n is a power of two, within 2^-24
    n of it otherwise.
    """
    precision = (n - 1).bit_length() if n & (n - 1) == 0 else UNIFORM_PRECISION
    return factorised(
        lambda x: even.interval(_below(x, n), n, precision),
        lambda cf, *_: even.symbol(cf, n, precision),
        shape,
        precision,
    )


def standard_normal(shape: tuple[int, int], latent_precision: int) -> Distribution:
    """p(u) = N(0, 1) over its 2^latent_precision bins of equal mass: latent_precision bits a
    dimension, exactly.

    An index goes onto the message with its bits reversed. In a chain of items the next pop from q
    takes the bits that this prior pushed last. They are not uniform, since the u of a data set
    follow the mean of their posteriors, which is not the prior, and an index's top bits least so.
    Reversed, q's quantile is chosen by an index's lowest bits, which lie far inside a posterior's
    width; plain, measured net rates were up to 1 % over the ideal
    (`docs/decisions/0013-clean-bits.md`).
    """
    n = 1 << latent_precision
    turned = reversed_bits(latent_precision)

    def symbol(cf: Ints, first: int, last: int) -> tuple[Ints, Ints, Ints]:
        x, starts, freqs = even.symbol(as_int64(cf), n, latent_precision)
        return turned[x], starts, freqs

    return factorised(
        lambda x: even.interval(turned[_below(x, n)], n, latent_precision),
        symbol,
        shape,
        latent_precision,
    )


@lru_cache(maxsize=8)
def reversed_bits(bits: int) -> Ints:
    """The numbers 0..2^bits - 1 with their bits in reverse order, int64; its own inverse."""
    x = np.arange(1 << bits, dtype=np.int64)
    turned: Ints = sum(((x >> i) & 1) << (bits - 1 - i) for i in range(bits))  # type: ignore[assignment]
    turned.setflags(write=False)
    return turned


def cells(items: int, steps: Ints, latent_precision: int) -> Distribution:
    """p(u) = N(0, 1) over cells (`cells`): of dimension d those of width steps[d] / 128, int64
    `(dims,)`.
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
    """q(u) or p(u) over the bins of N(0, 1): mean in 1/128, sigma an index of
    `tables.inverse_sigmas`.
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
    """Bits whose log-odds are `logits`, in 1/64 nat."""
    shape, l = _shape(logits), _flat(logits)
    return factorised(
        lambda x: bits.interval(l, x),
        lambda cf, first, last: bits.symbol(l[first:last], as_int64(cf)),
        shape,
        bits.PRECISION,
    )


def categorical(logits: Ints) -> Distribution:
    """Symbols 0..K-1 of log2 probability logits / 16, to a constant; logits `(items, dims, K)`."""
    shape = _shape(logits[..., 0])
    l = as_int64(logits).reshape(-1, logits.shape[-1])
    return factorised(
        lambda x: classes.interval(l, x),
        lambda cf, first, last: classes.symbol(l[first:last], as_int64(cf)),
        shape,
        classes.PRECISION,
    )


def lookup(table: Ints, rows: Ints) -> Distribution:
    """Symbols of the distributions that `rows` names in a table of CDFs `(R, K + 1)`, as
    `categorical.from_weights` makes them.
    """
    shape, r = _shape(rows), _flat(rows)
    return factorised(
        lambda x: classes.table_interval(table, r, x),
        lambda cf, first, last: classes.table_symbol(table, r[first:last], as_int64(cf)),
        shape,
        classes.PRECISION,
    )


def beta_binomial(a: Ints, b: Ints, n: int = 256) -> Distribution:
    """Samples 0..n-1 from parameter indices a and b of `beta_binomial`."""
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
    """Samples 0..n-1 from a mixture of logistics; parameters `(items, dims, K)`, weights that sum
    to 2^16, as in `mixture`.
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
    return as_int64(values).reshape(-1)


def _shape(values: Ints) -> tuple[int, int]:
    if values.ndim != 2:
        raise ValueError(f"expected parameters for (items, dims); found an array {values.shape}")
    return values.shape[0], values.shape[1]


def _below(x: Ints, n: int) -> Ints:
    if x.size and (x.min() < 0 or x.max() >= n):
        raise ValueError(f"values lie in 0..{n - 1}; found {x.min()} to {x.max()}")
    return x
