"""Net rate = -log2 (1 / K) sum_k w_k, w_k = p(x, z_k) / q(z_k | x), message by message: BB-IS and
BB-CIS, in expectation -L_K of IWAE.

The latents of one layer are K particles and the index j of the one that codes x. The encoder pops
the particles with q, pops j with probability w_j / sum_k w_k, and pushes what is left of the
particles given z_j, then j uniformly, x given z_j, and z_j. What is pushed counts as prior, what is
popped as posterior: this is BB-ANS on an extended space (its overhead over -log2 p(x) is the
divergence there).

- `codec` (BB-IS): z_1, ..., z_K are independent, the others are pushed with q. Initial bits are
  those of K times q.
- `coupled_codec` (BB-CIS): one number u in [0, 1) a dimension is quantile of every particle,
  shifted by k's share: z_k = F^-1(u + s_k mod 1), so that each has the law q alone. Only the cell
  of u in which no particle changes is popped; given z_j it costs log2 of the interval of z_j over
  the cell's, and initial bits stay near those of one particle. Shifts are a Latin hypercube: k / K
  in each dimension, in an order that is pseudo-random from the second particle on.

Weights come from integer code lengths (`distributions.fixed_point_log`) as frequencies out of 2^24.
The identity is off by what that rounding does to the chosen frequency f, (2 / f + K 2^-24) / ln 2
bit at most, besides 1e-5; f < 3000 has a probability below K 2e-4. K = 1 is `bits_back`, bit for
bit. Both need a chain of one layer, `coupled_codec` a posterior of independent symbols.

Source: Ruan, Ullrich, Severo, Townsend, Khisti, Doucet, Makhzani and Maddison 2021 (McBits,
arXiv:2102.11086); the bound: Burda, Grosse and Salakhutdinov 2016 (arXiv:1509.00519). Popping cells
instead of all digits of u is ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from bbans.coding.blocks import pop_block, push_block
from bbans.coding.codec import Codec
from bbans.coding.rans import Message
from bbans.coding.sub_interval import pop_within, push_within
from bbans.distributions import builders, categorical, fixed_point_log
from bbans.distributions.distribution import Distribution, Factors, Ints
from bbans.models.base import LatentModel
from bbans.schemes.metering import (
    POSTERIOR,
    PRIOR,
    Record,
    Scheme,
    check_items,
    generative,
    metered,
)

MAX_POOL = 2**10  # particles
SHIFT_SEED = 0


def scheme(particles: int, coupled: bool = False) -> Scheme:
    """The codec of K particles as `bounds` and `stream` take one: a function of chain, items and
    record.
    """
    make = coupled_codec if coupled else codec

    def build(chain: LatentModel, items: int, record: Record | None = None) -> Codec:
        return make(chain, items, particles, record)

    return build


def codec(chain: LatentModel, items: int, particles: int, record: Record | None = None) -> Codec:
    """BB-IS of samples int64 `(items, dims)`.

    Raises ValueError on chains and particles it is not for; pushing, UnderflowError.
    """
    _check(chain, particles)

    def push(message: Message, x: Ints) -> tuple[Message]:
        check_items(x, items)
        q = chain.posterior(1, x)
        popped, pushed = metered(q, POSTERIOR, record), metered(q, PRIOR, record)
        drawn = []
        for _ in range(particles):
            message, one = popped.pop(message)
            drawn.append(one)
        z = np.stack(drawn)
        message, j = metered(_choice(chain, q, x, z), POSTERIOR, record).pop(message)
        for other in np.take_along_axis(z, _others(j, particles), 0):
            (message,) = pushed.push(message, other)
        return _push_chosen(message, chain, x, z, j, record)

    def pop(message: Message) -> tuple[Message, Ints]:
        message, x, chosen, j = _pop_chosen(message, chain, items, particles, record)
        z = np.empty((particles, *chosen.shape), np.int64)
        np.put_along_axis(z, j[None], chosen[None], 0)
        q = chain.posterior(1, x)
        popped, pushed = metered(q, POSTERIOR, record), metered(q, PRIOR, record)
        others = []
        for _ in range(particles - 1):
            message, other = pushed.pop(message)
            others.append(other)
        if others:
            np.put_along_axis(z, _others(j, particles), np.stack(others[::-1]), 0)
        (message,) = metered(_choice(chain, q, x, z), POSTERIOR, record).push(message, j)
        for one in z[::-1]:
            (message,) = popped.push(message, one)
        return message, x

    return Codec(push, pop)


def coupled_codec(
    chain: LatentModel, items: int, particles: int, record: Record | None = None
) -> Codec:
    """BB-CIS of samples int64 `(items, dims)`.

    Raises ValueError on chains and particles it is not for; pushing, UnderflowError.
    """
    _check(chain, particles)

    def push(message: Message, x: Ints) -> tuple[Message]:
        check_items(x, items)
        posterior = chain.posterior(1, x)
        q = _factors(posterior)
        cells = _cells(q, particles)
        message, starts = pop_block(message, q.shape[0] * q.shape[1], q.precision, cells.locate)
        _tell(record, POSTERIOR, -(q.precision - np.log2(cells.freqs)))
        z = cells.z.reshape(particles, *q.shape)
        message, j = metered(_choice(chain, posterior, x, z), POSTERIOR, record).pop(message)
        outer_starts, outer_freqs = q.interval(np.take_along_axis(z, j[None], 0).reshape(-1))
        moved = (starts + cells.shift_of(j)) & cells.mask
        message = push_within(message, moved, cells.freqs, outer_starts, outer_freqs, q.precision)
        _tell(record, PRIOR, np.log2(outer_freqs) - np.log2(cells.freqs))
        return _push_chosen(message, chain, x, z, j, record)

    def pop(message: Message) -> tuple[Message, Ints]:
        message, x, chosen, j = _pop_chosen(message, chain, items, particles, record)
        posterior = chain.posterior(1, x)
        q = _factors(posterior)
        cells = _cells(q, particles)
        shift = cells.shift_of(j)
        outer_starts, outer_freqs = q.interval(chosen.reshape(-1))

        def part(cf: Ints, first: int, last: int) -> tuple[Ints, Ints]:
            start, _, freq = cells.locate(
                (cf.astype(np.int64) - shift[first:last]) & cells.mask, first, last
            )
            return (start + shift[first:last]) & cells.mask, freq

        message, moved, freqs = pop_within(message, part, outer_starts, outer_freqs, q.precision)
        _tell(record, PRIOR, np.log2(outer_freqs) - np.log2(freqs))
        z = cells.z.reshape(particles, *q.shape)
        (message,) = metered(_choice(chain, posterior, x, z), POSTERIOR, record).push(message, j)
        message = push_block(message, (moved - shift) & cells.mask, freqs, q.precision)
        _tell(record, POSTERIOR, -(q.precision - np.log2(freqs)))
        return message, x

    return Codec(push, pop)


def coupled_particles(q: Distribution, rng: np.random.Generator, particles: int) -> Ints:
    """Particles int64 `(K, items, dims)` as `coupled_codec` pops them, of random numbers u.

    Raises ValueError as it does.
    """
    factors = _factors(q)
    cells = _cells(factors, particles)
    cells.locate(rng.integers(0, cells.mask + 1, cells.freqs.shape), 0, len(cells.freqs))
    return cells.z.reshape(particles, *factors.shape)


@lru_cache(maxsize=8)
def shifts(particles: int, dims: int, precision: int) -> Ints:
    """floor(2^precision pi_d(k) / K), int64 `(K, dims)`, pi_d a permutation that leaves 0 where it
    is: the quantiles' shifts.
    """
    keys = (
        np.random.PCG64(SHIFT_SEED).random_raw((particles - 1) * dims).reshape(particles - 1, dims)
    )
    order = np.concatenate(
        [np.zeros((1, dims), np.int64), 1 + keys.argsort(0, kind="stable").astype(np.int64)]
    )
    found: Ints = (order << precision) // particles
    found.setflags(write=False)
    return found


@dataclass(frozen=True, eq=False)
class _Cells:
    """The cells of u in which no particle changes, of every symbol of q.

    One walk over all symbols leaves the particles in `z`, int64 `(K, items * dims)`, and the cells'
    frequencies in `freqs`.
    """

    q: Factors
    shifts: Ints
    z: Ints
    freqs: Ints

    @property
    def mask(self) -> int:
        """Of a number of q's precision."""
        return (1 << self.q.precision) - 1

    def locate(self, cf: Ints, first: int, last: int) -> tuple[Ints, Ints, Ints]:
        """`(start, start, freq)` of the cells that hold `cf`, of symbols first..last-1: a cell is
        named by its start.
        """
        u = cf.astype(np.int64)
        below = np.full(last - first, self.mask + 1)
        above = below.copy()
        for k, shift in enumerate(self.shifts):
            moved = (u + shift[np.arange(first, last) % len(shift)]) & self.mask
            self.z[k, first:last], start, freq = self.q.symbol(moved, first, last)
            below = np.minimum(below, moved - start)
            above = np.minimum(above, start + freq - moved)
        self.freqs[first:last] = below + above
        return u - below, u - below, below + above

    def shift_of(self, j: Ints) -> Ints:
        """The shifts of the chosen particles, int64 `(items * dims,)`; j `(items, 1)`."""
        return self.shifts[j[:, 0]].reshape(-1)


