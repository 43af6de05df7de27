"""phi*(x) = argmin_phi E_s R_phi(x | s): the posterior of each item searched for, from x alone, so
that the decoder finds the same one.

Net rate = that of any scheme on the chain, with q_phi*(z | x) for q(z | x): what is saved is the
amortisation gap. A phi that looked at the side information s as well would save more and could not
be decoded, since s is what q gives back (`tests/methods/test_07_*`).

q is a diagonal Gaussian over the bins; phi is its means, started from the network's, and sigma
stays. A step draws e in pairs +-e_m, takes the part of the net rate R that is linear in e as the
gradient, E[R e] / sigma, and tries the means less sigma E[R e] times 1, 1/2, 1/4 and 1/8 (Newton's
step, with sigma^2 for the inverse of the curvature). The best of them is taken if it is better than
none on other draws, so that steps do not fit their own noise. All draws are constants of the step,
the same for every item; rates are code lengths in integers (`distributions.fixed_point_log`): there
are no gradients of networks and no floats, and any machine takes the same steps.

Sources: semi-amortised inference, Kim, Wiseman, Miller, Sontag and Rush 2018 (arXiv:1802.02550); in
lossless compression, Yang, Bamler and Mandt 2020 (arXiv:2006.04240) and Ruan et al. 2021
(arXiv:2102.11086). The search in integers is ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np

from bbans.distributions import builders, fixed_point_log, gaussian_bins
from bbans.distributions.distribution import Distribution, Ints
from bbans.distributions.tables import SIGMAS, inverse_sigmas
from bbans.models.base import DiagonalGaussianModel, LatentModel
from bbans.schemes.wrapped import Wrapped

MAX_STEPS = 255
PAIRS, CHECKS = 16, 8  # of draws, for the gradient and for the choice
SHRINKS = (0, 1, 2, 3)  # steps are divided by 2^these
MEAN_TOP = 512  # of means in 1/128, as networks give them
FINE = 12  # bits of a draw's quantile
LN2_BITS, LN2 = 16, 45426  # round(2^16 ln 2)


@dataclass(frozen=True, eq=False)
class Refined(Wrapped):
    """The model with q_phi*(z | x), after so many steps."""

    steps: int

    def posterior(self, layer: int, below: Ints) -> Distribution:
        """q_phi*(z | x)."""
        return builders.gaussian(*self.gaussians(below))

    def gaussians(self, x: Ints) -> tuple[Ints, Ints, int]:
        """Those of q_phi*(z | x); copies of an item are searched for once."""
        items, copies = np.unique(x, axis=0, return_inverse=True)
        mean, sigma, precision = search(cast(DiagonalGaussianModel, self.model), items, self.steps)
        rows = copies.reshape(-1)
        return mean[rows], sigma[rows], precision


def refined(model: LatentModel, steps: int) -> LatentModel:
    """The model, its posterior refined by 0 to MAX_STEPS steps.

    Raises ValueError on a model that it is not for.
    """
    if not 0 <= steps <= MAX_STEPS:
        raise ValueError(f"a posterior is refined by 0 to {MAX_STEPS} steps; found {steps}")
    if not steps:
        return model
    if not model.capabilities.refinable:
        raise ValueError("only a diagonal Gaussian posterior of one layer is refined")
    return Refined(model, steps)


def search(chain: DiagonalGaussianModel, x: Ints, steps: int) -> tuple[Ints, Ints, int]:
    """phi* of x int64 `(items, dims)`: means, sigma indices, latent precision.

    A function of the model, x and the number of steps.
    """
    mean, sigma, precision = chain.gaussians(x)
    for step in range(steps):
        newton = _newton(chain, x, mean, sigma, precision, draws(2 * step, PAIRS, mean.shape[1]))
        checks = draws(2 * step + 1, CHECKS, mean.shape[1])
        tried = [mean] + [
            np.clip(mean - (newton >> shrink), -MEAN_TOP, MEAN_TOP) for shrink in SHRINKS
        ]
        scores = np.stack(
            [sum(_rates(chain, x, one, sigma, precision, draw) for draw in checks) for one in tried]
        )
        best = scores.argmin(0)
        mean = np.take_along_axis(np.stack(tried), best[None, :, None], 0)[0]
    return mean, sigma, precision


def draws(key: int, pairs: int, dims: int) -> Ints:
    """Quantiles out of 2^12, int64 `(2 pairs, dims)`, in pairs that follow each other, i and 2^12 -
    1 - i; the same on all machines.
    """
    raw = np.asarray(np.random.PCG64(key).random_raw(pairs * dims), np.uint64).reshape(pairs, dims)
    half = (raw >> np.uint64(64 - FINE)).astype(np.int64)
    return np.stack([half, (1 << FINE) - 1 - half], 1).reshape(2 * pairs, dims)


def _newton(
    chain: DiagonalGaussianModel, x: Ints, mean: Ints, sigma: Ints, precision: int, noise: Ints
) -> Ints:
    """sigma E[R e] in 1/128, R in nats: `(items, dims)`."""
    total = np.zeros(mean.shape, np.int64)
    for up, down in zip(noise[::2], noise[1::2], strict=True):
        difference = _rates(chain, x, mean, sigma, precision, up) - _rates(
            chain, x, mean, sigma, precision, down
        )
        total += difference[:, None] * gaussian_bins.value(
            FINE, up
        )  # 2^28 128 R e: below 2^52 for differences of 2^10 bits
    # sigma = mirrored / 2^21; of the total 2^28 are the rate's unit, 2^5 the number of draws; 2^7
    # of e is the unit of means
    linear = np.clip(total >> 13, -(1 << 38), 1 << 38) * LN2 >> LN2_BITS
    mirrored = inverse_sigmas()[SIGMAS - 1 - sigma]
    found: Ints = linear * mirrored >> (
        fixed_point_log.UNIT_BITS + (2 * PAIRS).bit_length() - 1 - 13 + 21
    )
    return found


def _rates(
    chain: DiagonalGaussianModel, x: Ints, mean: Ints, sigma: Ints, precision: int, draw: Ints
) -> Ints:
    """Net rate in units at the z that lies at a draw's quantiles of q, int64 `(items,)`."""
    items = len(x)
    cf = np.tile(((2 * draw + 1) << gaussian_bins.PRECISION) >> (FINE + 1), items)
    z = gaussian_bins.symbol(mean.reshape(-1), sigma.reshape(-1), precision, cf, interpolated=True)[
        0
    ].reshape(mean.shape)
    found: Ints = (
        chain.likelihood(0, z).fixed_bits(x)
        + chain.prior(items).fixed_bits(z)
        - builders.gaussian(mean, sigma, precision).fixed_bits(z)
    )
    return found
