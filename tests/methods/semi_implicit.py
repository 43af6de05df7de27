"""A semi-implicit posterior of states: h(z | x) = sum_psi pi(psi) q(z | psi, x) over 4 states, z of
5, x of 6; all sums can be done.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from bbans.distributions import categorical, composite, uniform
from bbans.distributions.autoregressive import Walk, walked
from bbans.distributions.distribution import Distribution, Ints
from bbans.models.base import Capabilities

STATES, PSI, VALUES = 5, 4, 6
Floats = NDArray[np.float64]


def _tables() -> tuple[Ints, Ints, Ints]:
    rng = np.random.default_rng(3)
    sharp = 8 ** rng.integers(0, 5, (VALUES * PSI, STATES))
    return (
        categorical.from_weights(rng.integers(1, 100, (STATES, VALUES))),
        categorical.from_weights(rng.integers(1, 100, (1, STATES))),
        categorical.from_weights(sharp),
    )


LIKELIHOOD, PRIOR, Q = _tables()


@dataclass(frozen=True)
class SemiImplicit:
    """The chain with noise of K + 1 draws of psi, uniform over its states, as latents beside z:
    columns z, psi_0, ..., psi_K.
    """

    draws: int

    capabilities = Capabilities("factorised")

    def prior(self, items: int) -> Distribution:
        def walk() -> Walk:
            yield np.arange(1, 1 + self.draws), uniform.uniform((items, self.draws), PSI)
            yield np.arange(1), categorical.lookup(PRIOR, np.zeros((items, 1), np.int64))

        return walked(walk, (items, 1 + self.draws))

    def likelihood(self, layer: int, above: Ints) -> Distribution:
        return categorical.lookup(LIKELIHOOD, above[:, :1])

    def posterior(self, layer: int, below: Ints) -> Distribution:
        items = len(below)

        def walk() -> Walk:
            psi = yield np.arange(1, 1 + self.draws), uniform.uniform((items, self.draws), PSI)

            def part(k: Ints) -> Distribution:
                return categorical.lookup(Q, below * PSI + psi[np.arange(items), k][:, None])

            yield (
                np.arange(1),
                composite.mixed(uniform.uniform((items, 1), self.draws), self.draws, part),
            )

        return walked(walk, (items, 1 + self.draws))

    def default_latent(self, items: int) -> Ints:
        return np.zeros((items, 1 + self.draws), np.int64)


def of_states() -> tuple[Floats, Floats]:
    """p(x, z) `(x, z)` and q(z | psi, x) `(x, psi, z)`, read off the frequencies."""
    joint = np.diff(LIKELIHOOD, axis=1).T * np.diff(PRIOR, axis=1)[0] / 2**48
    return joint, np.diff(Q, axis=1).reshape(VALUES, PSI, STATES) / 2**24


def surrogate(draws: int, pi: Floats | None = None) -> Floats:
    """Rate of K + 1 draws in bits, E log2 (1 / (K + 1)) sum_k q(z | psi_k) - log2 p(x, z) with z ~
    q(z | psi_0), of each x.
    """
    joint, q = of_states()
    weight = np.full(PSI, 1 / PSI) if pi is None else pi
    total = np.zeros(VALUES)
    for psi in product(range(PSI), repeat=draws):
        mean = q[:, list(psi)].mean(1)
        total += weight[list(psi)].prod() * (q[:, psi[0]] * (np.log2(mean) - np.log2(joint))).sum(1)
    return total


def implicit(pi: Floats | None = None) -> Floats:
    """Rate of h itself, -ELBO in bits, of each x."""
    joint, q = of_states()
    h = np.einsum("p,xpz->xz", np.full(PSI, 1 / PSI) if pi is None else pi, q)
    found: Floats = (h * (np.log2(h) - np.log2(joint))).sum(1)
    return found
