"""p(z | x) with two modes, and with correlated latents, in closed form: benches for posteriors
beyond a diagonal Gaussian.

Both have Gaussian latents over the bins that image models use, samples x on grey levels with
Gaussian noise of 2^scale, and n = 4^k - 1 samples, so that the sigmas of their posteriors are those
that the coder has. Chains of one layer as in `models.base`; numpy only.

Sources: coordinate ascent (CAVI), Blei, Kucukelbir and McAuliffe 2017 (arXiv:1601.00670).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bbans.distributions import composite, gaussian, gaussian_bins, uniform
from bbans.distributions.autoregressive import columnwise
from bbans.distributions.distribution import Distribution, Ints, factorised
from bbans.distributions.inverse_cdf import as_int64
from bbans.models.base import FACTORISED, JOINT, Capabilities

Bits = NDArray[np.float64]
GAUSSIAN, MIXTURE, MEAN_FIELD, FLOW = "gaussian", "mixture", "mean-field", "flow"
N = 1024
UNIT = 128  # of means, as latents are read
FINE = 20  # fractional bits of means while CAVI goes on


@dataclass(frozen=True)
class Bimodal:
    """z ~ N(0, 1), x_r = centre + 2^scale (|z| + e_r): p(z | x) has modes at +-n mean(y) / (n + 1)
    of sigma 2^-k.

    x is int64 `(items, n)`; q is one Gaussian, at the upper mode, or a mixture of both in equal
    parts.
    """

    posterior_kind: str = MIXTURE
    k: int = 2
    scale: int = 5
    latent_precision: int = 10

    @property
    def capabilities(self) -> Capabilities:
        """What the model declares of itself."""
        return Capabilities(FACTORISED if self.posterior_kind == GAUSSIAN else JOINT)

    @property
    def copies(self) -> int:
        """Samples n of an item."""
        return int(4**self.k - 1)

    def prior(self, items: int) -> Distribution:
        """p(z)."""
        return gaussian_bins.standard_normal((items, 1), self.latent_precision)

    def likelihood(self, layer: int, above: Ints) -> Distribution:
        """p(x | z)."""
        return _samples(
            np.abs(gaussian_bins.value(self.latent_precision, above)), self.copies, self.scale
        )

    def posterior(self, layer: int, below: Ints) -> Distribution:
        """q(z | x)."""
        mean = _divided(_total(below) * UNIT, (self.copies + 1) << self.scale)[:, None]
        sigma = np.full_like(mean, 8 * (6 - self.k))
        if self.posterior_kind == GAUSSIAN:
            return gaussian_bins.gaussian(_limited(mean), sigma, self.latent_precision)

        def part(index: Ints) -> Distribution:
            return gaussian_bins.gaussian(
                _limited(np.where(index[:, None] > 0, mean, -mean)), sigma, self.latent_precision
            )

        return composite.mixed(uniform.uniform((len(below), 1), 2), 2, part)

    def default_latent(self, items: int) -> Ints:
        """The bin above 0."""
        return np.full((items, 1), 1 << (self.latent_precision - 1), np.int64)

    def joint_bits(self, x: Ints) -> tuple[Bits, Bits]:
        """-log2 p(x, z) and -log2 q(z | x) of every z, each `(items, 2^latent_precision)`."""
        bins = 1 << self.latent_precision
        z = np.arange(bins)[:, None]
        joint, q = np.empty((len(x), bins)), np.empty((len(x), bins))
        for i, row in enumerate(as_int64(x)):
            all_x = np.repeat(row[None], bins, 0)
            joint[i] = self.likelihood(0, z).bits(all_x) + self.prior(bins).bits(z)
            q[i] = self.posterior(1, all_x).bits(z)
        return joint, q


@dataclass(frozen=True)
class Correlated:
    """z_1, z_2 ~ N(0, 1), x_r = centre + 2^scale (z_1 + z_2 + e_r): p(z | x) has precision I + n 1
    1^T, so correlation -n / (n + 1).

    x is int64 `(items, n)`. q is the mean-field optimum, by `sweeps` of CAVI in integers from 0, of
    sigma 2^-k; or the flow q(z_1) q(z_2 | z_1), which is the posterior but for means rounded to
    1/128 and the sigma of z_1 to 1/8 octave.
    """

    posterior_kind: str = FLOW
    k: int = 1
    scale: int = 5
    latent_precision: int = 8
    sweeps: int = 64

    @property
    def capabilities(self) -> Capabilities:
        """What the model declares of itself."""
        return Capabilities(FACTORISED if self.posterior_kind == MEAN_FIELD else JOINT)

    @property
    def copies(self) -> int:
        """Samples n of an item."""
        return int(4**self.k - 1)

    def prior(self, items: int) -> Distribution:
        """p(z)."""
        return gaussian_bins.standard_normal((items, 2), self.latent_precision)

    def likelihood(self, layer: int, above: Ints) -> Distribution:
        """p(x | z)."""
        return _samples(
            gaussian_bins.value(self.latent_precision, above).sum(1, keepdims=True),
            self.copies,
            self.scale,
        )

    def posterior(self, layer: int, below: Ints) -> Distribution:
        """q(z | x)."""
        narrow = np.full((len(below), 1), 8 * (6 - self.k))
        if self.posterior_kind == MEAN_FIELD:
            mean = _divided(self.cavi(below, self.sweeps)[-1] * UNIT, 1 << FINE)
            return gaussian_bins.gaussian(
                _limited(mean), np.repeat(narrow, 2, 1), self.latent_precision
            )
        n, total = self.copies, _total(below)[:, None] * UNIT
        wide = np.full_like(narrow, round(8 * (6 + 0.5 * math.log2((1 + n) / (1 + 2 * n)))))
        first = gaussian_bins.gaussian(
            _limited(_divided(total, (1 + 2 * n) << self.scale)), wide, self.latent_precision
        )

        def parts(z: Ints) -> list[Distribution]:
            read = gaussian_bins.value(self.latent_precision, z[:, :1])
            second = _divided(total - (n * read << self.scale), (n + 1) << self.scale)
            return [first, gaussian_bins.gaussian(_limited(second), narrow, self.latent_precision)]

        return columnwise(parts, (len(below), 2))

    def cavi(self, x: Ints, sweeps: int) -> list[Ints]:
        """Means `(items, 2)` in 2^-20, 0 and those after each sweep of m_i <- (sum_r y_r - n m_j) /
        (n + 1), all in integers.
        """
        n, total = self.copies, _total(x) << (FINE - self.scale)
        mean = np.zeros((len(x), 2), np.int64)
        found = [mean]
        for _ in range(sweeps):
            mean = mean.copy()
            for i in (0, 1):
                mean[:, i] = _divided(total - n * mean[:, 1 - i], n + 1)
            found.append(mean)
        return found

    def gap_bits(self) -> float:
        """KL of the mean-field optimum from the posterior, (sum log Lambda_ii - log det Lambda) /
        2.
        """
        n = self.copies
        return math.log2(1 + n) - 0.5 * math.log2(1 + 2 * n)

    def default_latent(self, items: int) -> Ints:
        """The bins above 0."""
        return np.full((items, 2), 1 << (self.latent_precision - 1), np.int64)

    def evidence_bits(self, x: Ints) -> Bits:
        """-log2 p(x) of the discrete model, by summing over its bins; float64 `(items,)`."""
        bins = 1 << self.latent_precision
        z = np.stack(np.unravel_index(np.arange(bins**2), (bins, bins)), 1)
        location, weight = np.unique(
            gaussian_bins.value(self.latent_precision, z).sum(1), return_counts=True
        )
        likelihood = _samples(location[:, None], self.copies, self.scale)
        found = []
        for row in as_int64(x):
            bits = likelihood.bits(np.repeat(row[None], len(location), 0)) - np.log2(weight)
            found.append(
                2 * self.latent_precision + bits.min() - np.log2(np.exp2(bits.min() - bits).sum())
            )
        return np.array(found)


def _samples(location: Ints, copies: int, scale: int) -> Distribution:
    """Samples `(items, copies)` around centre + 2^scale location, `(items, 1)` in 1/128, of
    standard deviation 2^scale.
    """
    grey = np.repeat((N // 2 << 5) + (location << scale >> 2), copies, 1)
    flat, index = grey.reshape(-1), np.full(grey.size, 16 * (scale + 4))
    return factorised(
        lambda x: gaussian.interval(flat, index, x, N),
        lambda cf, first, last: gaussian.symbol(
            flat[first:last], index[first:last], as_int64(cf), N
        ),
        (grey.shape[0], grey.shape[1]),
        gaussian.PRECISION,
    )


def _total(x: Ints) -> Ints:
    """Sum of an item's samples from the centre, in grey levels."""
    found: Ints = (as_int64(x) - N // 2).sum(1)
    return found


def _divided(a: Ints, b: int) -> Ints:
    """a / b, rounded."""
    found: Ints = (2 * a + b) // (2 * b)
    return found


def _limited(mean: Ints) -> Ints:
    return np.clip(mean, -gaussian_bins.MEAN_LIMIT, gaussian_bins.MEAN_LIMIT)
