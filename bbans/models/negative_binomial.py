"""p(x, r, p) = Gamma(r) Beta(p) prod_i Gamma(x_i + r) / (x_i!

Gamma(r)) p^x_i (1 - p)^r: counts, on a grid of r and p where all is known.

The counts are 150 of mites on leaves (Bliss and Fisher 1953); priors Gamma(0.01, rate 0.01) and
Beta(0.01, 0.01); one item is all of them. z is the number of r's bin and of p's, `(items, 2)`; the
last bin of both is what lies beyond the grid. The posterior's correlation is -0.9, so that no
product of factors comes near it. Tables come from floats: this is a bench, and no format depends on
it. Bits.

Source: Yin and Zhou 2018 (arXiv:1805.11183), section 4.2; the evidence and the gap of mean-field
were computed for these tests.
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
SHAPE = 0.01  # of both priors
EXACT, MEAN_FIELD = "exact", "mean-field"
MASS = 2.0**36  # of a row of weights
PLENTY = 64  # smallest weight of a bin


def observed() -> Ints:
    """All counts as one item, int64 `(1, 150)`."""
    return np.repeat(np.arange(len(COUNTS)), COUNTS)[None].astype(np.int64)


def centres() -> tuple[Floats, Floats]:
    """r and p of every bin but the last."""
    steps = (np.arange(BINS) + 0.5) / BINS
    return R_RANGE[0] + (R_RANGE[1] - R_RANGE[0]) * steps, P_RANGE[0] + (
        P_RANGE[1] - P_RANGE[0]
    ) * steps


def log_density(r: Floats, p: Floats, counts: Floats | None = None) -> Floats:
    """log p(x, r, p) in nats of arrays of one shape."""
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
    found: Floats = likelihood + prior_r + prior_p
    return found


@cache
def joint() -> Floats:
    """log p(x, z) in nats of every pair of bins, `(BINS, BINS)`: density at the centres times their
    size.
    """
    r, p = np.meshgrid(*centres(), indexing="ij")
    size = (R_RANGE[1] - R_RANGE[0]) * (P_RANGE[1] - P_RANGE[0]) / BINS**2
    found = log_density(r, p) + math.log(size)
    found.setflags(write=False)
    return found


def log_evidence() -> float:
    """log p(x) in nats."""
    top = joint().max()
    return float(top + math.log(np.exp(joint() - top).sum()))


def mean_field(sweeps: int = 60) -> tuple[Floats, Floats, list[float]]:
    """Factors q(r), q(p) of the best product by CAVI, and log p(x) - ELBO in nats after each
    sweep.
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
    """The chain of one layer. q is the posterior, as q(r) q(p | r), or the best product of two
    factors, whatever x is.
    """

    posterior_kind: str = EXACT

    @property
    def capabilities(self) -> Capabilities:
        """What the model declares of itself."""
        return Capabilities(FACTORISED if self.posterior_kind == MEAN_FIELD else JOINT)

    def prior(self, items: int) -> Distribution:
        """p(r) p(p)."""
        return categorical.lookup(_prior_table(), np.tile([0, 1], (items, 1)))

    def likelihood(self, layer: int, above: Ints) -> Distribution:
        """p(x | r, p)."""
        row = above[:, :1] * (BINS + 1) + above[:, 1:]
        return categorical.lookup(_sample_table(), np.repeat(row, sum(COUNTS), 1))

    def posterior(self, layer: int, below: Ints) -> Distribution:
        """q(r, p), made for the counts observed."""
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
        """The bins at a half."""
        return np.full((items, 2), BINS // 2, np.int64)


@cache
def _prior_table() -> Ints:
    r, p = centres()
    width_r, width_p = ((high - low) / BINS for low, high in (R_RANGE, P_RANGE))
    of_r = width_r * np.exp(
        SHAPE * math.log(SHAPE) - math.lgamma(SHAPE) + (SHAPE - 1) * np.log(r) - SHAPE * r
    )
    of_p = width_p * np.exp(
        (SHAPE - 1) * (np.log(p) + np.log1p(-p)) - (2 * math.lgamma(SHAPE) - math.lgamma(2 * SHAPE))
    )
    return _weights(np.stack([np.append(part, 1 - part.sum()) for part in (of_r, of_p)]))


@cache
def _sample_table() -> Ints:
    """A row for every r and p, elsewhere too: masses of 0 to 7, and of more."""
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
    """CDFs over the bins, with next to nothing beyond."""
    return _weights(
        np.concatenate([rows / rows.sum(1, keepdims=True), np.zeros((len(rows), 1))], 1)
    )


def _weights(masses: Floats) -> Ints:
    return categorical.from_weights(np.rint(masses * MASS).astype(np.int64) + PLENTY)


def _softmax(logs: Floats) -> Floats:
    found = np.exp(logs - logs.max())
    normalised: Floats = found / found.sum()
    return normalised


def _plogp(q: Floats) -> float:
    return float((q * np.log(np.maximum(q, 1e-300))).sum())
