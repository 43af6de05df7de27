"""ELBO(q, theta) = sum_n E_q[log p(x_n, z_n | theta) - log q(z_n)]: ascend in q, then in theta, and
it never falls.

Variational EM for a mixture of categoricals (q exact, so that the ELBO is the log-likelihood) and
for probabilistic PCA (q a diagonal Gaussian, a sweep of coordinate ascent a step). Both are
closed-form and numpy only; what they fit becomes a codec as `models.analytic` does it. Everything
is float64 and in nats.

Sources: Neal and Hinton 1998; Tipping and Bishop 1999 (PPCA); Blei, Kucukelbir and McAuliffe 2017
(arXiv:1601.00670).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Mixture:
    """p(z = k) = prior[k], p(x_d = v | z = k) = likelihood[k, d, v]; float64 `(K,)` and `(K, D,
    V)`.
    """

    prior: Floats
    likelihood: Floats


def mixture_step(
    model: Mixture, x: NDArray[np.int64], pseudo_count: float = 0.0
) -> tuple[Mixture, float]:
    """q = p(z | x), then theta; the new model and the ELBO at q and the old one, in nats.

    x int64 `(N, D)` in 0..V-1. With a pseudo-count what never falls is the ELBO plus `pseudo_count`
    times the sum of all log probabilities of theta (a Dirichlet prior), and no symbol's probability
    becomes 0.
    """
    values = model.likelihood.shape[2]
    with np.errstate(divide="ignore"):  # log 0 is what an impossible symbol has
        log_p = np.log(model.prior) + sum(
            np.log(model.likelihood[:, d, x[:, d]]).T for d in range(x.shape[1])
        )
    most = log_p.max(1, keepdims=True)
    log_x = most + np.log(np.exp(log_p - most).sum(1, keepdims=True))
    q = np.exp(log_p - log_x)
    prior = q.sum(0) + pseudo_count
    likelihood = np.einsum("nk,ndv->kdv", q, x[:, :, None] == np.arange(values)) + pseudo_count
    return Mixture(prior / prior.sum(), likelihood / likelihood.sum(2, keepdims=True)), float(
        log_x.sum()
    )


@dataclass(frozen=True, eq=False)
class Ppca:
    """x = W z + mean + noise, z ~ N(0, I), noise ~ N(0, variance I); W `(D, H)`, mean `(D,)`."""

    weights: Floats
    mean: Floats
    variance: float


@dataclass(frozen=True, eq=False)
class Posterior:
    """q(z_n) = N(mean_n, diag(variance)): float64 `(N, H)` and `(H,)`, the same variance for every
    x.
    """

    mean: Floats
    variance: Floats


def ppca_posterior_step(model: Ppca, x: Floats, q: Posterior) -> Posterior:
    """One sweep of coordinate ascent in q: each dimension of z given the means of the others; x
    float64 `(N, D)`.
    """
    w, s = model.weights, model.variance
    precision = w.T @ w / s + np.eye(w.shape[1])
    target = (x - model.mean) @ w / s
    mean = q.mean.copy()
    for j in range(w.shape[1]):
        others = mean @ precision[:, j] - mean[:, j] * precision[j, j]
        mean[:, j] = (target[:, j] - others) / precision[j, j]
    return Posterior(mean, 1 / np.diag(precision))


def ppca_model_step(model: Ppca, x: Floats, q: Posterior) -> Ppca:
    """W and the noise's variance that maximise the ELBO at q; the mean stays."""
    y, second = x - model.mean, q.mean.T @ q.mean + len(x) * np.diag(q.variance)
    w = np.linalg.solve(second, q.mean.T @ y).T
    error = (y**2).sum() - 2 * ((y @ w) * q.mean).sum() + np.trace(w @ second @ w.T)
    return Ppca(w, model.mean, float(error / y.size))


def ppca_elbo(model: Ppca, x: Floats, q: Posterior) -> float:
    """ELBO of all of x, in nats."""
    w, s, n = model.weights, model.variance, len(x)
    error = ((x - model.mean - q.mean @ w.T) ** 2).sum() + n * float((w**2 @ q.variance).sum())
    reconstruction = -0.5 * (error / s + x.size * math.log(2 * math.pi * s))
    divergence = 0.5 * ((q.mean**2).sum() + n * (q.variance - np.log(q.variance) - 1).sum())
    return float(reconstruction - divergence)


def ppca_log_evidence(model: Ppca, x: Floats) -> float:
    """log N(x; mean, W W^T + variance I), summed over x, in nats."""
    y, covariance = (
        x - model.mean,
        model.weights @ model.weights.T + model.variance * np.eye(x.shape[1]),
    )
    log_det = float(np.linalg.slogdet(covariance)[1])
    square = float((y * np.linalg.solve(covariance, y.T).T).sum())
    return float(-0.5 * (square + len(x) * (log_det + x.shape[1] * math.log(2 * math.pi))))
