"""-ELBO = E_q[-log2 p(x, z) + log2 q(z | x)] >= E[-log2 1/K sum_k w_k] >= -log2 p(x), w = p(x, z) /
q(z | x): what coders should reach.

Everything is evaluated with the rounded frequencies that code, and z is drawn as the coder draws
it: by popping from a message, here of pseudo-random words, the same on every machine. All in bits.

Sources: Townsend, Bird and Barber 2019 (arXiv:1901.04866); the second bound: Burda, Grosse and
Salakhutdinov 2016 (arXiv:1509.00519).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from bbans.coding.rans import Message, message_bits
from bbans.distributions.distribution import Distribution, Ints, symbol_bits
from bbans.errors import UnderflowError
from bbans.models.base import LatentModel
from bbans.schemes import importance
from bbans.schemes.metering import LIKELIHOOD, POSTERIOR, PRIOR, Account, Record, Scheme

Bits = NDArray[np.float64]
Given: TypeAlias = Callable[[slice], LatentModel]
"""The chain of a slice of the items, of a model that is told something of each."""

BLOCK = 256
START_WORDS = 2**14
LANES, LANES_PER_ITEM = (
    1 << 15,
    128,
    # heads at hand for a block's latents: symbols from heads of their own are independent and
    # unbiased
)


@dataclass(frozen=True)
class Terms:
    """Bits of each item, float64 `(items,)`; `posterior` is negative."""

    prior: Bits
    likelihood: Bits
    posterior: Bits

    @property
    def total(self) -> Bits:
        """-ELBO, or -log2 w of one draw."""
        return self.prior + self.likelihood + self.posterior


def ideal_bits(
    chain: LatentModel | Given, x: Ints, draws: int = 16, seed: int = 0, block: int = BLOCK
) -> Terms:
    """-ELBO of each item of x int64 `(items, dims)`, in three terms: the mean over seeded draws of
    z from q.

    `block` items or copies of an item are evaluated at once; it bounds the memory, and other blocks
    draw other z. A model that is told something of every item is a function of a slice of x's rows.
    """
    parts = []
    for first, some in _blocks(x, draws, block):
        sums = [np.zeros(len(some)) for _ in range(3)]
        for terms in _draws(_of(chain, first, some), some, draws, (seed, first), block):
            for total, part in zip(
                sums, (terms.prior, terms.likelihood, terms.posterior), strict=True
            ):
                total += part.sum(0)
        parts.append([total / draws for total in sums])
    prior, likelihood, posterior = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Terms(prior, likelihood, posterior)


def sample_bits(chain: LatentModel, x: Ints, draws: int = 16, seed: int = 0) -> Bits:
    """-log2 p(x_d | z_1, ...) of every sample, float64 `(items, dims)`: the mean over seeded draws
    of z_1 from q(z_1 | x).

    The sum over an item is its likelihood term. Samples that the distribution cannot tell apart get
    their mean.
    """
    q, total = chain.posterior(1, x), np.zeros(x.shape)
    for draw in range(draws):
        total += symbol_bits(chain.likelihood(0, drawn(q, (seed, 2, draw))), x)
    return total / draws


def importance_weighted_bits(
    chain: LatentModel | Given, x: Ints, draws: int = 5000, seed: int = 0, block: int = BLOCK
) -> Bits:
    """-log2 (1 / K) sum of w over K seeded draws, for each item: float64 `(items,)`.

    Arguments as those of `ideal_bits`.
    """
    found = []
    for first, some in _blocks(x, draws, block):
        least, total = np.full(len(some), np.inf), np.zeros(len(some))
        for terms in _draws(_of(chain, first, some), some, draws, (seed, first), block):
            bits = terms.total
            lower = np.minimum(least, bits.min(0))
            total = total * np.exp2(lower - least) + np.exp2(lower - bits).sum(0)
            least = lower
        found.append(least - np.log2(total / draws))
    return np.concatenate(found)


def weighted_bits(
    chain: LatentModel | Given,
    x: Ints,
    particles: int,
    coupled: bool = False,
    draws: int = 16,
    seed: int = 0,
) -> Bits:
    """The mean over seeded draws of -log2 (1 / K) sum of w over K particles, for each item: what
    the net bits of `importance` should be.

    `coupled` particles are those of BB-CIS. float64 `(items,)`.
    """
    if not coupled:
        runs = [
            importance_weighted_bits(chain, x, particles, seed + 1_000_003 * draw)
            for draw in range(draws)
        ]
        return np.asarray(np.mean(runs, 0))
    chain = _of(chain, 0, x)
    q, prior = chain.posterior(1, x), chain.prior(len(x))
    rng = np.random.default_rng(seed)
    total = np.zeros(len(x))
    for _ in range(draws):
        z = importance.coupled_particles(q, rng, particles)
        logs = np.stack(
            [q.bits(one) - prior.bits(one) - chain.likelihood(0, one).bits(x) for one in z]
        )
        best = logs.max(0)
        total -= best + np.log2(np.exp2(logs - best).mean(0))
    return total / draws


def sample(chain: LatentModel, items: int, seed: int = 0) -> Ints:
    """x ~ p(x), int64 `(items, dims)`: what the decoder makes of pseudo-random words."""
    z = drawn(chain.prior(items), (seed, chain.capabilities.depth))
    for layer in reversed(range(chain.capabilities.depth)):
        z = drawn(chain.likelihood(layer, z), (seed, layer))
    return z


def drawn(
    conditional: Distribution, seed: Sequence[int], lanes: int = LANES, words: int = 0
) -> Ints:
    """A draw: the pop from a message of pseudo-random words, of so many or as many as it takes;
    other lanes, other draws.

    Those that `two_part.grid` takes are part of the file format.
    """
    while True:
        try:
            return conditional.pop(random_message(words, seed, lanes))[1]
        except UnderflowError:
            words = max(
                2 * words, lanes
            )  # the words there were come first again, so that the draw is the same


def random_message(words: int, seed: Sequence[int], lanes: int = LANES) -> Message:
    """A message of heads, uniform in [2^62, 2^63), and pseudo-random words; more words do not
    change the first ones.
    """
    raw = np.asarray(
        np.random.PCG64(np.random.SeedSequence(tuple(seed))).random_raw(lanes + words), np.uint64
    )
    return (raw[:lanes] >> np.uint64(1)) | np.uint64(1 << 62), (
        (raw[lanes:] >> np.uint64(32)).astype(np.uint32),
        (),
    )


def push_measured(
    scheme: Scheme, chain: LatentModel, message: Message, x: Ints
) -> tuple[Message, Account]:
    """Push x and measure: `coder` is what the message grew by beyond the information in its
    terms.
    """
    sums = {PRIOR: 0.0, LIKELIHOOD: 0.0, POSTERIOR: 0.0}

    def record(term: str, bits: float) -> None:
        sums[term] += bits

    before = message_bits(message)
    (message,) = scheme(chain, len(x), record).push(message, x)
    return message, Account(**sums, coder=message_bits(message) - before - sum(sums.values()))


def net_bits(
    scheme: Scheme, batches: Iterable[tuple[LatentModel, Ints]], seed: int = 0
) -> tuple[float, ...]:
    """What one message of seeded pseudo-random words grows by, in bits, with each batch: a chain
    and its x, int64 `(items, dims)`.

    There are two lanes for each latent of the first batch's z_1, up to 2^15, and the heads are
    rolled by half their number before a batch, which a decoder would undo: so q(z_1) pops from
    lanes whose last symbols were samples. Where it meets the latents pushed last instead, these
    pass from batch to batch through the same lanes, and as they do not follow their prior they are
    no clean bits: net rates on MNIST were 0.3 to 1.4 % over the ideal with some numbers of lanes. A
    single lane is clean but fourteen times as slow. With about as many latents as samples no roll
    keeps the two apart, and the result is no net rate: 200 bits for 64 samples were 23 % over. Such
    a chain is measured a few items a batch, each on a message of its own.
    """
    found: list[float] = []
    message: Message | None = None
    for chain, x in batches:
        message, account = (
            _push_first(scheme, chain, x, seed)
            if message is None
            else push_measured(scheme, chain, _rolled(message), x)
        )
        found.append(account.net)
    return tuple(found)


def _push_first(scheme: Scheme, chain: LatentModel, x: Ints, seed: int) -> tuple[Message, Account]:
    """`push_measured` onto as many words as it takes."""
    lanes = min(LANES, 2 * chain.default_latent(len(x)).size)
    words = START_WORDS
    while True:
        try:
            return push_measured(scheme, chain, random_message(words, (seed,), lanes), x)
        except UnderflowError:
            words *= 2


def _rolled(message: Message) -> Message:
    head, tail = message
    return np.roll(head, len(head) // 2), tail


def initial_bits(scheme: Scheme, chain: LatentModel, x: Ints, seed: int = 0) -> float:
    """Bits that must be on the stack before x, int64 `(items, dims)`, can be coded: the largest
    deficit on the way, for seeded latents.
    """
    words = LANES
    while True:
        changes: list[float] = []
        try:
            scheme(chain, len(x), _listing(changes)).push(random_message(words, (seed,)), x)
        except UnderflowError:
            words *= 2
        else:
            return max(0.0, -float(np.cumsum(changes).min()))


def _listing(changes: list[float]) -> Record:
    return lambda _, bits: changes.append(bits)


def _of(chain: LatentModel | Given, first: int, some: Ints) -> LatentModel:
    return chain(slice(first, first + len(some))) if callable(chain) else chain


def _blocks(x: Ints, draws: int, block: int) -> Iterator[tuple[int, Ints]]:
    if x.ndim != 2 or not len(x) or draws < 1 or block < 1:
        raise ValueError(
            f"expected samples (items, dims) and at least one draw and block; found {x.shape}, "
            f"{draws}, {block}"
        )
    return ((first, x[first : first + block]) for first in range(0, len(x), block))


def _draws(
    chain: LatentModel, x: Ints, draws: int, seed: tuple[int, int], block: int
) -> Iterator[Terms]:
    """Terms `(copies, items)` of as many copies of x as fit a block at a time, `draws` copies in
    all.
    """
    most = max(1, block // len(x))
    copies, tiled = 0, x
    for first in range(0, draws, most):
        if min(most, draws - first) != copies:
            copies = min(most, draws - first)
            tiled = np.tile(x, (copies, 1))
            q_of_x = chain.posterior(1, tiled)
            lanes = min(LANES, LANES_PER_ITEM * len(tiled))
        z, prior, posterior = tiled, np.zeros(len(tiled)), np.zeros(len(tiled))
        likelihood = prior
        for layer in range(1, chain.capabilities.depth + 1):
            q = q_of_x if layer == 1 else chain.posterior(layer, z)
            above = drawn(q, (*seed, first, layer), lanes)
            posterior = posterior - q.bits(above)
            below = chain.likelihood(layer - 1, above).bits(z)
            likelihood, prior = (below, prior) if layer == 1 else (likelihood, prior + below)
            z = above
        prior = prior + chain.prior(len(tiled)).bits(z)
        yield Terms(*(part.reshape(copies, len(x)) for part in (prior, likelihood, posterior)))
