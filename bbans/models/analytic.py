"""p(x) = sum_z p(x, z) and p(z | x) = p(x, z) / p(x) in closed form: models with known evidence, to
verify coding schemes against.

`discrete_chain` has discrete latents of any depth (`finite_mixture` is depth 1): every probability
is a frequency out of 2^24, evidence and posterior are sums of integers. `LinearGaussian` has
Gaussian latents over the same bins as image models, and closed-form densities. Both are latent
models as `models.base` defines them; evidences are in bits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bbans.distributions import gaussian, gaussian_bins
from bbans.distributions.distribution import Distribution, Ints, factorised
from bbans.distributions.inverse_cdf import as_int64
from bbans.models.base import DIAGONAL_GAUSSIAN, Capabilities
from bbans.models.discrete_chain import DiscreteChain, discrete_chain, finite_mixture

__all__ = ["DiscreteChain", "LinearGaussian", "discrete_chain", "finite_mixture"]

Bits = NDArray[np.float64]

LATENT_UNIT = 128


@dataclass(frozen=True)
class LinearGaussian:
    """z_j ~ N(0, 1), x_jr = centre + sigma z_j + sigma e_jr with r = 1..4^k - 1, whose posterior is
    N(sum_r (x_jr - centre) / (4^k sigma), 4^-k).

    x is int64 `(items, latents (4^k - 1))`, grey levels 0..n-1; sigma = 2^scale grey levels; z is
    the index of one of 2^latent_precision bins of equal mass. `mean_offset` (unit 1/128) and
    `sigma_steps` (unit 1/8 octave) move q away from the exact posterior. Raises ValueError on
    parameters out of range.

    Discretisation: given z, x has a Gaussian's mass over whole grey levels. The model is therefore
    a mixture of 2^latent_precision points per latent, at bin medians rounded to 1/128, and
    `evidence_bits` sums exactly that mixture. `density_bits`, the density at x, differs from it by
    terms in (1 / sigma)^2 and in the ratio of bin width to posterior width. q is the posterior of
    the density over the bins, with its mean rounded to 1/128, and close to the posterior of the
    discrete model.

    Examples:
        >>> LinearGaussian(latents=8, k=3).divergence_bits()
        0.0
    """

    latents: int = 2
    k: int = 1
    scale: int = 5
    n: int = 1024
    latent_precision: int = 12
    mean_offset: int = 0
    sigma_steps: int = 0

    def __post_init__(self) -> None:
        if (
            self.latents < 1
            or not 1 <= self.k <= 3
            or not 2 <= self.scale <= 6
            or not 2 <= self.n <= 1024
        ):
            raise ValueError(f"expected latents >= 1, k 1..3, scale 2..6, n 2..1024; found {self}")

    @property
    def capabilities(self) -> Capabilities:
        """Return what the model declares of itself: posterior, depth, side information and
        media.
        """
        return Capabilities(DIAGONAL_GAUSSIAN)

    @property
    def copies(self) -> int:
        """The number of samples of x per latent, 4^k - 1."""
        return int(4**self.k - 1)

    @property
    def centre(self) -> int:
        """The mean grey level, n // 2."""
        return self.n // 2

    def prior(self, items: int) -> Distribution:
        """p(z): return the prior, symbols `(items, latents)`."""
        return gaussian_bins.standard_normal((items, self.latents), self.latent_precision)

    def likelihood(self, layer: int, above: Ints) -> Distribution:
        """p(x | z = above): return it, symbols `(items, latents (4^k - 1))`."""
        location = np.repeat(self._location(above), self.copies, axis=1)
        flat, scale = location.reshape(-1), np.full(location.size, self._scale_index())
        return factorised(
            lambda x: gaussian.interval(flat, scale, x, self.n),
            lambda cf, first, last: gaussian.symbol(
                flat[first:last], scale[first:last], as_int64(cf), self.n
            ),
            (location.shape[0], location.shape[1]),
            gaussian.PRECISION,
        )

    def posterior(self, layer: int, below: Ints) -> Distribution:
        """q(z | x = below): return it, symbols `(items, latents)`."""
        return gaussian_bins.gaussian(*self.gaussians(below))

    def gaussians(self, below: Ints) -> tuple[Ints, Ints, int]:
        """Return means (unit 1/128) and sigma indices (sigma = 2^(i / 8 - 6)) of q(z | x), int64
        `(items, latents)` each, and the latent precision in bits.
        """
        total = (
            (as_int64(below) - self.centre).reshape(len(below), self.latents, self.copies).sum(2)
        )
        divisor = 4**self.k << self.scale
        mean = (2 * LATENT_UNIT * total + divisor) // (2 * divisor) + self.mean_offset
        sigma = np.full_like(mean, 8 * (6 - self.k) + self.sigma_steps)
        return (
            np.clip(mean, -gaussian_bins.MEAN_LIMIT, gaussian_bins.MEAN_LIMIT),
            sigma,
            self.latent_precision,
        )

    def default_latent(self, items: int) -> Ints:
        """Return the index of the bin just above 0 for every latent, int64 `(items, latents)`."""
        return gaussian_bins.middle((items, self.latents), self.latent_precision)

    def evidence_bits(self, x: Ints) -> Bits:
        """-log2 p(x) of the discrete model, summed over its bins: return it in bits, float64
        `(items,)`.
        """
        bins = 1 << self.latent_precision
        location = self._location(np.arange(bins))
        evidence = np.empty(len(x))
        for item, row in enumerate(as_int64(x)):
            total = 0.0
            for part in row.reshape(self.latents, self.copies):
                shape = (bins, self.copies)
                m, value = (
                    np.broadcast_to(a, shape).reshape(-1) for a in (location[:, None], part)
                )
                _, freq = gaussian.interval(m, np.full(m.size, self._scale_index()), value, self.n)
                log_p = (np.log2(freq) - gaussian.PRECISION).reshape(shape).sum(1)
                total += (
                    self.latent_precision
                    - log_p.max()
                    - np.log2(np.exp2(log_p - log_p.max()).sum())
                )
            evidence[item] = total
        return evidence

    def density_bits(self, x: Ints) -> Bits:
        """-log2 N(x; centre, sigma^2 (I + 1 1^T)) with one block per latent: return it in bits,
        float64 `(items,)`.
        """
        y = ((x - self.centre) / 2.0**self.scale).reshape(len(x), self.latents, self.copies)
        square = (y**2).sum(2) - y.sum(2) ** 2 / 4**self.k
        nats = 0.5 * (
            square + self.copies * math.log(2 * math.pi) + self.k * math.log(4)
        ) + self.copies * self.scale * math.log(2)
        bits: Bits = nats.sum(1) / math.log(2)
        return bits

    def divergence_bits(self) -> float:
        """KL(q || p(z | x)) between the densities: return the extra bits per item that the offsets
        of q cost.
        """
        ratio, shift = 2.0 ** (self.sigma_steps / 8), self.mean_offset / LATENT_UNIT * 2**self.k
        return float(
            self.latents * 0.5 * (ratio**2 + shift**2 - 1 - 2 * math.log(ratio)) / math.log(2)
        )

    def _location(self, bins: Ints) -> Ints:
        """Location of x in 1/32 grey level, 32 centre + 32 sigma u, where u is the median of the
        bin.
        """
        location: Ints = (self.centre << 5) + (
            gaussian_bins.value(self.latent_precision, bins) << self.scale >> 2
        )
        return location

    def _scale_index(self) -> int:
        return 16 * (self.scale + 4)
