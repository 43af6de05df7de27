"""Net rate = -log2 p(x_rest, u | x_known) + log2 q(u | x_rest) - log2 p(x_fund | x_rest, E_q u),
with no initial bits: bits-back coding of one tile in a message that pays for its own latents.

A level of the pyramid codes three phases of samples and latents u. The encoder starts at the finest
level. For each level it

- pushes phase 10 (x_fund), which depends on u only through the mean of q, known to the decoder by
  the time it reaches phase 10;
- pops u with q; the bits of phase 10 pay for this;
- pushes phases 01 and 11 (x_rest) given u;
- pushes u with its uniform prior.

The coarsest image is pushed last, with a uniform distribution. The decoder does the inverse,
coarsest level first (`pyramid.traversal`). The message starts empty, and is empty again after
decoding.

Sources: bits-back coding: Townsend, Bird and Barber 2019 (arXiv:1901.04866); paying for latents
with a part of the same image: SHVC, Ryder et al. 2022 (arXiv:2204.02071).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import bbans.distributions.gaussian_bins as latent
from bbans.coding import lanes
from bbans.coding.blocks import GROWTH_WORDS, lanes_needed, push_block, push_growing
from bbans.coding.rans import HEAD_MIN, Message, base_message, message_bits, pseudo_random_message
from bbans.distributions.sample_grid import Axis, regular
from bbans.errors import FormatError, TooFlatError, UnderflowError
from bbans.schemes.metering import Account, Ledger, Watch
from bbans.schemes.pyramid import polyphase
from bbans.schemes.pyramid.level import Level, PyramidPredictor
from bbans.schemes.pyramid.pixels import Growth, Intervals
from bbans.schemes.pyramid.traversal import (
    POSTERIOR_PRECISION,
    FundsOf,
    coarsest_bits,
    flat,
    funds_of,
    phase_intervals,
    pop_levels,
    pop_posterior,
)

SAMPLING_LANES = 512
LATENT_PRECISIONS = (10, 8, 6, 0)
"""Bits of a latent's prior, in the order in which the encoder tries them; 0: no latents."""

Ints = NDArray[np.int32]


@dataclass(frozen=True)
class Encoded:
    """A coded tile: the words of its message, the side information that the decoder needs (latent
    precision and growth points), and the account in bits.
    """

    words: NDArray[np.uint32]
    latent_precision: int
    growth: Growth
    account: Account


def encode(
    levels: list[Level],
    coarsest: Ints,
    channels: int,
    latent_precision: int,
    axis: Axis | None = None,
    funds: FundsOf | None = None,
) -> Encoded:
    """Code a tile of 1 or 3 channels, whose levels `level.analyse` prepared on the same axis.

    coarsest: the coarsest image, int32 `(3, rows, columns)`. `funds` caches what codings of
    different latent precisions share.

    Raises UnderflowError when the tile's own samples cannot pay for the latents, TooFlatError when
    they hold too few bits to fill the lanes that a tile of this size needs.

    Examples:
        >>> from bbans.models.fixed_predictor import FixedPredictor
        >>> from bbans.schemes.pyramid.level import analyse
        >>> x = np.arange(3 * 16 * 16, dtype=np.int32).reshape(3, 16, 16) % 200
        >>> coded = encode(*analyse(FixedPredictor(), x), channels=3, latent_precision=0)
        >>> y, _ = decode(FixedPredictor(), coded.words, (16, 16), 3, 0, coded.growth)
        >>> np.array_equal(x, y)
        True
    """
    axis, funds = axis or regular(), funds or funds_of(channels)
    message = base_message((1,))
    ledger = Ledger(message_bits(message))
    growth: list[tuple[int, int]] = []
    wanted = lanes_needed(channels * levels[0].shape[0] * levels[0].shape[1]) if levels else 1
    for level in levels:
        fund = funds(level, latent_precision > 0)
        u = level.zeros()
        indices: NDArray[np.int64] = u.astype(np.int64)
        parts = list(enumerate(reversed(fund.phase10)))
        if level.index == 0:
            _check_fullness(sum(part.bits for _, part in parts), wanted)
        for i, part in parts:
            if level.index == 0:
                message, grown = push_growing(message, part.starts, part.freqs, part.precision)
                growth += [(at + i * len(part.freqs), count) for at, count in grown]
            else:
                message = push_block(message, part.starts, part.freqs, part.precision)
            ledger.add("likelihood", part.bits, message_bits(message))
        if latent_precision:
            message, indices, bits = pop_posterior(message, fund.mean, fund.sigma, latent_precision)
            ledger.add("posterior", -bits, message_bits(message))
            u = latent.value(latent_precision, indices).astype(np.int32)
        if len(message[0]) < wanted:
            raise TooFlatError(
                f"a tile needs {wanted} lanes, and its message filled {len(message[0])}"
            )
        for phase in (1, 0):
            for part in reversed(phase_intervals(level, phase, u, channels)):
                message = push_block(message, part.starts, part.freqs, part.precision)
                ledger.add("likelihood", part.bits, message_bits(message))
        if latent_precision:
            n = indices.size
            message = push_block(
                message, indices.reshape(-1), np.ones(n, np.int64), latent_precision
            )
            ledger.add("prior", float(n * latent_precision), message_bits(message))
    raw = polyphase.to_positions(coarsest, coarsest.shape[1:])[:, :channels].reshape(-1)
    message = push_block(message, raw, np.ones(raw.size, np.int64), coarsest_bits(axis))
    ledger.add("likelihood", float(coarsest_bits(axis) * raw.size), message_bits(message))
    words = lanes.finish(message)
    return Encoded(words, latent_precision, tuple(growth), ledger.close(32.0 * len(words)))


