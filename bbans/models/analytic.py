"""p(x) = sum_z p(x, z) and p(z | x) = p(x, z) / p(x) that can be computed: benches on which every
law of a scheme can be checked.

`discrete_chain` has discrete latents of any depth (`finite_mixture` is its depth 1): every
probability is a frequency out of 2^24, evidence and posterior are sums of integers.
`LinearGaussian` has Gaussian latents over the bins that image models use, and densities in closed
form to compare with. Both are chains as in `models.base`; numpy only. Evidences are in
bits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bbans.distributions import categorical, gaussian, gaussian_bins
from bbans.distributions.distribution import Distribution, Ints, factorised
from bbans.distributions.inverse_cdf import as_int64
from bbans.models.base import DIAGONAL_GAUSSIAN, FACTORISED, Capabilities

Bits = NDArray[np.float64]

MAX_CONFIGURATIONS = 2**16
POSTERIOR_MASS = 36  # bits of a row of posterior weights before they become frequencies
LATENT_UNIT = 128


@dataclass(frozen=True, eq=False)
class DiscreteChain:
    """z_L -> ... -> z_1 -> x: one symbol a latent layer, x of D symbols of V values, independent
    given z_1.

    Tables of CDFs as `categorical.from_weights` makes them: `generative[0]` has row z_1 D + d for
    symbol d of x, `generative[l]` row z_(l+1), the last one the single row of the prior;
    `inference[0]` has a row for each of the V^D x, `inference[l]` row z_l. `evidence` is -log2 p(x)
    of each of the V^D x, first symbol slowest.
    """

    generative: tuple[Ints, ...]
    inference: tuple[Ints, ...]
    evidence: Bits
    dims: int

    @property
    def capabilities(self) -> Capabilities:
        """What the model declares of itself."""
        return Capabilities(FACTORISED, len(self.inference))

    @property
    def values(self) -> int:
        """Values V of a symbol of x."""
        return int(self.generative[0].shape[1] - 1)

    def states(self, layer: int) -> int:
        """Values of z_layer, layer 1 to L."""
        return int(self.generative[layer].shape[1] - 1)

    def prior(self, items: int) -> Distribution:
        """p(z_L)."""
        return categorical.lookup(self.generative[-1], np.zeros((items, 1), np.int64))

    def likelihood(self, layer: int, above: Ints) -> Distribution:
        """p(z_layer | z_(layer + 1) = above)."""
        return categorical.lookup(
            self.generative[layer], above if layer else above * self.dims + np.arange(self.dims)
        )

    def posterior(self, layer: int, below: Ints) -> Distribution:
        """q(z_layer | z_(layer - 1) = below)."""
        return categorical.lookup(
            self.inference[layer - 1], below if layer > 1 else self.index(below)[:, None]
        )

    def default_latent(self, items: int) -> Ints:
        """Zeros."""
        return np.zeros((items, 1), np.int64)

    def index(self, x: Ints) -> Ints:
        """The number of each x, int64 `(items,)`, in the order of `configurations`."""
        return as_int64(x) @ (self.values ** np.arange(self.dims)[::-1])

    def configurations(self) -> Ints:
        """Every x, int64 `(V^D, D)`."""
        return _configurations(self.values, self.dims)

    def evidence_bits(self, x: Ints) -> Bits:
        """-log2 p(x), float64 `(items,)`, exact to the last bits of a float."""
        return self.evidence[self.index(x)]


def discrete_chain(
    likelihood: Ints, layers: Sequence[Ints], prior: Ints, posterior: Sequence[Ints] | None = None
) -> DiscreteChain:
    """The chain of these weights, its posterior exact (to its rounding to 24 bits) unless weights
    of another are given.

    likelihood int64 `(K_1, D, V)`, layers[l - 1] `(K_(l+1), K_l)` for l = 1..L-1, prior `(K_L,)`;
    posterior[0] `(V^D, K_1)`, posterior[l] `(K_l, K_(l+1))`. Raises ValueError where they do not
    fit, and as `categorical.from_weights`.
    """
    k, dims, values = likelihood.shape
    if values**dims > MAX_CONFIGURATIONS:
        raise ValueError(
            f"at most {MAX_CONFIGURATIONS} different x can be enumerated; found {values}^{dims}"
        )
    given = [as_int64(likelihood).reshape(k * dims, values), *layers, prior[None]]
    if any(
        b.shape[1] != a
        for a, b in zip([k, *(len(table) for table in layers)], given[1:], strict=True)
    ):
        raise ValueError(
            "each layer has a row for every state above and a column for its own; found "
            f"{[t.shape for t in given]}"
        )
    generative = tuple(categorical.from_weights(table) for table in given)
    # Python's integers: counts of the marginals of z_L, ..., z_1 and of (x, z_1) have 24 bits a
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
    """p(x) = sum_z p(z) prod_d p(x_d | z) of weights `(K, D, V)` and `(K,)`, with another q than
    the exact one from `(V^D, K)`.
    """
    return discrete_chain(likelihood, (), prior, None if posterior is None else (posterior,))


@dataclass(frozen=True)
class LinearGaussian:
    """z_j ~ N(0, 1), x_jr = centre + sigma z_j + sigma e_jr, r = 1..4^k - 1: posterior N(sum_r
    (x_jr - centre) / (4^k sigma), 4^-k).

    x is int64 `(items, latents (4^k - 1))`, grey levels 0..n-1; sigma = 2^scale of them; z is the
    number of one of 2^latent_precision bins of equal mass. `mean_offset` (in 1/128) and
    `sigma_steps` (in 1/8 octave) make q another than the exact posterior.

    What the discretisation does: given z, x has a Gaussian's mass over whole grey levels, so that
    the model is a mixture of 2^latent_precision points a latent, at bins' medians rounded to 1/128,
    and `evidence_bits` sums exactly that. It differs from `density_bits`, the density at x, by
    terms in (1 / sigma)^2 and in the width of bins over that of the posterior. q is the density's
    posterior over the bins, mean rounded to 1/128, and nearly that of the discrete model.
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
        """What the model declares of itself."""
        return Capabilities(DIAGONAL_GAUSSIAN)

    @property
    def copies(self) -> int:
        """Samples of each latent, 4^k - 1."""
        return int(4**self.k - 1)

    @property
    def centre(self) -> int:
        """Mean grey level."""
        return self.n // 2

    def prior(self, items: int) -> Distribution:
        """p(z)."""
        return gaussian_bins.standard_normal((items, self.latents), self.latent_precision)

    def likelihood(self, layer: int, above: Ints) -> Distribution:
        """p(x | z)."""
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
        """q(z | x)."""
        return gaussian_bins.gaussian(*self.gaussians(below))

    def gaussians(self, below: Ints) -> tuple[Ints, Ints, int]:
        """Means in 1/128 and sigma indices of q(z | x), each `(items, latents)`, and the latent
        precision.
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
        """The bin above 0."""
        return np.full((items, self.latents), 1 << (self.latent_precision - 1), np.int64)

    def evidence_bits(self, x: Ints) -> Bits:
        """-log2 p(x) of the discrete model, by summing over its bins; float64 `(items,)`."""
        bins = 1 << self.latent_precision
        location = self._location(np.arange(bins))
        found = np.empty(len(x))
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
            found[item] = total
        return found

    def density_bits(self, x: Ints) -> Bits:
        """-log2 of N(x; centre, sigma^2 (I + 1 1^T)), one latent's samples at a time; float64
        `(items,)`.
        """
        y = ((x - self.centre) / 2.0**self.scale).reshape(len(x), self.latents, self.copies)
        square = (y**2).sum(2) - y.sum(2) ** 2 / 4**self.k
        nats = 0.5 * (
            square + self.copies * math.log(2 * math.pi) + self.k * math.log(4)
        ) + self.copies * self.scale * math.log(2)
        found: Bits = nats.sum(1) / math.log(2)
        return found

    def divergence_bits(self) -> float:
        """KL(q || p(z | x)) of the densities: what the offsets of q cost an item."""
        ratio, shift = 2.0 ** (self.sigma_steps / 8), self.mean_offset / LATENT_UNIT * 2**self.k
        return float(
            self.latents * 0.5 * (ratio**2 + shift**2 - 1 - 2 * math.log(ratio)) / math.log(2)
        )

    def _location(self, bins: Ints) -> Ints:
        """Location of x in 1/32 grey level: 32 centre + 32 sigma u, u in 1/128."""
        found: Ints = (self.centre << 5) + (
            gaussian_bins.value(self.latent_precision, bins) << self.scale >> 2
        )
        return found

    def _scale_index(self) -> int:
        return 16 * (self.scale + 4)


def _configurations(values: int, dims: int) -> Ints:
    return np.stack(np.unravel_index(np.arange(values**dims), (values,) * dims), 1).astype(np.int64)


def _scaled(counts: NDArray[np.object_]) -> Ints:
    """Rows of Python integers as weights that sum to 2^36 at most."""
    found: Ints = ((counts << POSTERIOR_MASS) // counts.sum(1, keepdims=True)).astype(np.int64)
    return found
