"""Net rate = -log2 (1/K) sum_k w_k, w_k = p(x, z_k) / q(z_k | x), for every single message:
importance-weighted bits-back coding (BB-IS, BB-CIS), in expectation the negative K-sample bound of
IWAE.

The latents of the model's one layer are K particles and the index j of the particle that codes x.
The encoder pops the particles with q, pops j with probability w_j / sum_k w_k, then pushes the
remaining information about the particles given z_j, j uniformly, x given z_j, and z_j. Pushed bits
count as prior, popped bits as posterior. This is BB-ANS on an extended latent space; its overhead
over -log2 p(x) is the KL divergence on that space.

- `codec` (BB-IS): z_1, ..., z_K are independent, and all but z_j are pushed with q. Initial bits
  are K times those of q.
- `coupled_codec` (BB-CIS): one number u in [0, 1) per dimension is shared by all particles.
  Particle k takes the quantile z_k = F^-1(u + s_k mod 1), so each particle alone has the
  distribution q. Only the cell of u in which no particle changes is popped. Given z_j, pushing it
  back costs log2 of the width of the interval of z_j over the width of the cell, and initial bits
  stay near those of one particle. The shifts s_k are a Latin hypercube: multiples of 1/K in each
  dimension, in pseudo-random order from the second particle on.

Weights are computed from integer code lengths (`distributions.fixed_point_log`) as frequencies out
of 2^24. The identity is off by the effect of that rounding on the chosen frequency f, at most (2 /
f + K 2^-24) / ln 2 bits, and by 1e-5; f < 3000 has a probability below K 2e-4. With K = 1 the
result equals `bits_back` bit for bit. Both need a model of one layer, `coupled_codec` also a
posterior of independent symbols.

Sources: Ruan, Ullrich, Severo, Townsend, Khisti, Doucet, Makhzani and Maddison 2021 (McBits,
arXiv:2102.11086); the bound: Burda, Grosse and Salakhutdinov 2016 (arXiv:1509.00519). Popping cells
instead of all digits of u is new here.
"""

from __future__ import annotations

import numpy as np

from bbans.coding.blocks import pop_block, push_block
from bbans.coding.codec import Codec
from bbans.coding.rans import Message
from bbans.coding.sub_interval import pop_within, push_within
from bbans.distributions import categorical, fixed_point_log, uniform
from bbans.distributions.distribution import Distribution, Ints
from bbans.models.base import LatentModel
from bbans.schemes.coupled_cells import cells_of, factors_of
from bbans.schemes.metering import (
    POSTERIOR,
    PRIOR,
    Record,
    Scheme,
    check_items,
    generative,
    metered,
)

MAX_POOL = 2**10
"""Largest number of particles."""


def scheme(particles: int, coupled: bool = False) -> Scheme:
    """Return the scheme of K `particles`, BB-IS or `coupled` (BB-CIS): a function `(model, items,
    record) -> Codec`.

    The returned function raises ValueError as `codec` and `coupled_codec` do.

    Examples:
        >>> from bbans.models.analytic import LinearGaussian
        >>> from bbans.schemes import sampling, single_message
        >>> model = LinearGaussian(latents=8, k=3)
        >>> x, coder = sampling.sample_items(model, 1), scheme(3, coupled=True)
        >>> data = single_message.encode(model, coder, x)
        >>> bool((single_message.decode(model, coder, data).x == x).all())
        True
    """
    make = coupled_codec if coupled else codec

    def build(model: LatentModel, items: int, record: Record | None = None) -> Codec:
        return make(model, items, particles, record)

    return build


