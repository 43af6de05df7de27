"""phi*(x) = argmin_phi E_s R_phi(x | s): refinement of the posterior's parameters for each item, as
a function of x alone, so that the decoder computes the same parameters.

The net rate is that of any scheme of the model with q_phi*(z | x) in place of q(z | x); the saving
is the amortisation gap. Parameters that also depended on the side information s (the bits that the
message holds) would save more, but could not be decoded, since s is what q gives back
(`tests/methods/test_07_*`).

q is a diagonal Gaussian over the bins; phi is its means, started at the network's, while sigma is
fixed. One step samples noise e in antithetic pairs +-e_m, estimates the gradient from the part of
the net rate R that is linear in e, E[R e] / sigma, and tries the means minus sigma E[R e] times 1,
1/2, 1/4 and 1/8 (a Newton step, with sigma^2 as the inverse curvature). The best candidate is taken
if it beats the unchanged means on other noise, so that steps do not fit their own noise. All noise
is a constant of the step, the same for every item. Rates are integer code lengths
(`distributions.fixed_point_log`). No gradients of networks and no floats are involved, so every
machine takes the same steps.

Sources: semi-amortised inference: Kim, Wiseman, Miller, Sontag and Rush 2018 (arXiv:1802.02550); in
lossless compression: Yang, Bamler and Mandt 2020 (arXiv:2006.04240), Ruan et al. 2021
(arXiv:2102.11086). The search in integers is new here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np

from bbans.distributions import fixed_point_log, gaussian_bins
from bbans.distributions.distribution import Distribution, Ints
from bbans.distributions.tables import SIGMAS, inverse_sigmas
from bbans.models.base import DiagonalGaussianModel, LatentModel
from bbans.schemes.wrapped import Wrapped

MAX_STEPS = 255
PAIRS, CHECKS = 16, 8  # antithetic pairs for the gradient, and for the choice of the step size
SHRINKS = (0, 1, 2, 3)  # step sizes are 2^-these
MEAN_TOP = 512  # largest mean in 1/128, as networks give them
FINE = 12  # bits of a quantile of the noise
LN2_BITS, LN2 = 16, 45426  # LN2 = round(2^16 ln 2)


@dataclass(frozen=True, eq=False)
class Refined(Wrapped):
    """A model with its posterior refined by `steps` steps: q_phi*(z | x)."""

    steps: int

    def posterior(self, layer: int, below: Ints) -> Distribution:
        """Return q_phi*(z | x)."""
        return gaussian_bins.gaussian(*self.gaussians(below))

    def gaussians(self, x: Ints) -> tuple[Ints, Ints, int]:
        """Return means in 1/128 and sigma indices of q_phi*(z | x), int64 `(items, dims)`, and the
        latent precision.

        Equal items are refined once.
        """
        items, copies = np.unique(x, axis=0, return_inverse=True)
        mean, sigma, precision = search(cast(DiagonalGaussianModel, self.model), items, self.steps)
        rows = copies.reshape(-1)
        return mean[rows], sigma[rows], precision


def refined(model: LatentModel, steps: int) -> LatentModel:
    """Return the model with its posterior refined by 0 to MAX_STEPS steps; with 0 the model itself.

    Raises ValueError on another number of steps, and on a model without one layer of diagonal
    Gaussian latents.

    Examples:
        >>> from bbans.models.analytic import LinearGaussian
        >>> refined(LinearGaussian(latents=8, k=3), steps=2).steps
        2
    """
    if not 0 <= steps <= MAX_STEPS:
        raise ValueError(f"a posterior is refined by 0 to {MAX_STEPS} steps; found {steps}")
    if not steps:
        return model
    if not model.capabilities.refinable:
        raise ValueError("only a diagonal Gaussian posterior of one layer is refined")
    return Refined(model, steps)


def search(model: DiagonalGaussianModel, x: Ints, steps: int) -> tuple[Ints, Ints, int]:
    """Compute phi* of x int64 `(items, dims)` in `steps` steps.

    Returns means in 1/128 and sigma indices, int64 `(items, latents)`, and the latent precision: a
    deterministic function of the model, x and the number of steps.

    Examples:
        >>> from bbans.models.analytic import LinearGaussian
        >>> from bbans.schemes import sampling
        >>> model = LinearGaussian(latents=8, k=3)
        >>> search(model, sampling.sample_items(model, 4), steps=1)[0].shape
        (4, 8)
    """
    mean, sigma, precision = model.gaussians(x)
    for step in range(steps):
        step_size = _newton(model, x, mean, sigma, precision, draws(2 * step, PAIRS, mean.shape[1]))
        check_draws = draws(2 * step + 1, CHECKS, mean.shape[1])
        candidates = np.stack(
            [mean]
            + [np.clip(mean - (step_size >> shrink), -MEAN_TOP, MEAN_TOP) for shrink in SHRINKS]
        )
        count = len(candidates)
        flat = candidates.reshape(-1, mean.shape[1])
        x_each, sigma_each = np.tile(x, (count, 1)), np.tile(sigma, (count, 1))
        scores = np.zeros((count, len(x)), np.int64)
        for draw in check_draws:  # all candidates at once, which are rows of one batch
            rates = _rates(model, x_each, flat, sigma_each, precision, draw)
            scores += rates.reshape(scores.shape)
        best = scores.argmin(0)
        mean = np.take_along_axis(candidates, best[None, :, None], 0)[0]
    return mean, sigma, precision


def draws(key: int, pairs: int, dims: int) -> Ints:
    """Return the noise of a step as quantiles out of 2^12, int64 `(2 * pairs, dims)`.

    Rows 2m and 2m + 1 are an antithetic pair, i and 2^12 - 1 - i. The result depends on `key` only.

    Examples:
        >>> noise = draws(key=0, pairs=3, dims=2)
        >>> noise.shape, int((noise[::2] + noise[1::2]).max())
        ((6, 2), 4095)
    """
    raw = np.asarray(np.random.PCG64(key).random_raw(pairs * dims), np.uint64).reshape(pairs, dims)
    half = (raw >> np.uint64(64 - FINE)).astype(np.int64)
    return np.stack([half, (1 << FINE) - 1 - half], 1).reshape(2 * pairs, dims)


def _newton(
    model: DiagonalGaussianModel, x: Ints, mean: Ints, sigma: Ints, precision: int, noise: Ints
) -> Ints:
    """Return the Newton step sigma E[R e] in 1/128, with R in nats, int64 `(items, latents)`."""
    total = np.zeros(mean.shape, np.int64)
    for up, down in zip(noise[::2], noise[1::2], strict=True):
        difference = _rates(model, x, mean, sigma, precision, up) - _rates(
            model, x, mean, sigma, precision, down
        )
        total += difference[:, None] * gaussian_bins.value(
            FINE, up
        )  # total is in units of 2^-28 R times 2^-7 e: below 2^52 for differences of 2^10 bits
    # sigma = mirrored / 2^21. In the total, 2^28 is the unit of the rate and 2^5 the number of
    # quantile vectors; the 2^7 of e is the unit of means.
    linear = np.clip(total >> 13, -(1 << 38), 1 << 38) * LN2 >> LN2_BITS
    mirrored = inverse_sigmas()[SIGMAS - 1 - sigma]
    step: Ints = linear * mirrored >> (
        fixed_point_log.UNIT_BITS + (2 * PAIRS).bit_length() - 1 - 13 + 21
    )
    return step


def _rates(
    model: DiagonalGaussianModel, x: Ints, mean: Ints, sigma: Ints, precision: int, quantiles: Ints
) -> Ints:
    """Return the net rate of each item at the z of the given quantiles of q, int64 `(items,)`.

    The unit is 2^-UNIT_BITS bits (`fixed_point_log`); quantiles out of 2^12, `(latents,)`.
    """
    items = len(x)
    cf = np.tile(((2 * quantiles + 1) << gaussian_bins.PRECISION) >> (FINE + 1), items)
    z = gaussian_bins.symbol(mean.reshape(-1), sigma.reshape(-1), precision, cf, interpolated=True)[
        0
    ].reshape(mean.shape)
    rates: Ints = (
        model.likelihood(0, z).fixed_bits(x)
        + model.prior(items).fixed_bits(z)
        - gaussian_bins.gaussian(mean, sigma, precision).fixed_bits(z)
    )
    return rates
