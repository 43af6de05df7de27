"""Small models that can be enumerated, and their terms by enumeration: the oracle of the
catalogue's tests.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from bbans.distributions.categorical import from_weights
from bbans.models.analytic import DiscreteChain, discrete_chain, finite_mixture

Floats = NDArray[np.float64]


def mixture(
    seed: int = 0, k: int = 4, dims: int = 1, values: int = 5, wrong: bool = False
) -> DiscreteChain:
    """z of k states, x of `dims` symbols; with `wrong` a q that knows nothing of the posterior."""
    rng = np.random.default_rng(seed)
    likelihood, prior = rng.integers(1, 100, (k, dims, values)), rng.integers(1, 100, k)
    return finite_mixture(
        likelihood, prior, rng.integers(1, 100, (values**dims, k)) if wrong else None
    )


def markov(
    depth: int, seed: int = 0, k: int = 6, dims: int = 2, values: int = 5, wrong: bool = False
) -> DiscreteChain:
    """A hierarchy of `depth` latents of k states each."""
    rng = np.random.default_rng(seed)
    likelihood, prior = rng.integers(1, 100, (k, dims, values)), rng.integers(1, 100, k)
    layers = [rng.integers(1, 100, (k, k)) for _ in range(depth - 1)]
    posterior = [rng.integers(1, 100, (rows, k)) for rows in (values**dims, *[k] * (depth - 1))]
    return discrete_chain(likelihood, layers, prior, posterior if wrong else None)


def tilted(chain: DiscreteChain, seed: int = 0, most: int = 5) -> DiscreteChain:
    """The chain with each weight of its q multiplied by 1 to `most`, at random: a q that is
    somewhat wrong.
    """
    rng = np.random.default_rng(seed)
    weights = [np.diff(table, axis=1) for table in chain.inference]
    return replace(
        chain,
        inference=tuple(from_weights(w * rng.integers(1, most + 1, w.shape)) for w in weights),
    )


def enumerated(chain: DiscreteChain) -> tuple[Floats, Floats, Floats]:
    """p(z), p(x | z) and q(z | x) of a chain of depth 1, `(k,)`, `(x, k)`, `(x, k)`: exact, read
    off the frequencies.
    """
    assert chain.capabilities.depth == 1
    k, x = chain.states(1), chain.configurations()
    of_x = np.diff(chain.generative[0], axis=1).reshape(k, chain.dims, chain.values) / 2**24
    likelihood = np.stack([of_x[:, d, x[:, d]] for d in range(chain.dims)]).prod(0).T
    return (
        np.diff(chain.generative[1], axis=1)[0] / 2**24,
        likelihood,
        np.diff(chain.inference[0], axis=1) / 2**24,
    )


def kl_bits(q: Floats, p: Floats) -> Floats:
    """KL(q || p) along the last axis, in bits."""
    found: Floats = (q * np.log2(q / p)).sum(-1)
    return found


def chi_square(counts: NDArray[np.int64], p: Floats) -> float:
    """Pearson's statistic."""
    expected = counts.sum() * p
    return float(((counts - expected) ** 2 / expected).sum())


def standard_errors(values: Floats, expected: float = 0.0) -> float:
    """By how many standard errors the mean of `values` is off."""
    return float(abs(values.mean() - expected) / (values.std(ddof=1) / np.sqrt(len(values))))


def importance_bound(log_w: Floats, q: Floats, particles: int) -> Floats:
    """-L_K = E[-log2 (1 / K) sum_k w_k] of log2 w `(..., k)` under q `(..., k)`, exactly: over how
    often each state is drawn.
    """
    k = q.shape[-1]
    bars = np.array(list(combinations(range(particles + k - 1), k - 1))).reshape(-1, k - 1)
    edges = np.concatenate(
        [np.full((len(bars), 1), -1), bars, np.full((len(bars), 1), particles + k - 1)], 1
    )
    counts = np.diff(edges, axis=1) - 1
    factorials = np.concatenate([[0.0], np.log(np.arange(1, particles + 1)).cumsum()])
    log_p = factorials[particles] - factorials[counts].sum(1) + np.log(q) @ counts.T
    mean_w = np.exp2(log_w) @ counts.T / particles
    found: Floats = -(np.exp(log_p) * np.log2(mean_w)).sum(-1)
    return found