def _cells(q: Factors, particles: int) -> _Cells:
    items, dims = q.shape
    found = shifts(particles, dims, q.precision)
    return _Cells(
        q, found, np.empty((particles, items * dims), np.int64), np.empty(items * dims, np.int64)
    )


def _choice(chain: LatentModel, q: Distribution, x: Ints, z: Ints) -> Distribution:
    """P(j) = w_j / sum_k w_k, of symbols `(items, 1)`; z `(K, items, dims)` drawn from q(z | x)."""
    items = len(x)
    prior = chain.prior(items)
    lengths = np.stack(
        [
            chain.likelihood(0, one).fixed_bits(x) + prior.fixed_bits(one) - q.fixed_bits(one)
            for one in z
        ],
        1,
    )
    table = categorical.from_weights(fixed_point_log.weights(lengths))
    return builders.lookup(table, np.arange(items)[:, None])


def _push_chosen(
    message: Message, chain: LatentModel, x: Ints, z: Ints, j: Ints, record: Record | None
) -> tuple[Message]:
    chosen = np.take_along_axis(z, j[None], 0)[0]
    (message,) = metered(builders.uniform(j.shape, len(z)), PRIOR, record).push(message, j)
    (message,) = generative(chain, 0, chosen, record).push(message, x)
    return metered(chain.prior(len(x)), PRIOR, record).push(message, chosen)


