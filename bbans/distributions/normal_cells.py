"""P(i) = the share of the 2^P bins of equal mass under N(0, 1) whose medians lie in [(i - 1/2) D,
(i + 1/2) D): a grid of even cells.

Medians and D are integers in 1/128, the bins those of `latent`, so that a cell's interval is that
of its bins, `[first, last + 1)` out of 2^P, and its mass that of the prior. Cell 0 is around u = 0;
a cell without bins, in the tails of fine grids, has no symbol. int64 arrays of one shape.
"""

from __future__ import annotations

import numpy as np

from bbans.distributions.inverse_cdf import Ints
from bbans.distributions.tables import standard_normal_bins


def cell_of(u: Ints, step: Ints) -> Ints:
    """The cell of u in 1/128, for cells of width D = step."""
    return (2 * u + step) // (2 * step)


def interval(cell: Ints, step: Ints, latent_precision: int) -> tuple[Ints, Ints]:
    """`(start, freq)` of a cell out of 2^latent_precision; freq is 0 where no bin is in it."""
    medians = standard_normal_bins(latent_precision)[1]
    start = np.searchsorted(medians, -((step - 2 * step * cell) // 2), "left")
    return start, np.searchsorted(medians, -((-step - 2 * step * cell) // 2), "left") - start


def symbol(cf: Ints, step: Ints, latent_precision: int) -> tuple[Ints, Ints, Ints]:
    """`(cell, start, freq)` of the interval that holds cf in [0, 2^latent_precision)."""
    cell = cell_of(standard_normal_bins(latent_precision)[1][cf], step)
    return cell, *interval(cell, step, latent_precision)


def bin_at(u: Ints, latent_precision: int) -> Ints:
    """The bin whose median is nearest to u, in 1/128; the lower of two."""
    medians = standard_normal_bins(latent_precision)[1]
    above = np.searchsorted(medians, u, "left").clip(1, len(medians) - 1)
    found: Ints = above - (u - medians[above - 1] <= medians[above] - u)
    return found


def centre(cell: Ints, step: Ints, latent_precision: int) -> Ints:
    """The bin in the middle of a cell, which holds one at least."""
    start, freq = interval(cell, step, latent_precision)
    return bin_at(cell * step, latent_precision).clip(start, start + freq - 1)
