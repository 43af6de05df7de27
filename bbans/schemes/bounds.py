"""-ELBO = E_q[-log2 p(x, z) + log2 q(z | x)] >= E[-log2 (1/K) sum_k w_k] >= -log2 p(x), where w =
p(x, z) / q(z | x): the code lengths that coders should reach.

This module evaluates the bounds (`ideal_bits`, `importance_weighted_bits`, `weighted_bits`) and
measures what coders need in practice (`push_measured`, `net_bits`, `initial_bits`). All figures are
in bits and use the rounded frequencies that the coder uses. Latents are sampled by popping from
pseudo-random words (`schemes.sampling`), so results are the same on every machine.

Sources: Townsend, Bird and Barber 2019 (arXiv:1901.04866); the multi-sample bound: Burda, Grosse
and Salakhutdinov 2016 (arXiv:1509.00519).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from bbans.coding.rans import Message, message_bits
from bbans.distributions.distribution import Ints, symbol_bits
from bbans.errors import UnderflowError
from bbans.models.base import LatentModel
from bbans.schemes import importance
from bbans.schemes.metering import LIKELIHOOD, POSTERIOR, PRIOR, Account, Record, Scheme
from bbans.schemes.sampling import LANES, SEED_STRIDE, random_message, sample_distribution

Bits = NDArray[np.float64]
"""Information in bits."""
Given: TypeAlias = Callable[[slice], LatentModel]
"""A conditional model: a function from a slice of the items to the model given their side
information.
"""

BLOCK = 256
"""Default number of items, or copies of an item, that are evaluated at once."""
START_WORDS = 2**14
LANES_PER_ITEM = 128  # lanes for the latents of one item, up to `sampling.LANES` in all


@dataclass(frozen=True)
class Terms:
    """-ELBO of each item in three terms, in bits: float64 `(items,)` each. `posterior` is +log2 q
    and negative.
    """

    prior: Bits
    likelihood: Bits
    posterior: Bits

    @property
    def total(self) -> Bits:
        """Return -ELBO per item, or -log2 w for a single sample of z."""
        return self.prior + self.likelihood + self.posterior


def ideal_bits(
    model: LatentModel | Given, x: Ints, draws: int = 16, seed: int = 0, block: int = BLOCK
) -> Terms:
    """Estimate -ELBO of each item in three terms, as the mean over `draws` seeded samples of z ~ q.

    x int64 `(items, dims)`. `block` is the number of items, or copies of an item, evaluated at
    once; it bounds the memory, and changing it changes the samples of z. A model with side
    information is passed as a function of a slice of x's rows (`Given`). Raises ValueError unless x
    has two axes and at least one item.

    Examples:
        >>> from bbans.models.analytic import LinearGaussian
        >>> from bbans.schemes.sampling import sample_items
        >>> model = LinearGaussian(latents=8, k=3)
        >>> ideal_bits(model, sample_items(model, 4), draws=2).total.shape
        (4,)
    """
    parts = []
    for first, rows in _blocks(x, draws, block):
        sums = [np.zeros(len(rows)) for _ in range(3)]
        for terms in _draws(_of(model, first, rows), rows, draws, (seed, first), block):
            for total, part in zip(
                sums, (terms.prior, terms.likelihood, terms.posterior), strict=True
            ):
                total += part.sum(0)
        parts.append([total / draws for total in sums])
    prior, likelihood, posterior = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Terms(prior, likelihood, posterior)


def sample_bits(model: LatentModel, x: Ints, draws: int = 16, seed: int = 0) -> Bits:
    """Estimate -log2 p(x_d | z_1, ...) of every sample, as the mean over seeded samples of z_1 ~
    q(z_1 | x).

    Returns bits, float64 `(items, dims)`; an item's sum is its likelihood term. Samples that the
    distribution codes jointly share their mean.

    Examples:
        >>> from bbans.models.analytic import LinearGaussian
        >>> from bbans.schemes.sampling import sample_items
        >>> model = LinearGaussian(latents=2, k=1)
        >>> sample_bits(model, sample_items(model, 4), draws=2).shape
        (4, 6)
    """
    q, total = model.posterior(1, x), np.zeros(x.shape)
    for draw in range(draws):
        total += symbol_bits(model.likelihood(0, sample_distribution(q, (seed, 2, draw))), x)
    return total / draws


def importance_weighted_bits(
    model: LatentModel | Given, x: Ints, draws: int = 5000, seed: int = 0, block: int = BLOCK
) -> Bits:
    """Estimate -log2 (1/K) sum_k w_k of each item, with K = `draws` seeded samples of z ~ q.

    x int64 `(items, dims)`; returns bits, float64 `(items,)`. `seed` and `block` are used as in
    `ideal_bits`: a different block size samples other z. Raises ValueError unless x has two axes
    and at least one item.

    Examples:
        >>> from bbans.models.analytic import LinearGaussian
        >>> from bbans.schemes.sampling import sample_items
        >>> model = LinearGaussian(latents=8, k=3)
        >>> importance_weighted_bits(model, sample_items(model, 4), draws=8).shape
        (4,)
    """
    bits_of_blocks = []
    for first, rows in _blocks(x, draws, block):
        least, total = np.full(len(rows), np.inf), np.zeros(len(rows))
        for terms in _draws(_of(model, first, rows), rows, draws, (seed, first), block):
            bits = terms.total
            lower = np.minimum(least, bits.min(0))
            total = total * np.exp2(lower - least) + np.exp2(lower - bits).sum(0)
            least = lower
        bits_of_blocks.append(least - np.log2(total / draws))
    return np.concatenate(bits_of_blocks)


def weighted_bits(
    model: LatentModel | Given,
    x: Ints,
    particles: int,
    coupled: bool = False,
    draws: int = 16,
    seed: int = 0,
) -> Bits:
    """Estimate E[-log2 (1/K) sum_k w_k] of each item for K `particles`: the expected net bits of
    `importance`.

    The mean is over `draws` seeded sets of particles; they are independent (BB-IS), or `coupled` by
    shared quantiles (BB-CIS). Returns bits, float64 `(items,)`.

    Examples:
        >>> from bbans.models.analytic import LinearGaussian
        >>> from bbans.schemes.sampling import sample_items
        >>> model = LinearGaussian(latents=8, k=3)
        >>> weighted_bits(model, sample_items(model, 4), particles=3, coupled=True, draws=2).shape
        (4,)
    """
    if not coupled:
        runs = [
            importance_weighted_bits(model, x, particles, seed + SEED_STRIDE * draw)
            for draw in range(draws)
        ]
        return np.asarray(np.mean(runs, 0))
    model = _of(model, 0, x)
    q, prior = model.posterior(1, x), model.prior(len(x))
    rng = np.random.default_rng(seed)
    total = np.zeros(len(x))
    for _ in range(draws):
        z = importance.coupled_particles(q, rng, particles)
        logs = np.stack(
            [q.bits(one) - prior.bits(one) - model.likelihood(0, one).bits(x) for one in z]
        )
        best = logs.max(0)
        total -= best + np.log2(np.exp2(logs - best).mean(0))
    return total / draws


def push_measured(
    scheme: Scheme, model: LatentModel, message: Message, x: Ints
) -> tuple[Message, Account]:
    """Push x int64 `(items, dims)` and return the new message and its account in bits.

    `coder` in the account is the growth of the message beyond the information in prior, likelihood
    and posterior. Raises UnderflowError when the message cannot pay for the latents.

    Examples:
        >>> from bbans.coding.rans import pseudo_random_message
        >>> from bbans.models.analytic import LinearGaussian
        >>> from bbans.schemes import bits_back, sampling
        >>> model = LinearGaussian(latents=8, k=3)
        >>> x = sampling.sample_items(model, 4)
        >>> message = pseudo_random_message((1,), 99, 0)
        >>> _, account = push_measured(bits_back.codec, model, message, x)
        >>> account.posterior < 0 < account.net
        True
    """
    sums = {PRIOR: 0.0, LIKELIHOOD: 0.0, POSTERIOR: 0.0}

    def record(term: str, bits: float) -> None:
        sums[term] += bits

    before = message_bits(message)
    (message,) = scheme(model, len(x), record).push(message, x)
    return message, Account(**sums, coder=message_bits(message) - before - sum(sums.values()))


def net_bits(
    scheme: Scheme, batches: Iterable[tuple[LatentModel, Ints]], seed: int = 0
) -> tuple[float, ...]:
    """Measure the net bits of each batch when one message codes all of them, starting from random
    words.

    `batches` yields pairs of a model and its x, int64 `(items, dims)`. The message has two lanes
    for each latent of the first batch's z_1, up to 2^15. Before every further batch the heads are
    rotated by half their number (a decoder would undo this), so that q(z_1) pops from lanes whose
    last symbols were samples of x. Without the rotation q would pop the latents that were pushed
    last. These do not follow their prior exactly and are no uniform bits: net rates on MNIST were
    0.3 to 1.4 % above the ideal for some numbers of lanes. A single lane has no such bias but is
    fourteen times slower.

    The measurement is not valid for models with about as many latents as samples, which no rotation
    separates (200 bits for 64 samples were 23 % too many); measure these a few items per batch,
    each batch on a message of its own.

    Examples:
        >>> from bbans.models.analytic import LinearGaussian
        >>> from bbans.schemes import bits_back, sampling
        >>> model = LinearGaussian(latents=8, k=3)
        >>> x = sampling.sample_items(model, 4)
        >>> [bits > 0 for bits in net_bits(bits_back.codec, [(model, x), (model, x)])]
        [True, True]
    """
    net: list[float] = []
    message: Message | None = None
    for model, x in batches:
        message, account = (
            _push_first(scheme, model, x, seed)
            if message is None
            else push_measured(scheme, model, _rolled(message), x)
        )
        net.append(account.net)
    return tuple(net)


def _push_first(scheme: Scheme, model: LatentModel, x: Ints, seed: int) -> tuple[Message, Account]:
    """Push onto a random message, doubling its words until `push_measured` succeeds."""
    lanes = min(LANES, 2 * model.default_latent(len(x)).size)
    words = START_WORDS
    while True:
        try:
            return push_measured(scheme, model, random_message(words, (seed,), lanes), x)
        except UnderflowError:
            words *= 2


def _rolled(message: Message) -> Message:
    """Return the message with its lanes rotated by half their number."""
    head, tail = message
    return np.roll(head, len(head) // 2), tail


def initial_bits(scheme: Scheme, model: LatentModel, x: Ints, seed: int = 0) -> float:
    """Return the initial bits of a scheme: the largest deficit of the message while x is pushed.

    x int64 `(items, dims)`; the latents are sampled with `seed`. Bits of information, without the
    coder's overhead.

    Examples:
        >>> from bbans.models.analytic import LinearGaussian
        >>> from bbans.schemes import bits_back, sampling
        >>> model = LinearGaussian(latents=8, k=3)
        >>> initial_bits(bits_back.codec, model, sampling.sample_items(model, 1)) > 0
        True
    """
    words = LANES
    while True:
        changes: list[float] = []
        try:
            scheme(model, len(x), _listing(changes)).push(random_message(words, (seed,)), x)
        except UnderflowError:
            words *= 2
        else:
            return max(0.0, -float(np.cumsum(changes).min()))


def _listing(changes: list[float]) -> Record:
    """Return a record that appends the bits of every step to `changes`."""
    return lambda _, bits: changes.append(bits)


def _of(model: LatentModel | Given, first: int, rows: Ints) -> LatentModel:
    """Return the model of a block of rows that begins at row `first`."""
    return model(slice(first, first + len(rows))) if callable(model) else model


def _blocks(x: Ints, draws: int, block: int) -> Iterator[tuple[int, Ints]]:
    """Yield the first row and the rows of each block of x. Raises ValueError on an invalid x."""
    if x.ndim != 2 or not len(x) or draws < 1 or block < 1:
        raise ValueError(
            f"expected samples (items, dims) and at least one draw and block; found {x.shape}, "
            f"{draws}, {block}"
        )
    return ((first, x[first : first + block]) for first in range(0, len(x), block))


def _draws(
    model: LatentModel, x: Ints, draws: int, seed: tuple[int, int], block: int
) -> Iterator[Terms]:
    """Yield `Terms` of shape `(copies, items)` until `draws` copies of x are evaluated, as many
    copies at a time as fit a block.
    """
    most = max(1, block // len(x))
    copies, tiled = 0, x
    for first in range(0, draws, most):
        if min(most, draws - first) != copies:
            copies = min(most, draws - first)
            tiled = np.tile(x, (copies, 1))
            q_of_x = model.posterior(1, tiled)
            lanes = min(LANES, LANES_PER_ITEM * len(tiled))
        z, prior, posterior = tiled, np.zeros(len(tiled)), np.zeros(len(tiled))
        likelihood = prior
        for layer in range(1, model.capabilities.depth + 1):
            q = q_of_x if layer == 1 else model.posterior(layer, z)
            above = sample_distribution(q, (*seed, first, layer), lanes)
            posterior = posterior - q.bits(above)
            below = model.likelihood(layer - 1, above).bits(z)
            likelihood, prior = (below, prior) if layer == 1 else (likelihood, prior + below)
            z = above
        prior = prior + model.prior(len(tiled)).bits(z)
        yield Terms(*(part.reshape(copies, len(x)) for part in (prior, likelihood, posterior)))