def _check_fullness(bits: float, wanted: int) -> None:
    """Raise TooFlatError before the slow coding of a tile whose bits cannot fill the lanes."""
    if wanted > 1 and bits < 32 * GROWTH_WORDS * wanted:
        raise TooFlatError(f"a tile needs {wanted} lanes, and {bits:.0f} bits do not fill them")


def encodings(
    levels: list[Level], coarsest: Ints, channels: int, latents: bool, axis: Axis | None = None
) -> Iterator[Encoded]:
    """Yield the codings of a tile that its own samples can pay for, highest latent precision first.

    The last one has no latents and always succeeds; it is the only one unless the model has
    `latents`. Raises TooFlatError as `encode` does, when the tile holds too few bits for its lanes.

    Examples:
        >>> from bbans.models.fixed_predictor import FixedPredictor
        >>> from bbans.schemes.pyramid.level import analyse
        >>> levels, coarsest = analyse(FixedPredictor(), np.zeros((3, 16, 16), np.int32))
        >>> [coded.latent_precision for coded in encodings(levels, coarsest, 3, latents=False)]
        [0]
    """
    funds = funds_of(channels)
    for precision in LATENT_PRECISIONS if latents else (0,):
        try:
            yield encode(levels, coarsest, channels, precision, axis, funds)
        except UnderflowError:
            continue


def decode(
    net: PyramidPredictor,
    words: NDArray[np.uint32],
    shape: tuple[int, int],
    channels: int,
    latent_precision: int,
    growth: Growth,
    axis: Axis | None = None,
    level: int = 0,
    watch: Watch | None = None,
) -> tuple[Ints, Account]:
    """Decode the words of `encode`: return the tile, int32 `(3, h, w)`, and its account in bits.

    With `level` > 0 only every 2^level-th row and column is returned, decoded from the coarse
    levels alone; the rest of the message is then not checked. `watch` is called with the bits of
    every group of symbols.

    Raises FormatError or UnderflowError on damaged data.

    Examples:
        >>> from bbans.models.fixed_predictor import FixedPredictor
        >>> from bbans.schemes.pyramid.level import analyse
        >>> x = np.arange(3 * 16 * 16, dtype=np.int32).reshape(3, 16, 16) % 200
        >>> coded = encode(*analyse(FixedPredictor(), x), channels=3, latent_precision=0)
        >>> half, _ = decode(FixedPredictor(), coded.words, (16, 16), 3, 0, coded.growth, level=1)
        >>> np.array_equal(half, x[:, ::2, ::2])
        True
    """
    axis = axis or regular()
    if latent_precision not in LATENT_PRECISIONS:
        raise FormatError(
            f"latent precision {latent_precision} is not one of {LATENT_PRECISIONS}; the file "
            "needs another release"
        )
    message = lanes.start(words)
    if growth:
        message = lanes.grow(message, growth[-1][1])
    ledger = Ledger(message_bits(message), backwards=True)
    x, message = pop_levels(
        net, message, ledger, shape, channels, latent_precision, growth, axis, level, watch
    )
    if level:
        # The coarsest image may be finer than the level: subsample it by the rest of the factor.
        step = 2 ** max(0, level - (len(polyphase.level_shapes(*shape)) - 1))
        return x[:, ::step, ::step], ledger.close(32.0 * len(words))
    lanes.check_empty(message)
    return x, ledger.close(32.0 * len(words))


