"""A linear latent chain in integers, with as good a posterior as a linear one can be: what archives
are tested with.

x = 128 + A u + logistic noise, u ~ N(0, 1) in bins of equal mass; q(u | x) is the posterior of the
model with Gaussian noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from bbans.distributions import gaussian_bins
from bbans.distributions.distribution import Distribution, Ints, factorised
from bbans.models.base import Capabilities
from tests import logistic

LATENT_PRECISION = 8
SIGNAL = 24  # grey levels that the latents move a sample by
SCALE = 16 * 5  # index of a noise scale of 2 grey levels
NOISE = 2 * np.pi / np.sqrt(3)  # its standard deviation


@dataclass(frozen=True)
class Linear:
    """`weights` int64 `(dims, latents)` in 1/32 grey level a unit of u; `inverse` the posterior's,
    in 2^-20 u a 1/32 grey level.
    """

    weights: Ints
    inverse: Ints
    sigma: int

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities("factorised")

    def prior(self, items: int) -> Distribution:
        shape = items, self.weights.shape[1]

        def symbol(cf: Ints, first: int, last: int):
            return cf.astype(np.int64), cf, np.ones(last - first, np.int64)

        return factorised(lambda z: (z, np.ones_like(z)), symbol, shape, LATENT_PRECISION)

    def likelihood(self, layer: int, above: Ints) -> Distribution:
        u = gaussian_bins.value(LATENT_PRECISION, above)
        location = (128 * 32 + (u @ self.weights.T >> 7)).clip(0, 255 * 32).reshape(-1)
        scale = np.full_like(location, SCALE)

        def symbol(cf: Ints, first: int, last: int):
            return logistic.symbol(location[first:last], scale[first:last], cf.astype(np.int64))

        return factorised(
            partial(logistic.interval, location, scale),
            symbol,
            (len(above), len(self.weights)),
            logistic.PRECISION,
        )

    def posterior(self, layer: int, below: Ints) -> Distribution:
        mean = ((below - 128) * 32 @ self.inverse.T >> 13).clip(-512, 512).reshape(-1)
        sigma = np.full_like(mean, self.sigma)

        def symbol(cf: Ints, first: int, last: int):
            return gaussian_bins.symbol(
                mean[first:last], sigma[first:last], LATENT_PRECISION, cf.astype(np.int64)
            )

        shape = len(below), self.weights.shape[1]
        return factorised(
            partial(gaussian_bins.interval, mean, sigma, LATENT_PRECISION),
            symbol,
            shape,
            gaussian_bins.PRECISION,
        )

    def default_latent(self, items: int) -> Ints:
        return np.full((items, self.weights.shape[1]), 1 << LATENT_PRECISION - 1, np.int64)


def linear(dims: int, latents: int, seed: int = 0) -> Linear:
    """A chain with orthogonal weights."""
    rng = np.random.default_rng(seed)
    a = np.linalg.qr(rng.normal(size=(dims, latents)))[0] * SIGNAL * np.sqrt(dims / latents)
    variance = NOISE**2 / ((a**2).sum(0)[0] + NOISE**2)
    inverse = a.T * variance / NOISE**2
    index = round((np.log2(np.sqrt(variance)) + 6) * 8)
    return Linear(
        np.rint(32 * a).astype(np.int64),
        np.rint(2**20 / 32 * inverse).astype(np.int64),
        max(0, index),
    )


def draws(chain: Linear, items: int, seed: int = 0) -> np.ndarray:
    """Images of the model, uint8 `(items, dims)`."""
    rng = np.random.default_rng(seed)
    dims, latents = chain.weights.shape
    mean = 128 + rng.normal(size=(items, latents)) @ chain.weights.T / 32
    return np.rint(mean + rng.logistic(scale=2, size=(items, dims))).clip(0, 255).astype(np.uint8)
