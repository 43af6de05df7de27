"""Net rate = -log2 p(x_rest, u | x_known) + log2 q(u | x_rest) - log2 p(x_fund | x_rest, E_q u),
and no initial bits.

Bits-back coding (Townsend, Bird, Barber 2019, arXiv:1901.04866) of one tile on the pyramid. The
encoder pushes, finest level first: phase 10 (it depends on u only through the posterior mean, which
the decoder has by then), then pops u with q, pushes phases 01 and 11 given u, pushes u with its
uniform prior. What phase 10 left on the stack pays for the pop. The decoder does the inverse,
coarsest level first. The idea that a part of the same image pays is that of SHVC (Ryder et al.
2022, arXiv:2204.02071). The message ends as it began: empty.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

import bbans.distributions.gaussian_bins as latent
from bbans.coding import lanes
from bbans.coding.blocks import GROWTH_WORDS, lanes_needed, pop_block, push_block, push_growing
from bbans.coding.rans import HEAD_MIN, Message, base_message, message_bits, pseudo_random_message
from bbans.distributions.colour import PRECISION
from bbans.distributions.sample_grid import Axis, regular
from bbans.errors import FormatError, TooFlatError, UnderflowError
from bbans.schemes.metering import COARSEST, Account, Ledger, Symbols, Watch
from bbans.schemes.pyramid import polyphase
from bbans.schemes.pyramid.level import Level, PyramidNet, open_level
from bbans.schemes.pyramid.pixels import Growth, Intervals, pixel_intervals, pop_pixels

SAMPLING_LANES = 512
LATENT_PRECISIONS = (10, 8, 6, 0)  # tried in this order; 0: latents off
POSTERIOR_PRECISION = 24

Ints = NDArray[np.int32]


@dataclass(frozen=True)
class Encoded:
    """A coded tile: the message's words and what the decoder must be told."""

    words: NDArray[np.uint32]
    latent_precision: int
    growth: Growth
    account: Account


def bits_of(axis: Axis) -> int:
    """Bits of a sample of the coarsest image, which is coded plainly."""
    return (axis.n - 1).bit_length()


@dataclass(frozen=True)
class Funds:
    """What is the same of a level for every precision of latents: q(u), flat, and the intervals of
    phase 10 given its mean.
    """

    mean: Ints
    sigma: Ints
    phase10: tuple[Intervals, ...]


FundsOf: TypeAlias = Callable[[Level, bool], Funds]


def funds_of(channels: int) -> FundsOf:
    """`(level, latents) -> Funds`, each made once: without latents u and its mean are zeros."""

    kept: dict[tuple[int, bool], Funds] = {}

    def of(level: Level, latents: bool) -> Funds:
        if (level.index, latents) not in kept:
            mean, sigma = level.posterior() if latents else (level.zeros(), level.zeros())
            kept[level.index, latents] = Funds(
                mean, sigma, tuple(_intervals(level, 2, mean, channels))
            )
        return kept[level.index, latents]

    return of


def encode(
    levels: list[Level],
    coarsest: Ints,
    channels: int,
    latent_precision: int,
    axis: Axis | None = None,
    funds: FundsOf | None = None,
) -> Encoded:
    """Code a tile of 1 or 3 channels, analysed on the same axis.

    `funds` remembers what other precisions share with this one.

    Raises UnderflowError when its own pixels cannot pay for the latents, TooFlatError when they
    cannot fill the lanes it needs.
    """
    axis, funds = axis or regular(), funds or funds_of(channels)
    message = base_message((1,))
    ledger = Ledger(message_bits(message))
    growth: list[tuple[int, int]] = []
    wanted = lanes_needed(channels * levels[0].shape[0] * levels[0].shape[1]) if levels else 1
    for level in levels:
        paid = funds(level, latent_precision > 0)
        u = level.zeros()
        indices: NDArray[np.int64] = u.astype(np.int64)
        parts = list(enumerate(reversed(paid.phase10)))
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
            message, indices, bits = _pop_posterior(
                message, paid.mean, paid.sigma, latent_precision
            )
            ledger.add("posterior", -bits, message_bits(message))
            u = latent.value(latent_precision, indices).astype(np.int32)
        if len(message[0]) < wanted:
            raise TooFlatError(
                f"a tile needs {wanted} lanes, and its message filled {len(message[0])}"
            )
        for phase in (1, 0):
            for part in reversed(_intervals(level, phase, u, channels)):
                message = push_block(message, part.starts, part.freqs, part.precision)
                ledger.add("likelihood", part.bits, message_bits(message))
        if latent_precision:
            n = indices.size
            message = push_block(
                message, indices.reshape(-1), np.ones(n, np.int64), latent_precision
            )
            ledger.add("prior", float(n * latent_precision), message_bits(message))
    raw = polyphase.to_positions(coarsest, coarsest.shape[1:])[:, :channels].reshape(-1)
    message = push_block(message, raw, np.ones(raw.size, np.int64), bits_of(axis))
    ledger.add("likelihood", float(bits_of(axis) * raw.size), message_bits(message))
    words = lanes.finish(message)
    return Encoded(words, latent_precision, tuple(growth), ledger.close(32.0 * len(words)))