def _pop_chosen(
    message: Message, chain: LatentModel, items: int, particles: int, record: Record | None
) -> tuple[Message, Ints, Ints, Ints]:
    """Inverse of `_push_chosen`: the message, x, z_j and j `(items, 1)`."""
    message, chosen = metered(chain.prior(items), PRIOR, record).pop(message)
    message, x = generative(chain, 0, chosen, record).pop(message)
    message, j = metered(builders.uniform((items, 1), particles), PRIOR, record).pop(message)
    return message, x, chosen, j


def _others(j: Ints, particles: int) -> Ints:
    """Indices of all particles but j, int64 `(K - 1, items, 1)`; j `(items, 1)`."""
    k = np.arange(particles - 1)[:, None, None]
    found: Ints = k + (k >= j)
    return found


def _factors(q: Distribution) -> Factors:
    if q.factors is None:
        raise ValueError("coupled particles need a posterior of independent symbols; use `codec`")
    return q.factors


def _tell(record: Record | None, term: str, bits: np.ndarray) -> None:
    if record is not None:
        record(term, float(bits.sum()))


def _check(chain: LatentModel, particles: int) -> None:
    if chain.capabilities.depth != 1:
        raise ValueError(
            f"importance weighting codes chains of one layer; found {chain.capabilities.depth}"
        )
    if not 1 <= particles <= MAX_POOL:
        raise ValueError(f"expected 1 to {MAX_POOL} particles; found {particles}")