def codec(model: LatentModel, items: int, particles: int, record: Record | None = None) -> Codec:
    """Build the BB-IS codec of samples x int64 `(items, dims)` with K `particles`.

    Raises ValueError unless the model has one layer and 1 <= K <= MAX_POOL. Pushing raises
    ValueError on x of another shape, and UnderflowError when the message cannot pay for the
    particles.

    Examples:
        >>> from bbans.coding.rans import pseudo_random_message
        >>> from bbans.models.analytic import LinearGaussian
        >>> from bbans.schemes import sampling
        >>> model = LinearGaussian(latents=8, k=3)
        >>> x = sampling.sample_items(model, 4)
        >>> (message,) = codec(model, 4, 3).push(pseudo_random_message((1,), 300, seed=0), x)
        >>> bool((codec(model, 4, 3).pop(message)[1] == x).all())
        True
    """
    _check(model, particles)

    def push(message: Message, x: Ints) -> tuple[Message]:
        check_items(x, items)
        q = model.posterior(1, x)
        popped, pushed = metered(q, POSTERIOR, record), metered(q, PRIOR, record)
        particles_popped = []
        for _ in range(particles):
            message, one = popped.pop(message)
            particles_popped.append(one)
        z = np.stack(particles_popped)
        message, j = metered(_choice(model, q, x, z), POSTERIOR, record).pop(message)
        for other in np.take_along_axis(z, _others(j, particles), 0):
            (message,) = pushed.push(message, other)
        return _push_chosen(message, model, x, z, j, record)

    def pop(message: Message) -> tuple[Message, Ints]:
        message, x, chosen, j = _pop_chosen(message, model, items, particles, record)
        z = np.empty((particles, *chosen.shape), np.int64)
        np.put_along_axis(z, j[None], chosen[None], 0)
        q = model.posterior(1, x)
        popped, pushed = metered(q, POSTERIOR, record), metered(q, PRIOR, record)
        others = []
        for _ in range(particles - 1):
            message, other = pushed.pop(message)
            others.append(other)
        if others:
            np.put_along_axis(z, _others(j, particles), np.stack(others[::-1]), 0)
        (message,) = metered(_choice(model, q, x, z), POSTERIOR, record).push(message, j)
        for one in z[::-1]:
            (message,) = popped.push(message, one)
        return message, x

    return Codec(push, pop)


def coupled_codec(
    model: LatentModel, items: int, particles: int, record: Record | None = None
) -> Codec:
    """Build the BB-CIS codec of samples x int64 `(items, dims)` with K coupled `particles`.

    Raises ValueError unless the model has one layer and 1 <= K <= MAX_POOL. Pushing and popping
    raise ValueError on a posterior whose symbols are not independent; pushing raises UnderflowError
    when the message cannot pay for the particles.

    Examples:
        >>> from bbans.coding.rans import pseudo_random_message
        >>> from bbans.models.analytic import LinearGaussian
        >>> from bbans.schemes import sampling
        >>> model = LinearGaussian(latents=8, k=3)
        >>> x, coder = sampling.sample_items(model, 4), coupled_codec(model, 4, 3)
        >>> (message,) = coder.push(pseudo_random_message((1,), 300, seed=0), x)
        >>> bool((coder.pop(message)[1] == x).all())
        True
    """
    _check(model, particles)

    def push(message: Message, x: Ints) -> tuple[Message]:
        check_items(x, items)
        posterior = model.posterior(1, x)
        q = factors_of(posterior)
        cells = cells_of(q, particles)
        message, starts = pop_block(message, q.shape[0] * q.shape[1], q.precision, cells.locate)
        _report(record, POSTERIOR, -(q.precision - np.log2(cells.freqs)))
        z = cells.z.reshape(particles, *q.shape)
        message, j = metered(_choice(model, posterior, x, z), POSTERIOR, record).pop(message)
        outer_starts, outer_freqs = q.interval(np.take_along_axis(z, j[None], 0).reshape(-1))
        shifted = (starts + cells.shift_of(j)) & cells.mask
        message = push_within(message, shifted, cells.freqs, outer_starts, outer_freqs, q.precision)
        _report(record, PRIOR, np.log2(outer_freqs) - np.log2(cells.freqs))
        return _push_chosen(message, model, x, z, j, record)

    def pop(message: Message) -> tuple[Message, Ints]:
        message, x, chosen, j = _pop_chosen(message, model, items, particles, record)
        posterior = model.posterior(1, x)
        q = factors_of(posterior)
        cells = cells_of(q, particles)
        shift = cells.shift_of(j)
        outer_starts, outer_freqs = q.interval(chosen.reshape(-1))

        def part(cf: Ints, first: int, last: int) -> tuple[Ints, Ints]:
            start, _, freq = cells.locate(
                (cf.astype(np.int64) - shift[first:last]) & cells.mask, first, last
            )
            return (start + shift[first:last]) & cells.mask, freq

        message, shifted, freqs = pop_within(message, part, outer_starts, outer_freqs, q.precision)
        _report(record, PRIOR, np.log2(outer_freqs) - np.log2(freqs))
        z = cells.z.reshape(particles, *q.shape)
        (message,) = metered(_choice(model, posterior, x, z), POSTERIOR, record).push(message, j)
        message = push_block(message, (shifted - shift) & cells.mask, freqs, q.precision)
        _report(record, POSTERIOR, -(q.precision - np.log2(freqs)))
        return message, x

    return Codec(push, pop)


