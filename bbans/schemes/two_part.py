"""Net rate = -log2 p(x | c) - log2 P(cell of c): latents at the centre of a cell that the encoder
chooses and pays for; nothing is popped.

So there are no initial bits, and a single item costs hardly more than -ELBO. In cells of width D
around a posterior of standard deviation sigma, the latent costs -log2 D and the likelihood loses
D^2 / 24 sigma^2 nats; bits back get -log2 sigma sqrt(2 pi e) and lose half a nat. At the best D =
sqrt(12) sigma what remains is log2(2 pi e / 12) / 2 = 0.2546 bits a latent, the space-filling loss
of scalar quantisation, in exchange for the draw from q that bits-back needs.

Cells of a latent are even, and have the prior's mass. They are wide where q is wide, and the
decoder must know that before x: it is taken from the posteriors of samples of the model itself, and
from a fineness that the encoder chooses. A latent whose posterior is the prior has one cell, and
costs nothing.

Sources: two-part codes are Wallace and Boulton 1968 and Rissanen 1978; bits back as what they lack,
Hinton and van Camp 1993; the loss, Gish and Pierce 1968. Cells from the model's own samples are
ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, cast

import numpy as np

from bbans.coding.codec import Codec
from bbans.coding.rans import Message
from bbans.distributions import builders, normal_cells
from bbans.distributions.distribution import Distribution, Ints
from bbans.distributions.tables import SIGMAS, inverse_sigmas, standard_normal_bins
from bbans.models.base import DiagonalGaussianModel, LatentModel
from bbans.schemes import bounds
from bbans.schemes.metering import PRIOR, Record, Scheme, check_items, generative, metered
from bbans.schemes.wrapped import unwrapped

FINENESS = 5  # of most images
FINENESSES = 16
SAMPLES, LANES = (
    4,
    64,
    # of the model, for the widths of its posteriors: with `bounds.drawn` and its seeds, part of the
    # file format
)
WORDS = 2**12  # at first: a network that goes step by step begins again where they do not suffice
SIGMA_ONE = 48  # index of a posterior as wide as the prior
# of the sum over samples, in eighths of an octave: below it a posterior is as good as the prior
IDLE = 5
COARSEST = 24  # eighths of an octave by which cells of fineness 0 are wider than the posterior
ALL = 2**14  # the width of a cell that is all


@dataclass(frozen=True)
class Grid:
    """`widths`: log2 of the width of each latent's posterior in eighths, over 2^-6, int64
    `(dims,)`; -1 where it is the prior.
    """

    widths: Ints
    latent_precision: int

    def steps(self, fineness: int) -> Ints:
        """The widths of cells in 1/128, int64 `(dims,)`; a step of fineness is a quarter of an
        octave.
        """
        exponent = (
            self.widths.clip(0) + 8 + COARSEST - 2 * fineness
        )  # 2^(8/8) / 128 is 2^-6; 2 at least
        whole, eighths = np.divmod(exponent, 8)
        found = np.maximum(1, inverse_sigmas()[SIGMAS - 1 - eighths] << whole >> 15)
        return np.where(self.widths < 0, ALL, found)

    def prior(self, items: int, fineness: int) -> Distribution:
        """p(cell)."""
        return builders.cells(items, self.steps(fineness), self.latent_precision)

    def cells(self, mean: Ints, fineness: int) -> Ints:
        """The cells of the bins nearest to means in 1/128, `(items, dims)`."""
        medians = standard_normal_bins(self.latent_precision)[1]
        return normal_cells.cell_of(
            medians[normal_cells.bin_at(mean, self.latent_precision)], self.steps(fineness)
        )

    def centres(self, chosen: Ints, fineness: int) -> Ints:
        """The bins in the middle of cells, `(items, dims)`."""
        return normal_cells.centre(
            chosen, np.broadcast_to(self.steps(fineness), chosen.shape), self.latent_precision
        )


def grid(chain: LatentModel) -> Grid:
    """The grid of a chain with diagonal Gaussian posteriors (`Capabilities.refinable`), refined or
    not: the same on every machine.
    """
    base = _gaussian(unwrapped(chain))
    z = bounds.drawn(base.prior(SAMPLES), (0, 1), LANES)
    x = bounds.drawn(base.likelihood(0, z), (0, 0), LANES, WORDS)
    _, sigma, precision = base.gaussians(x)
    total = sigma.sum(0)
    return Grid(
        np.where(SIGMA_ONE * SAMPLES - total < IDLE, -1, (total + SAMPLES // 2) // SAMPLES),
        precision,
    )


def codec(
    chain: LatentModel,
    items: int,
    record: Record | None = None,
    fineness: int = FINENESS,
    known: Grid | None = None,
) -> Codec:
    """The codec of samples int64 `(items, dims)`; a refined chain's posteriors have better means,
    which only the encoder looks for.

    `known`: the chain's grid, if somebody has made it.
    """

    def push(message: Message, x: Ints) -> tuple[Message]:
        check_items(x, items)
        found = known or grid(chain)
        chosen = found.cells(_gaussian(chain).gaussians(x)[0], fineness)
        (message,) = generative(chain, 0, found.centres(chosen, fineness), record).push(message, x)
        return metered(found.prior(items, fineness), PRIOR, record).push(message, chosen)

    def pop(message: Message) -> tuple[Message, Ints]:
        found = known or grid(chain)
        message, chosen = metered(found.prior(items, fineness), PRIOR, record).pop(message)
        return generative(chain, 0, found.centres(chosen, fineness), record).pop(message)

    return Codec(push, pop)


def scheme(fineness: int, known: Grid | None = None) -> Scheme:
    """The scheme with cells of a fineness. Raises ValueError unless it is 0 to 15."""
    if not 0 <= fineness < FINENESSES:
        raise ValueError(f"cells have a fineness of 0 to {FINENESSES - 1}; found {fineness}")
    return lambda chain, items, record: codec(chain, items, record, fineness, known)


class Best(NamedTuple):
    """The fineness that is best for an item, the bits that this takes, and the grid of its
    chain.
    """

    fineness: int
    bits: float
    grid: Grid


def best(chain: LatentModel, x: Ints) -> Best:
    """What suits one item x, int64 `(1, dims)`: every fineness is tried."""
    found, mean = grid(chain), _gaussian(chain).gaussians(x)[0]
    chosen = [found.cells(mean, fineness) for fineness in range(FINENESSES)]
    centres = np.concatenate([found.centres(c, fineness) for fineness, c in enumerate(chosen)])
    prior = np.concatenate([found.prior(1, fineness).bits(c) for fineness, c in enumerate(chosen)])
    totals = prior + chain.likelihood(0, centres).bits(np.repeat(x, FINENESSES, 0))
    fineness = int(totals.argmin())
    return Best(fineness, float(totals[fineness]), found)


def _gaussian(chain: LatentModel) -> DiagonalGaussianModel:
    return cast(DiagonalGaussianModel, chain)
