"""F(i) = floor(Phi((b_i - mean) / sigma) (2^24 - n)) + i: a Gaussian q(u) over the n = 2^P bins
[b_i, b_(i+1)) of equal mass under N(0, 1).

The latent u is in units of its prior N(0, 1), which then costs exactly P bits a dimension: its
intervals are those of a uniform distribution, `[i, i + 1)` out of 2^P. The mean is in 1/128 within
+-4096, sigma an index 0..56 of `tables.inverse_sigmas`, boundaries b_i are in 2^-16. F(0) = 0 and
F(n) = 2^24 are forced. Arrays are int64 of one shape. Functions raise ValueError on wrong shapes
and on parameters out of range.

With `interpolated`, Phi is linear between the entries of its table, which are 1/1024 sigma apart,
instead of constant. Without it, a bin spans few steps of the table where q is wide and bins are
fine: q = prior then costs 0.013 bit a dimension at P = 10 and 0.33 at P = 12; with it 5e-5 at most.

Source of equal-mass bins: Townsend, Bird and Barber 2019 (arXiv:1901.04866).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbans.coding.blocks import RowLocator
from bbans.coding.rans import Message, tail_words, take_words, underflow
from bbans.distributions import uniform
from bbans.distributions.distribution import (
    Distribution,
    checked_symbols,
    factorised,
    one_row,
    shape_of,
)
from bbans.distributions.inverse_cdf import Ints, as_int64, invert
from bbans.distributions.tables import (
    GAUSSIAN_BITS,
    GAUSSIAN_HALF,
    SIGMAS,
    gaussian_cdf_table,
    inverse_sigmas,
    standard_normal_bins,
)
from bbans.exact.engines import native

PRECISION = 24
MEAN_LIMIT = 2**12  # keeps (b - mean) / sigma below 2^44


def interval(
    mean: Ints, sigma: Ints, latent_precision: int, i: Ints, interpolated: bool = False
) -> tuple[Ints, Ints]:
    """Returns `(start, freq)` of bin i, int64 out of 2^24.

    Examples:
        >>> mean, sigma = np.array([0]), np.array([48])  # N(0, 1), as the prior: equal masses
        >>> _, freq = interval(mean, sigma, 10, np.array([512]), interpolated=True)
        >>> (freq / 2**24 * 2**10).round(2)
        array([1.])
    """
    m, inverse, i = _checked(mean, sigma, i)
    start = _cdf(m, inverse, latent_precision, i, interpolated)
    return start, _cdf(m, inverse, latent_precision, i + 1, interpolated) - start


def symbol(
    mean: Ints, sigma: Ints, latent_precision: int, cf: Ints, interpolated: bool = False
) -> tuple[Ints, Ints, Ints]:
    """Returns `(i, start, freq)` of the bin whose interval contains cf in [0, 2^24): the inverse of
    `interval`.

    Examples:
        >>> symbol(np.array([0]), np.array([48]), 10, np.array([1 << 23]), interpolated=True)[0]
        array([512])
    """
    m, inverse, cf = _checked(mean, sigma, cf)
    return invert(
        lambda i: _cdf(m, inverse, latent_precision, i, interpolated),
        cf,
        1 << latent_precision,
        1 << PRECISION,
    )


@dataclass(frozen=True)
class Locator(RowLocator):
    """Decodes bins, as `coding.blocks.pop_block` asks for it: by `symbol` for every row of lanes,
    or by the compiled core for all rows at once.

    mean, sigma: `(N,)`, as for `symbol`.

    Examples:
        >>> from bbans.coding.blocks import pop_block
        >>> from bbans.coding.rans import pseudo_random_message
        >>> find = Locator(np.zeros(3, np.int64), np.full(3, 48), 10, interpolated=True)
        >>> len(pop_block(pseudo_random_message((1,), 9, seed=0), 3, PRECISION, find)[1])
        3
    """

    mean: Ints
    sigma: Ints
    latent_precision: int
    interpolated: bool = False

    def __call__(self, cf: NDArray[Any], first: int, last: int) -> tuple[Ints, Ints, Ints]:
        """Return bins first..last-1 and their intervals."""
        part = slice(first, last)
        return symbol(
            self.mean[part], self.sigma[part], self.latent_precision, cf, self.interpolated
        )

    def pop_rows(self, message: Message, first: int, last: int) -> tuple[Message, Ints] | None:
        """Pop bins first..last-1 in the compiled core; return the message and the bins, or None
        where the core is not used.

        Raises UnderflowError if the message holds too few words.
        """
        if (core := native()) is None:
            return None
        part = slice(first, last)
        mean, inverse, _ = _checked(self.mean[part], self.sigma[part], self.sigma[part])
        bins = np.empty_like(mean)
        head = message[0].copy()
        words, rest = take_words(message[1], min(last - first, tail_words(message[1])))
        boundaries = standard_normal_bins(self.latent_precision)[0]
        taken = core.pop_bins(
            head, words, mean, inverse, boundaries, gaussian_cdf_table(), self.interpolated, bins
        )
        if taken < 0:
            raise underflow(1)
        return (head, (words[taken:], rest) if taken < len(words) else rest), bins


def value(latent_precision: int, i: Ints) -> Ints:
    """Returns the value u of bin i, its median under N(0, 1), in 1/128; int64 of i's shape.

    Examples:
        >>> value(10, np.array([512, 0]))  # the smallest is Phi^-1(2^-11) = -3.3
        array([   0, -422])
    """
    return standard_normal_bins(latent_precision)[1][as_int64(i)]


def middle(shape: tuple[int, ...], latent_precision: int) -> Ints:
    """Returns the bin just above the median of N(0, 1), 2^(latent_precision - 1), int64 of `shape`.

    Examples:
        >>> middle((1, 2), 10)
        array([[512, 512]])
    """
    return np.full(shape, 1 << (latent_precision - 1), np.int64)


def _checked(mean: Ints, sigma: Ints, x: Ints) -> tuple[Ints, Ints, Ints]:
    """Means, inverse sigmas and x as int64. Raises ValueError on wrong shapes and ranges."""
    m, s, x = as_int64(mean), as_int64(sigma), as_int64(x)
    if not m.shape == s.shape == x.shape:
        raise ValueError(f"expected arrays of one shape; found {m.shape}, {s.shape}, {x.shape}")
    if s.size and (s.min() < 0 or s.max() >= SIGMAS):
        raise ValueError(f"sigma indices lie in 0..{SIGMAS - 1}; found {s.min()} to {s.max()}")
    if m.size and (m.min() < -MEAN_LIMIT or m.max() > MEAN_LIMIT):
        raise ValueError(f"means lie within +-{MEAN_LIMIT}; found {m.min()} to {m.max()}")
    return m, inverse_sigmas()[s], x


def _cdf(mean: Ints, inverse: Ints, latent_precision: int, i: Ints, interpolated: bool) -> Ints:
    """F(i)."""
    n = 1 << latent_precision
    # (b 2^-16 - m 2^-7) / sigma in steps of 2^-10, with 1 / sigma = inverse 2^-16: a shift by
    # 16 + 16 - 10 bits
    distance = (standard_normal_bins(latent_precision)[0][i] - (mean << 9)) * inverse
    index = GAUSSIAN_HALF + (distance >> 22)
    table = gaussian_cdf_table()
    mass = table.take(index, mode="clip")  # 2 GAUSSIAN_HALF + 1 entries
    if interpolated:
        above = table.take(index + 1, mode="clip")
        mass = mass + ((above - mass) * ((distance >> 12) & 1023) >> 10)
    mass = np.where(i <= 0, 0, np.where(i >= n, 1 << GAUSSIAN_BITS, mass))
    return ((mass * ((1 << PRECISION) - n)) >> GAUSSIAN_BITS) + i


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
        x, starts, freqs = uniform.symbol(as_int64(cf), n, latent_precision)
        return bit_reversed[x], starts, freqs

    return factorised(
        lambda x: uniform.interval(bit_reversed[checked_symbols(x, n)], n, latent_precision),
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
    shape = shape_of(mean)
    m, s = one_row(mean), one_row(sigma)
    return factorised(
        lambda i: interval(
            m, s, latent_precision, checked_symbols(i, 1 << latent_precision), interpolated=True
        ),
        Locator(m, s, latent_precision, interpolated=True),
        shape,
        PRECISION,
    )
