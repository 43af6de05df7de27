"""Net rate = -log2 p(x | c) - log2 P(cell of c): two-part codes, where the encoder chooses a cell
of latent space, codes the cell, and codes x given its centre c.

Nothing is popped, so there are no initial bits, and a single item costs hardly more than -ELBO.
With cells of width D and a posterior of standard deviation sigma, a latent costs -log2 D and the
likelihood loses D^2 / (24 sigma^2) nats. Bits back gets -log2(sigma sqrt(2 pi e)) and loses half a
nat. At the best width D = sqrt(12) sigma the difference is log2(2 pi e / 12) / 2 = 0.2546 bits per
latent, the space-filling loss of scalar quantisation, in exchange for not having to sample from q.

The cells of a latent have equal widths, and the probability of a cell is its prior mass. Cells
should be wide where q is wide, and the decoder must know the widths before x. They are therefore
computed from the posteriors of samples of the model itself, times a fineness that the encoder
chooses and sends. A latent whose posterior equals its prior has a single cell and costs nothing.

Sources: two-part codes: Wallace and Boulton 1968, Rissanen 1978; bits back as the remedy of their
redundancy: Hinton and van Camp 1993; the space-filling loss: Gish and Pierce 1968. Cells from the
model's own samples are new here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, cast

import numpy as np

from bbans.coding.codec import Codec
from bbans.coding.rans import Message
from bbans.distributions import normal_cells
from bbans.distributions.distribution import Distribution, Ints
from bbans.distributions.tables import SIGMAS, inverse_sigmas, standard_normal_bins
from bbans.models.base import DiagonalGaussianModel, LatentModel
from bbans.schemes import sampling
from bbans.schemes.metering import PRIOR, Record, Scheme, check_items, generative, metered
from bbans.schemes.wrapped import unwrapped

FINENESS = 5
"""The best fineness of most images."""
FINENESSES = 16
SAMPLES, LANES = 4, 64
"""Number of samples of the model from which cell widths are computed, and lanes of the sampling.
Part of the file format, as are the seeds in `grid`.
"""
WORDS = 2**12
"""Words of the random message to sample x from. Sampling restarts with more where these do not
suffice, which is slow for autoregressive networks.
"""
SIGMA_ONE = 48
"""Sigma index of a posterior as wide as the prior."""
PRIOR_MARGIN = 5
"""A posterior counts as the prior if its sigma indices, summed over the samples, are fewer than
this many eighths of an octave below those of the prior.
"""
COARSEST_EIGHTHS = 24
"""Cells of fineness 0 are this many eighths of an octave wider than the posterior."""
ALL = 2**14
"""Width of a cell that covers the whole latent."""


@dataclass(frozen=True)
class Grid:
    """Cell widths of a model's latents, before the fineness.

    widths: log2 of the width of each latent's posterior over 2^-6, in eighths, int64 `(latents,)`;
    -1 where the posterior equals the prior.
    """

    widths: Ints
    latent_precision: int

    def steps(self, fineness: int) -> Ints:
        """Return the widths of cells in 1/128, int64 `(latents,)`.

        A step of `fineness` divides the widths by 2^(1/4).
        """
        # log2 of the width in eighths, over 1/128: 8 converts from units of 2^-6. At least 2.
        exponent = self.widths.clip(0) + 8 + COARSEST_EIGHTHS - 2 * fineness
        whole, eighths = np.divmod(exponent, 8)
        steps = np.maximum(1, inverse_sigmas()[SIGMAS - 1 - eighths] << whole >> 15)
        return np.where(self.widths < 0, ALL, steps)

    def prior(self, items: int, fineness: int) -> Distribution:
        """Return P(cell), the distribution of the cells of `items` items."""
        return normal_cells.cells(items, self.steps(fineness), self.latent_precision)

    def cells(self, mean: Ints, fineness: int) -> Ints:
        """Return the cells that contain the bins nearest to means in 1/128; both int64 `(items,
        latents)`.
        """
        medians = standard_normal_bins(self.latent_precision)[1]
        return normal_cells.cell_of(
            medians[normal_cells.bin_at(mean, self.latent_precision)], self.steps(fineness)
        )

    def centres(self, cells: Ints, fineness: int) -> Ints:
        """Return the bins at the centres of cells; both int64 `(items, latents)`."""
        return normal_cells.centre(
            cells, np.broadcast_to(self.steps(fineness), cells.shape), self.latent_precision
        )


def grid(model: LatentModel) -> Grid:
    """Compute the grid of a model with diagonal Gaussian posteriors, the same on every machine.

    The grid of a refined model is that of the model without refinement.

    Examples:
        >>> from bbans.models.analytic import LinearGaussian
        >>> grid(LinearGaussian(latents=8, k=3)).widths.shape
        (8,)
    """
    base = _gaussian(unwrapped(model))
    z = sampling.sample_distribution(base.prior(SAMPLES), (0, 1), LANES)
    x = sampling.sample_distribution(base.likelihood(0, z), (0, 0), LANES, WORDS)
    _, sigma, precision = base.gaussians(x)
    total = sigma.sum(0)
    return Grid(
        np.where(SIGMA_ONE * SAMPLES - total < PRIOR_MARGIN, -1, (total + SAMPLES // 2) // SAMPLES),
        precision,
    )


def codec(
    model: LatentModel,
    items: int,
    record: Record | None = None,
    fineness: int = FINENESS,
    computed_grid: Grid | None = None,
) -> Codec:
    """Build the two-part codec of samples x int64 `(items, dims)`.

    `record`, if given, receives the bits of every step. The model may be refined: only the encoder
    evaluates its posterior means. `computed_grid` is the model's grid, if it is available.

    Examples:
        >>> from bbans.coding.rans import base_message
        >>> from bbans.models.analytic import LinearGaussian
        >>> from bbans.schemes import sampling
        >>> model = LinearGaussian(latents=8, k=3)
        >>> x = sampling.sample_items(model, 4)
        >>> (message,) = codec(model, 4).push(base_message((1,)), x)
        >>> bool((codec(model, 4).pop(message)[1] == x).all())
        True
    """

    def push(message: Message, x: Ints) -> tuple[Message]:
        check_items(x, items)
        cell_grid = computed_grid or grid(model)
        cells = cell_grid.cells(_gaussian(model).gaussians(x)[0], fineness)
        (message,) = generative(model, 0, cell_grid.centres(cells, fineness), record).push(
            message, x
        )
        return metered(cell_grid.prior(items, fineness), PRIOR, record).push(message, cells)

    def pop(message: Message) -> tuple[Message, Ints]:
        cell_grid = computed_grid or grid(model)
        message, cells = metered(cell_grid.prior(items, fineness), PRIOR, record).pop(message)
        return generative(model, 0, cell_grid.centres(cells, fineness), record).pop(message)

    return Codec(push, pop)


def scheme(fineness: int, computed_grid: Grid | None = None) -> Scheme:
    """Return the scheme with cells of a `fineness` from 0 to 15; `computed_grid` as in `codec`.

    Raises ValueError on another fineness.

    Examples:
        >>> from bbans.coding.rans import base_message
        >>> from bbans.models.analytic import LinearGaussian
        >>> model = LinearGaussian(latents=8, k=3)
        >>> x, coder = sampling.sample_items(model, 4), scheme(fineness=3)(model, 4, None)
        >>> (message,) = coder.push(base_message((1,)), x)
        >>> bool((coder.pop(message)[1] == x).all())
        True
    """
    if not 0 <= fineness < FINENESSES:
        raise ValueError(f"cells have a fineness of 0 to {FINENESSES - 1}; found {fineness}")
    return lambda model, items, record: codec(model, items, record, fineness, computed_grid)


class Best(NamedTuple):
    """Result of `best`: the best fineness for an item, the code length in bits, and the model's
    grid.
    """

    fineness: int
    bits: float
    grid: Grid


def best(model: LatentModel, x: Ints) -> Best:
    """Find the fineness with the shortest code for one item x int64 `(1, dims)`, by trying all.

    Examples:
        >>> from bbans.models.analytic import LinearGaussian
        >>> from bbans.schemes import sampling
        >>> model = LinearGaussian(latents=8, k=3)
        >>> 0 <= best(model, sampling.sample_items(model, 1)).fineness < FINENESSES
        True
    """
    cell_grid, mean = grid(model), _gaussian(model).gaussians(x)[0]
    cells = [cell_grid.cells(mean, fineness) for fineness in range(FINENESSES)]
    centres = np.concatenate([cell_grid.centres(c, fineness) for fineness, c in enumerate(cells)])
    prior = np.concatenate(
        [cell_grid.prior(1, fineness).bits(c) for fineness, c in enumerate(cells)]
    )
    totals = prior + model.likelihood(0, centres).bits(np.repeat(x, FINENESSES, 0))
    fineness = int(totals.argmin())
    return Best(fineness, float(totals[fineness]), cell_grid)


def _gaussian(model: LatentModel) -> DiagonalGaussianModel:
    """Return the model under its type with `gaussians`, without a check."""
    return cast(DiagonalGaussianModel, model)
