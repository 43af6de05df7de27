"""P(i) = the share of the 2^P bins of equal mass under N(0, 1) whose medians lie in [(i - 1/2) D,
(i + 1/2) D): the standard normal on a grid of equal cells.

Medians and D are integers in 1/128; the bins are those of `gaussian_bins`. So a cell's interval is
that of its bins, `[first, last + 1)` out of 2^P, and its mass is theirs under the prior. Cell 0
lies around u = 0. A cell that contains no bin, as in the tails of fine grids, has frequency 0 and
is no symbol. Arrays are int64 of one shape.
"""

from __future__ import annotations

import numpy as np

from bbans.distributions.distribution import Distribution, factorised
from bbans.distributions.inverse_cdf import Ints, as_int64
from bbans.distributions.tables import standard_normal_bins


def cell_of(u: Ints, step: Ints) -> Ints:
    """floor(u / D + 1/2): returns the cell that contains u, in 1/128, on the grid of width D =
    step.

    Examples:
        >>> cell_of(np.array([0, 63, 64]), np.array([128, 128, 128]))
        array([0, 0, 1])
    """
    return (2 * u + step) // (2 * step)


def interval(cell: Ints, step: Ints, latent_precision: int) -> tuple[Ints, Ints]:
    """Returns `(start, freq)` of a cell out of 2^latent_precision; freq is 0 if the cell contains
    no bin.

    Examples:
        >>> [a.tolist() for a in interval(np.array([0]), np.array([128]), 10)]
        [[315], [392]]
    """
    medians = standard_normal_bins(latent_precision)[1]
    start = np.searchsorted(medians, -((step - 2 * step * cell) // 2), "left")
    return start, np.searchsorted(medians, -((-step - 2 * step * cell) // 2), "left") - start


def symbol(cf: Ints, step: Ints, latent_precision: int) -> tuple[Ints, Ints, Ints]:
    """Returns `(cell, start, freq)` of the interval that contains cf in [0, 2^latent_precision):
    the inverse of `interval`.

    Examples:
        >>> symbol(np.array([400]), np.array([128]), 10)[0]
        array([0])
    """
    cell = cell_of(standard_normal_bins(latent_precision)[1][cf], step)
    return cell, *interval(cell, step, latent_precision)


def bin_at(u: Ints, latent_precision: int) -> Ints:
    """Returns the index of the bin whose median is nearest to u, in 1/128; of two equally near, the
    lower.

    Examples:
        >>> bin_at(np.array([128]), 10)  # u = 1, and Phi(1) 2^10 = 861.5
        array([861])
    """
    medians = standard_normal_bins(latent_precision)[1]
    above = np.searchsorted(medians, u, "left").clip(1, len(medians) - 1)
    nearest: Ints = above - (u - medians[above - 1] <= medians[above] - u)
    return nearest


def centre(cell: Ints, step: Ints, latent_precision: int) -> Ints:
    """Returns the index of the bin in the middle of a cell, which must contain at least one bin.

    Examples:
        >>> centre(np.array([1]), np.array([128]), 10)
        array([861])
    """
    start, freq = interval(cell, step, latent_precision)
    return bin_at(cell * step, latent_precision).clip(start, start + freq - 1)


def cells(items: int, steps: Ints, latent_precision: int) -> Distribution:
    """p(u) = N(0, 1) over a grid of equal cells, that of dimension d of width steps[d] / 128;
    `steps` is int64 `(dims,)`.

    A symbol is the index of a cell, 0 for the cell around u = 0; its mass is that of the bins of
    `standard_normal` in it. Intervals raise ValueError on a cell that contains no bin.

    Examples:
        >>> cells(1, np.array([128]), 10).bits(np.array([[0]])).round(2)  # -log2 P(|u| < 1/2)
        array([1.39])
    """
    widths = np.tile(steps, items)

    def checked(cell: Ints) -> tuple[Ints, Ints]:
        start, freq = interval(cell, widths, latent_precision)
        if not freq.all():
            raise ValueError("a symbol is a cell that holds a bin; found one beyond the outermost")
        return start, freq

    return factorised(
        checked,
        lambda cf, first, last: symbol(as_int64(cf), widths[first:last], latent_precision),
        (items, len(steps)),
        latent_precision,
    )
