"""p(x, r, p) = Gamma(r) Beta(p) prod_i Gamma(x_i + r) / (x_i! Gamma(r)) p^x_i (1 - p)^r: a model of
counts on a grid of r and p, with known evidence.

The counts are 150 of mites on leaves (Bliss and Fisher 1953); the priors are Gamma(0.01, rate 0.01)
and Beta(0.01, 0.01); all counts together are one item. z holds the bin of r and the bin of p,
`(items, 2)`; the last bin of each stands for values beyond the grid. The posterior correlation of r
and p is -0.9, so that a product of factors fits it badly. Tables are computed with floats: the
model serves tests, and no file format depends on it.

Source: Yin and Zhou 2018 (arXiv:1805.11183), section 4.2; evidence and mean-field gap were computed
for the tests.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from bbans.distributions import categorical
from bbans.distributions.autoregressive import columnwise
from bbans.distributions.distribution import Distribution, Ints
from bbans.models.base import FACTORISED, JOINT, Capabilities

Floats = NDArray[np.float64]
COUNTS = (70, 38, 17, 10, 9, 3, 2, 1)  # leaves with 0, 1, ... 7 mites
BINS = 128
R_RANGE, P_RANGE = (0.3, 4.3), (0.1, 0.9)
SHAPE = 0.01  # shape parameters of both priors
EXACT, MEAN_FIELD = "exact", "mean-field"
MASS = 2.0**36  # sum of a row of weights
SMALLEST_WEIGHT = 64  # positive, so that every bin can be coded


def observed() -> Ints:
    """Return all counts as one item, int64 `(1, 150)`.

    Examples:
        >>> int(observed().sum())
        172
    """
    return np.repeat(np.arange(len(COUNTS)), COUNTS)[None].astype(np.int64)


def centres() -> tuple[Floats, Floats]:
    """Return the values of r and p at the centres of every bin but the last, float64 `(BINS,)`
    each.

    Examples:
        >>> centres()[0].shape
        (128,)
    """
    steps = (np.arange(BINS) + 0.5) / BINS
    return R_RANGE[0] + (R_RANGE[1] - R_RANGE[0]) * steps, P_RANGE[0] + (
        P_RANGE[1] - P_RANGE[0]
    ) * steps


def log_density(r: Floats, p: Floats, counts: Floats | None = None) -> Floats:
    """log p(x, r, p): return it in nats for arrays r and p of one shape.

    `counts[v]` is the number of observations of value v; the default is the mites' counts.

    Examples:
        >>> log_density(np.array([1.0]), np.array([0.5])).shape
        (1,)
    """
    n = np.array(COUNTS, float) if counts is None else counts
    gamma = np.vectorize(math.lgamma)
    values = np.arange(len(n))
    total = sum(
        n_x * (gamma(x + r) - math.lgamma(x + 1) - gamma(r))
        for x, n_x in zip(values, n, strict=True)
    )
    likelihood = total + (n @ values) * np.log(p) + n.sum() * r * np.log1p(-p)
    prior_r = SHAPE * math.log(SHAPE) - math.lgamma(SHAPE) + (SHAPE - 1) * np.log(r) - SHAPE * r
    prior_p = (SHAPE - 1) * (np.log(p) + np.log1p(-p)) - (
        2 * math.lgamma(SHAPE) - math.lgamma(2 * SHAPE)
    )
    density: Floats = likelihood + prior_r + prior_p
    return density


@cache
def joint() -> Floats:
    """log p(x, z): return it in nats for every pair of bins, float64 `(BINS, BINS)`, as density at
    the centre times bin area.

    Examples:
        >>> joint().shape
        (128, 128)
    """
    r, p = np.meshgrid(*centres(), indexing="ij")
    size = (R_RANGE[1] - R_RANGE[0]) * (P_RANGE[1] - P_RANGE[0]) / BINS**2
    logs = log_density(r, p) + math.log(size)
    logs.setflags(write=False)
    return logs


def log_evidence() -> float:
    """log p(x) = log sum_z p(x, z): return it in nats.

    Examples:
        >>> log_evidence() < 0
        True
    """
    top = joint().max()
    return float(top + math.log(np.exp(joint() - top).sum()))


def mean_field(sweeps: int = 60) -> tuple[Floats, Floats, list[float]]:
    """Fit q(r) q(p) by coordinate ascent: return both factors, and log p(x) - ELBO in nats after
    each sweep.

    Examples:
        >>> gaps = mean_field()[2]
        >>> gaps[-1] <= gaps[0]
        True
    """
    q_r, q_p = (np.full(BINS, 1 / BINS) for _ in range(2))
    gaps = []
    for _ in range(sweeps):
        q_r = _softmax(joint() @ q_p)
        q_p = _softmax(q_r @ joint())
        bound = q_r @ joint() @ q_p - _plogp(q_r) - _plogp(q_p)
        gaps.append(log_evidence() - float(bound))
    return q_r, q_p, gaps


@dataclass(frozen=True)
class NegativeBinomial:
    """A latent model of one layer. q is the exact posterior, factored as q(r) q(p | r), or the best
    product q(r) q(p); both are those of the observed counts, whatever x is.

    `posterior_kind` is EXACT or MEAN_FIELD.
    """

    posterior_kind: str = EXACT

    @property
    def capabilities(self) -> Capabilities:
        """Return what the model declares of itself: posterior, depth, side information and
        media.
        """
        return Capabilities(FACTORISED if self.posterior_kind == MEAN_FIELD else JOINT)

    def prior(self, items: int) -> Distribution:
        """p(r) p(p): return the prior over bins, symbols `(items, 2)`."""
        return categorical.lookup(_prior_table(), np.tile([0, 1], (items, 1)))

    def likelihood(self, layer: int, above: Ints) -> Distribution:
        """p(x | r, p): return it, symbols `(items, 150)`; the last symbol value stands for larger
        counts.
        """
        row = above[:, :1] * (BINS + 1) + above[:, 1:]
        return categorical.lookup(_sample_table(), np.repeat(row, sum(COUNTS), 1))

    def posterior(self, layer: int, below: Ints) -> Distribution:
        """q(r, p): return the posterior of the observed counts, symbols `(items, 2)`."""
        items = len(below)
        if self.posterior_kind == MEAN_FIELD:
            return categorical.lookup(
                _table(np.stack(mean_field()[:2])), np.tile([0, 1], (items, 1))
            )
        posterior = np.exp(joint() - log_evidence())
        first, second = _table(posterior.sum(1)[None]), _table(posterior)

        def parts(z: Ints) -> list[Distribution]:
            row = np.minimum(z[:, :1], BINS - 1)
            return [
                categorical.lookup(first, np.zeros((items, 1), np.int64)),
                categorical.lookup(second, row),
            ]

        return columnwise(parts, (items, 2))

    def default_latent(self, items: int) -> Ints:
        """Return the middle bins, int64 `(items, 2)`."""
        return np.full((items, 2), BINS // 2, np.int64)


@cache
def _prior_table() -> Ints:
    r, p = centres()
    width_r, width_p = ((high - low) / BINS for low, high in (R_RANGE, P_RANGE))
    prior_r = width_r * np.exp(
        SHAPE * math.log(SHAPE) - math.lgamma(SHAPE) + (SHAPE - 1) * np.log(r) - SHAPE * r
    )
    prior_p = width_p * np.exp(
        (SHAPE - 1) * (np.log(p) + np.log1p(-p)) - (2 * math.lgamma(SHAPE) - math.lgamma(2 * SHAPE))
    )
    return _weights(np.stack([np.append(part, 1 - part.sum()) for part in (prior_r, prior_p)]))


@cache
def _sample_table() -> Ints:
    """Return CDFs of x, one row per pair of bins: masses of 0 to 7, and of larger counts."""
    r, p = (
        part.reshape(-1)
        for part in np.meshgrid(*(np.append(c, c[-1]) for c in centres()), indexing="ij")
    )
    x = np.arange(len(COUNTS))
    gamma = np.vectorize(math.lgamma)
    logs = (
        gamma(x + r[:, None])
        - gamma(x + 1.0)
        - gamma(r)[:, None]
        + x * np.log(p)[:, None]
        + (r * np.log1p(-p))[:, None]
    )
    masses = np.exp(logs)
    return _weights(np.concatenate([masses, np.maximum(0, 1 - masses.sum(1, keepdims=True))], 1))


def _table(rows: Floats) -> Ints:
    """Return CDFs over the bins, with the smallest possible mass beyond the grid."""
    return _weights(
        np.concatenate([rows / rows.sum(1, keepdims=True), np.zeros((len(rows), 1))], 1)
    )


def _weights(masses: Floats) -> Ints:
    return categorical.from_weights(np.rint(masses * MASS).astype(np.int64) + SMALLEST_WEIGHT)


def _softmax(logs: Floats) -> Floats:
    weights = np.exp(logs - logs.max())
    normalised: Floats = weights / weights.sum()
    return normalised


def _plogp(q: Floats) -> float:
    return float((q * np.log(np.maximum(q, 1e-300))).sum())