def _check_fullness(bits: float, wanted: int) -> None:
    """Stop before the slow coding of what cannot fill the lanes."""
    if wanted > 1 and bits < 32 * GROWTH_WORDS * wanted:
        raise TooFlatError(f"a tile needs {wanted} lanes, and {bits:.0f} bits do not fill them")


def encodings(
    levels: list[Level], coarsest: Ints, channels: int, latents: bool, axis: Axis | None = None
) -> Iterator[Encoded]:
    """The codings that the tile's own pixels can pay for, finest latents first; only the one
    without for a model that has none.
    """
    funds = funds_of(channels)
    for precision in LATENT_PRECISIONS if latents else (0,):
        try:
            yield encode(levels, coarsest, channels, precision, axis, funds)
        except UnderflowError:
            continue


def decode(
    net: PyramidNet,
    words: NDArray[np.uint32],
    shape: tuple[int, int],
    channels: int,
    latent_precision: int,
    growth: Growth,
    axis: Axis | None = None,
    stop: int = 0,
    watch: Watch | None = None,
) -> tuple[Ints, Account]:
    """Inverse of `encode`: the tile `(3, h, w)` and the account.

    Raises a FormatError or UnderflowError on damage.

    With `stop` only every 2^stop-th row and column, from the levels that hold them; what is left of
    the message is not checked then. `watch` is told the bits of every symbol.
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
    x, message = _popped(
        net, message, ledger, shape, channels, latent_precision, growth, axis, stop, watch
    )
    if stop:
        beyond = 2 ** max(
            0, stop - (len(polyphase.level_shapes(*shape)) - 1)
        )  # coarser than the coarsest level
        return x[:, ::beyond, ::beyond], ledger.close(32.0 * len(words))
    lanes.check_empty(message)
    return x, ledger.close(32.0 * len(words))


def sample(
    net: PyramidNet, shape: tuple[int, int], seed: int, latent_precision: int = LATENT_PRECISIONS[0]
) -> Ints:
    """A draw from the model: what decoding pseudo-random words gives, `(3, h, w)` of 8-bit
    values.
    """
    words = max(1, 3 * shape[0] * shape[1])  # a value takes less than a word
    head, tail = pseudo_random_message((SAMPLING_LANES,), words, seed)
    # heads of 62 random bits, since the first pops of a small one are biased
    full = (head << np.uint64(31)) | pseudo_random_message((SAMPLING_LANES,), 0, seed + 1)[
        0
    ] & np.uint64(HEAD_MIN - 1)
    message: Message = (full, tail)
    return _popped(
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
    """-ELBO of the exact model with its rounded frequencies, in bits: the mean over seeded draws of
    u from q.
    """
    rng = np.random.default_rng(seed)
    total = float(bits_of(axis or regular()) * channels * coarsest[0].size)
    for level in levels:
        mean = sigma = level.zeros()
        if latent_precision:
            mean, sigma = level.posterior()
        total += sum(part.bits for part in _intervals(level, 2, mean, channels))
        for _ in range(draws if latent_precision else 1):
            u, cost = mean, 0.0
            if latent_precision:
                cf = rng.integers(0, 1 << POSTERIOR_PRECISION, mean.size)
                indices, starts, freqs = latent.symbol(
                    _flat(mean), _flat(sigma), latent_precision, cf
                )
                cost = (
                    mean.size * latent_precision
                    - Intervals(starts, freqs, POSTERIOR_PRECISION).bits
                )
                u = latent.value(latent_precision, indices).astype(np.int32).reshape(mean.shape)
            cost += sum(
                part.bits for phase in (0, 1) for part in _intervals(level, phase, u, channels)
            )
            total += cost / (draws if latent_precision else 1)
    return total


def _popped(
    net: PyramidNet,
    message: Message,
    ledger: Ledger,
    shape: tuple[int, int],
    channels: int,
    latent_precision: int,
    growth: Growth | None,
    axis: Axis,
    stop: int,
    watch: Watch | None = None,
) -> tuple[Ints, Message]:
    """The image that the message holds down to level `stop`, and what is left of the message."""
    shapes = polyphase.level_shapes(*shape)
    n = shapes[-1][0] * shapes[-1][1] * channels
    message, raw = pop_block(message, n, bits_of(axis), _uniform)
    if raw.max(initial=0) >= axis.n:
        raise FormatError(
            f"a sample of the coarsest image is {raw.max()}, the largest value {axis.n - 1}; the "
            "file is damaged"
        )
    ledger.add("likelihood", float(bits_of(axis) * n), message_bits(message))
    if watch is not None:
        watch(
            Symbols(
                "likelihood",
                len(shapes) - 1,
                COARSEST,
                np.full((*shapes[-1], channels), float(bits_of(axis))),
            )
        )
    x = polyphase.from_positions(raw.reshape(-1, channels), shapes[-1])
    carried = net.start(*shapes[-1])
    for s in reversed(range(stop, len(shapes) - 1)):
        level = open_level(net, s, shapes[s], carried, axis, x)
        mean = u = level.zeros()
        indices: NDArray[np.int64] = mean.astype(np.int64)
        if latent_precision:
            message, popped = pop_block(message, u.size, latent_precision, _uniform)
            indices = popped.reshape(u.shape)
            ledger.add("prior", float(u.size * latent_precision), message_bits(message))
            u = latent.value(latent_precision, indices).astype(np.int32)
        for phase in (0, 1):
            level.open_phase(phase)
            message = _pop_phase(message, level, phase, u, channels, None, ledger, watch)
        if latent_precision:
            mean, sigma = level.posterior()
            starts, freqs = latent.interval(
                _flat(mean), _flat(sigma), latent_precision, _flat(indices)
            )
            part = Intervals(starts, freqs, POSTERIOR_PRECISION)
            message = push_block(message, starts, freqs, POSTERIOR_PRECISION)
            ledger.add("posterior", -part.bits, message_bits(message))
            if watch is not None:
                _tell_latents(watch, level, part, latent_precision)
        level.open_phase(2)
        message = _pop_phase(
            message, level, 2, mean, channels, growth if s == 0 else None, ledger, watch
        )
        x = level.assemble()
        if s > stop:
            carried = net.carry_up(level.trunks[2], *shapes[s])
    return x, message


def _intervals(level: Level, phase: int, u: Ints, channels: int) -> list[Intervals]:
    shape = polyphase.phase_shape(*level.shape, phase)
    x = polyphase.to_positions(level.values[phase + 1], shape)[:, :channels]
    return pixel_intervals(level.pixel_model(phase, u), x) if len(x) else []


def _pop_phase(
    message: Message,
    level: Level,
    phase: int,
    u: Ints,
    channels: int,
    growth: Growth | None,
    ledger: Ledger,
    watch: Watch | None,
) -> Message:
    shape = polyphase.phase_shape(*level.shape, phase)
    values: NDArray[np.integer] = np.zeros((0, channels), np.int64)
    if shape[0] and shape[1]:
        message, values, freqs = pop_pixels(message, level.pixel_model(phase, u), channels, growth)
        ledger.add(
            "likelihood", sum(Intervals(f, f, PRECISION).bits for f in freqs), message_bits(message)
        )
        if watch is not None:
            watch(
                Symbols(
                    "likelihood",
                    level.index,
                    phase,
                    PRECISION - np.log2(freqs.T).reshape(*shape, channels),
                )
            )
    level.close_phase(
        phase,
        polyphase.from_positions(values, shape) if len(values) else np.zeros((3, *shape), np.int32),
    )
    return message


def _tell_latents(watch: Watch, level: Level, posterior: Intervals, precision: int) -> None:
    channels, rows, columns = level.net.latent_shape(*level.grid)
    given = np.full((rows, columns, channels), float(precision))
    back = posterior.precision - np.log2(posterior.freqs).reshape(given.shape)
    watch(Symbols("prior", level.index, COARSEST, given))
    watch(Symbols("posterior", level.index, COARSEST, -back))


def _pop_posterior(
    message: Message, mean: Ints, sigma: Ints, precision: int
) -> tuple[Message, NDArray[np.int64], float]:
    flat_mean, flat_sigma = _flat(mean), _flat(sigma)

    def locate(cf: NDArray[np.integer], first: int, last: int) -> Any:
        return latent.symbol(flat_mean[first:last], flat_sigma[first:last], precision, _flat(cf))

    message, indices = pop_block(message, mean.size, POSTERIOR_PRECISION, locate)
    starts, freqs = latent.interval(flat_mean, flat_sigma, precision, indices)
    return message, indices.reshape(mean.shape), Intervals(starts, freqs, POSTERIOR_PRECISION).bits


def _flat(values: NDArray[np.integer]) -> NDArray[np.int64]:
    return values.reshape(-1).astype(np.int64)


def _uniform(cf: NDArray[np.integer], first: int, last: int) -> tuple[Any, Any, Any]:
    return cf.astype(np.int64), cf, np.ones(last - first, np.int64)