def coupled_particles(q: Distribution, rng: np.random.Generator, particles: int) -> Ints:
    """Sample K coupled particles, int64 `(K, items, dims)`, as `coupled_codec` pops them, from the
    uniform numbers of `rng`.

    Raises ValueError on a posterior whose symbols are not independent.

    Examples:
        >>> from bbans.distributions import uniform
        >>> q = uniform.uniform((2, 3), 4)
        >>> coupled_particles(q, np.random.default_rng(0), 5).shape
        (5, 2, 3)
    """
    factors = factors_of(q)
    cells = cells_of(factors, particles)
    cells.locate(rng.integers(0, cells.mask + 1, cells.freqs.shape), 0, len(cells.freqs))
    return cells.z.reshape(particles, *factors.shape)


def _choice(model: LatentModel, q: Distribution, x: Ints, z: Ints) -> Distribution:
    """Return P(j) = w_j / sum_k w_k as a distribution of symbols `(items, 1)`.

    z int64 `(K, items, dims)`, sampled from q(z | x).
    """
    items = len(x)
    prior = model.prior(items)
    lengths = np.stack(
        [
            model.likelihood(0, one).fixed_bits(x) + prior.fixed_bits(one) - q.fixed_bits(one)
            for one in z
        ],
        1,
    )
    table = categorical.from_weights(fixed_point_log.weights(lengths))
    return categorical.lookup(table, np.arange(items)[:, None])


def _push_chosen(
    message: Message, model: LatentModel, x: Ints, z: Ints, j: Ints, record: Record | None
) -> tuple[Message]:
    """Push j uniformly, x given z_j, and z_j with its prior."""
    chosen = np.take_along_axis(z, j[None], 0)[0]
    (message,) = metered(uniform.uniform(j.shape, len(z)), PRIOR, record).push(message, j)
    (message,) = generative(model, 0, chosen, record).push(message, x)
    return metered(model.prior(len(x)), PRIOR, record).push(message, chosen)


def _pop_chosen(
    message: Message, model: LatentModel, items: int, particles: int, record: Record | None
) -> tuple[Message, Ints, Ints, Ints]:
    """Invert `_push_chosen`: return the message, x, z_j and j int64 `(items, 1)`."""
    message, chosen = metered(model.prior(items), PRIOR, record).pop(message)
    message, x = generative(model, 0, chosen, record).pop(message)
    message, j = metered(uniform.uniform((items, 1), particles), PRIOR, record).pop(message)
    return message, x, chosen, j


def _others(j: Ints, particles: int) -> Ints:
    """Return the indices of all particles but j, int64 `(K - 1, items, 1)`; j int64 `(items,
    1)`.
    """
    k = np.arange(particles - 1)[:, None, None]
    indices: Ints = k + (k >= j)
    return indices


def _report(record: Record | None, term: str, bits: np.ndarray) -> None:
    """Report the sum of bits of a step to `record`, if there is one."""
    if record is not None:
        record(term, float(bits.sum()))


def _check(model: LatentModel, particles: int) -> None:
    """Raise ValueError unless the model has one layer and 1 <= K <= MAX_POOL."""
    if model.capabilities.depth != 1:
        raise ValueError(
            f"importance weighting codes chains of one layer; found {model.capabilities.depth}"
        )
    if not 1 <= particles <= MAX_POOL:
        raise ValueError(f"expected 1 to {MAX_POOL} particles; found {particles}")