def sample(
    net: PyramidPredictor,
    shape: tuple[int, int],
    seed: int,
    latent_precision: int = LATENT_PRECISIONS[0],
) -> Ints:
    """Sample an image from the model by decoding pseudo-random words.

    Returns 8-bit values as int32 `(3, h, w)`.

    Examples:
        >>> from bbans.models.fixed_predictor import FixedPredictor
        >>> sample(FixedPredictor(), (9, 12), seed=1, latent_precision=0).shape
        (3, 9, 12)
    """
    words = max(1, 3 * shape[0] * shape[1])  # a value takes less than a word
    head, tail = pseudo_random_message((SAMPLING_LANES,), words, seed)
    # Heads get 62 random bits, since the first pops from a small head are biased.
    full = (head << np.uint64(31)) | pseudo_random_message((SAMPLING_LANES,), 0, seed + 1)[
        0
    ] & np.uint64(HEAD_MIN - 1)
    message: Message = (full, tail)
    return pop_levels(
        net, message, Ledger(0.0, backwards=True), shape, 3, latent_precision, None, regular(), 0
    )[0]


def ideal_bits(
    levels: list[Level],
    coarsest: Ints,
    channels: int,
    latent_precision: int,
    draws: int = 16,
    seed: int = 0,
    axis: Axis | None = None,
) -> float:
    """Estimate -ELBO of a tile in bits, as the mean over `draws` seeded samples of u ~ q.

    It is that of the exact integer model with its rounded frequencies. Arguments are those of
    `encode`; without latents nothing is sampled and the result is exact.

    Examples:
        >>> from bbans.models.fixed_predictor import FixedPredictor
        >>> from bbans.schemes.pyramid.level import analyse
        >>> levels, coarsest = analyse(FixedPredictor(), np.zeros((3, 16, 16), np.int32))
        >>> coded = encode(levels, coarsest, channels=3, latent_precision=0)
        >>> round(ideal_bits(levels, coarsest, 3, 0) - coded.account.likelihood, 6)
        0.0
    """
    rng = np.random.default_rng(seed)
    total = float(coarsest_bits(axis or regular()) * channels * coarsest[0].size)
    for level in levels:
        mean = sigma = level.zeros()
        if latent_precision:
            mean, sigma = level.posterior()
        total += sum(part.bits for part in phase_intervals(level, 2, mean, channels))
        for _ in range(draws if latent_precision else 1):
            u, cost = mean, 0.0
            if latent_precision:
                cf = rng.integers(0, 1 << POSTERIOR_PRECISION, mean.size)
                indices, starts, freqs = latent.symbol(
                    flat(mean), flat(sigma), latent_precision, cf
                )
                cost = (
                    mean.size * latent_precision
                    - Intervals(starts, freqs, POSTERIOR_PRECISION).bits
                )
                u = latent.value(latent_precision, indices).astype(np.int32).reshape(mean.shape)
            cost += sum(
                part.bits for phase in (0, 1) for part in phase_intervals(level, phase, u, channels)
            )
            total += cost / (draws if latent_precision else 1)
    return total
