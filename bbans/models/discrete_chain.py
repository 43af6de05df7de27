"""p(x) = sum_z p(x, z) and p(z | x) = p(x, z) / p(x) as sums of integers: a Markov chain of
discrete latents with known evidence, to verify coding schemes against.

Every probability is a frequency out of 2^24. Evidences are in bits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bbans.distributions import categorical
from bbans.distributions.distribution import Distribution, Ints
from bbans.distributions.inverse_cdf import as_int64
from bbans.models.base import FACTORISED, Capabilities

Bits = NDArray[np.float64]

MAX_CONFIGURATIONS = 2**16
POSTERIOR_MASS = 36  # log2 of the sum of a row of posterior weights, before it is quantised


@dataclass(frozen=True, eq=False)
class DiscreteChain:
    """z_L -> ... -> z_1 -> x: a Markov chain with one symbol per latent layer; x has D symbols of V
    values each, independent given z_1.

    `generative` and `inference` are tables of CDFs (one per row, as `categorical.from_weights`
    returns them): `generative[0]` has row z_1 D + d for symbol d of x, `generative[l]` row z_(l+1),
    and the last one a single row, the prior; `inference[0]` has a row for each of the V^D values of
    x, `inference[l]` row z_l. `evidence` float64 `(V^D,)` is -log2 p(x) for every x, first symbol
    slowest.
    """

    generative: tuple[Ints, ...]
    inference: tuple[Ints, ...]
    evidence: Bits
    dims: int

    @property
    def capabilities(self) -> Capabilities:
        """Return what the model declares of itself: posterior, depth, side information and
        media.
        """
        return Capabilities(FACTORISED, len(self.inference))

    @property
    def values(self) -> int:
        """The number of values V of a symbol of x."""
        return int(self.generative[0].shape[1] - 1)

    def states(self, layer: int) -> int:
        """Return the number of states of z_layer, layer 1 to L."""
        return int(self.generative[layer].shape[1] - 1)

    def prior(self, items: int) -> Distribution:
        """p(z_L): return the prior of the top layer, symbols `(items, 1)`."""
        return categorical.lookup(self.generative[-1], np.zeros((items, 1), np.int64))

    def likelihood(self, layer: int, above: Ints) -> Distribution:
        """p(z_layer | z_(layer + 1) = above): return it, symbols `(items, 1)`; layer 0 is p(x |
        z_1), `(items, D)`.
        """
        return categorical.lookup(
            self.generative[layer], above if layer else above * self.dims + np.arange(self.dims)
        )

    def posterior(self, layer: int, below: Ints) -> Distribution:
        """q(z_layer | z_(layer - 1) = below): return it, symbols `(items, 1)`; layer 1 is q(z_1 |
        x).
        """
        return categorical.lookup(
            self.inference[layer - 1], below if layer > 1 else self.index(below)[:, None]
        )

    def default_latent(self, items: int) -> Ints:
        """Return zeros, int64 `(items, 1)`."""
        return np.zeros((items, 1), np.int64)

    def index(self, x: Ints) -> Ints:
        """Return the row number of each x in `configurations`, int64 `(items,)`."""
        return as_int64(x) @ (self.values ** np.arange(self.dims)[::-1])

    def configurations(self) -> Ints:
        """Return every x, int64 `(V^D, D)`, first symbol slowest."""
        return _configurations(self.values, self.dims)

    def evidence_bits(self, x: Ints) -> Bits:
        """-log2 p(x): return it in bits, float64 `(items,)`, exact up to float rounding."""
        return self.evidence[self.index(x)]


def discrete_chain(
    likelihood: Ints, layers: Sequence[Ints], prior: Ints, posterior: Sequence[Ints] | None = None
) -> DiscreteChain:
    """Build a `DiscreteChain` from integer weights; its posterior is exact (up to rounding to 24
    bits) unless other posterior weights are given.

    likelihood int64 `(K_1, D, V)`, layers[l - 1] `(K_(l+1), K_l)` for l = 1..L-1, prior `(K_L,)`;
    posterior[0] `(V^D, K_1)`, posterior[l] `(K_l, K_(l+1))`. Raises ValueError where shapes do not
    fit, where V^D exceeds 2^16, and on weights that `categorical.from_weights` refuses.

    Examples:
        >>> model = discrete_chain(np.array([[[3, 1]], [[1, 3]]]), (), np.array([1, 1]))
        >>> model.evidence_bits(np.array([[0], [1]])).round(3)
        array([1., 1.])
    """
    k, dims, values = likelihood.shape
    if values**dims > MAX_CONFIGURATIONS:
        raise ValueError(
            f"at most {MAX_CONFIGURATIONS} different x can be enumerated; found {values}^{dims}"
        )
    tables = [as_int64(likelihood).reshape(k * dims, values), *layers, prior[None]]
    if any(
        b.shape[1] != a
        for a, b in zip([k, *(len(table) for table in layers)], tables[1:], strict=True)
    ):
        raise ValueError(
            "each layer has a row for every state above and a column for its own; found "
            f"{[t.shape for t in tables]}"
        )
    generative = tuple(categorical.from_weights(table) for table in tables)
    # Python integers: counts of the marginals of z_L, ..., z_1 and of (x, z_1) have 24 bits per
    # factor.
    counts = [np.diff(table, axis=1).astype(object) for table in generative]
    marginals = [counts[-1][0]]
    for table in reversed(counts[1:-1]):
        marginals.insert(0, marginals[0] @ table)
    x = _configurations(values, dims)
    joint = marginals[0] * np.stack(
        [counts[0].reshape(k, dims, values)[:, d, x[:, d]].T for d in range(dims)]
    ).prod(0)
    bits = categorical.PRECISION * (len(marginals) + dims)
    evidence = np.array([bits - math.log2(int(total)) for total in joint.sum(1)])
    if posterior is None:
        posterior = [
            _scaled(joint),
            *(
                _scaled((m[:, None] * table).T)
                for m, table in zip(marginals[1:], counts[1:-1], strict=True)
            ),
        ]
    expected = [(values**dims, k), *((table.shape[1], table.shape[0]) for table in layers)]
    if [table.shape for table in posterior] != expected:
        raise ValueError(
            f"expected posterior weights of shapes {expected}; found "
            f"{[table.shape for table in posterior]}"
        )
    return DiscreteChain(
        generative, tuple(categorical.from_weights(table) for table in posterior), evidence, dims
    )


def finite_mixture(likelihood: Ints, prior: Ints, posterior: Ints | None = None) -> DiscreteChain:
    """p(x) = sum_z p(z) prod_d p(x_d | z): build the `DiscreteChain` of depth 1 from weights `(K,
    D, V)` and `(K,)`.

    q is the exact posterior, or given by weights `(V^D, K)`. Raises ValueError where shapes do not
    fit.

    Examples:
        >>> finite_mixture(np.ones((2, 3, 2), np.int64), np.array([1, 1])).capabilities.depth
        1
    """
    return discrete_chain(likelihood, (), prior, None if posterior is None else (posterior,))


def _configurations(values: int, dims: int) -> Ints:
    return np.stack(np.unravel_index(np.arange(values**dims), (values,) * dims), 1).astype(np.int64)


def _scaled(counts: NDArray[np.object_]) -> Ints:
    """Turn rows of Python integers into int64 weights whose sum is at most 2^36."""
    weights: Ints = ((counts << POSTERIOR_MASS) // counts.sum(1, keepdims=True)).astype(np.int64)
    return weights
