"""The decoder's traversal of a pyramid, coarsest level first, and the coding steps of one level
that encoder and decoder share.

Decoding order of a level: u ~ p(u), phases 11 and 01 given u, then u is pushed back with q, then
phase 10 given the mean of q. The encoder (`self_funding.encode`) does the inverse.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

import bbans.distributions.gaussian_bins as latent
from bbans.coding.blocks import pop_block, push_block
from bbans.coding.rans import Message, message_bits
from bbans.distributions.colour import PRECISION
from bbans.distributions.sample_grid import Axis
from bbans.errors import FormatError
from bbans.schemes.metering import NO_PHASE, Ledger, Symbols, Watch
from bbans.schemes.pyramid import polyphase
from bbans.schemes.pyramid.level import Level, PyramidPredictor, open_level
from bbans.schemes.pyramid.pixels import Growth, Intervals, pixel_intervals, pop_pixels

POSTERIOR_PRECISION = 24

Ints = NDArray[np.int32]


@dataclass(frozen=True)
class Funds:
    """Parts of a level that are the same for every latent precision.

    mean, sigma: parameters of q(u), `(rows * columns, channels)`. phase10: the intervals of phase
    10 given the mean, one entry per colour channel; the bits that they add to the message pay for
    popping u.
    """

    mean: Ints
    sigma: Ints
    phase10: tuple[Intervals, ...]


FundsOf: TypeAlias = Callable[[Level, bool], Funds]
"""`funds_of_level(level, latents)`; without latents the mean of u is zero."""


def funds_of(channels: int) -> FundsOf:
    """Return a function `(level, latents) -> Funds` that computes each result once and caches it.

    Examples:
        >>> callable(funds_of(channels=3))
        True
    """

    cache: dict[tuple[int, bool], Funds] = {}

    def of(level: Level, latents: bool) -> Funds:
        if (level.index, latents) not in cache:
            mean, sigma = level.posterior() if latents else (level.zeros(), level.zeros())
            cache[level.index, latents] = Funds(
                mean, sigma, tuple(phase_intervals(level, 2, mean, channels))
            )
        return cache[level.index, latents]

    return of


def coarsest_bits(axis: Axis) -> int:
    """Return the bits of a sample of the coarsest image, which is coded with a uniform
    distribution.

    Examples:
        >>> from bbans.distributions.sample_grid import regular
        >>> coarsest_bits(regular())
        8
    """
    return (axis.n - 1).bit_length()


def phase_intervals(level: Level, phase: int, u: Ints, channels: int) -> list[Intervals]:
    """Compute the coding intervals of a phase's known samples, one entry per colour channel.

    u `(rows * columns, latent channels)` in 1/128. Empty where the phase has no samples.

    Examples:
        >>> from bbans.models.fixed_predictor import FixedPredictor
        >>> from bbans.schemes.pyramid.level import analyse
        >>> levels, _ = analyse(FixedPredictor(), np.zeros((3, 10, 6), np.int32))
        >>> parts = phase_intervals(levels[0], 0, levels[0].zeros(), channels=3)
        >>> [len(part.freqs) for part in parts]
        [15, 15, 15]
    """
    shape = polyphase.phase_shape(*level.shape, phase)
    x = polyphase.to_positions(level.values[phase + 1], shape)[:, :channels]
    return pixel_intervals(level.pixel_model(phase, u), x) if len(x) else []


def pop_levels(
    net: PyramidPredictor,
    message: Message,
    ledger: Ledger,
    shape: tuple[int, int],
    channels: int,
    latent_precision: int,
    growth: Growth | None,
    axis: Axis,
    level: int,
    watch: Watch | None = None,
) -> tuple[Ints, Message]:
    """Decode the image down to resolution `level`, from the coarsest level.

    Returns the image, int32 `(3, rows, columns)`, and the rest of the message. `ledger` gets the
    bits of every step, `watch` those of every symbol. Raises FormatError or UnderflowError on
    damaged data.

    Examples:
        >>> from bbans.coding.rans import pseudo_random_message
        >>> from bbans.distributions.sample_grid import regular
        >>> from bbans.models.fixed_predictor import FixedPredictor
        >>> net, ledger = FixedPredictor(), Ledger(0.0, backwards=True)
        >>> message = pseudo_random_message((1,), 999, seed=0)
        >>> x, _ = pop_levels(net, message, ledger, (9, 12), 3, 0, None, regular(), level=0)
        >>> x.shape
        (3, 9, 12)
    """
    shapes = polyphase.level_shapes(*shape)
    n = shapes[-1][0] * shapes[-1][1] * channels
    message, raw = pop_block(message, n, coarsest_bits(axis), _uniform)
    if raw.max(initial=0) >= axis.n:
        raise FormatError(
            f"a sample of the coarsest image is {raw.max()}, the largest value {axis.n - 1}; the "
            "file is damaged"
        )
    ledger.add("likelihood", float(coarsest_bits(axis) * n), message_bits(message))
    if watch is not None:
        watch(
            Symbols(
                "likelihood",
                len(shapes) - 1,
                NO_PHASE,
                np.full((*shapes[-1], channels), float(coarsest_bits(axis))),
            )
        )
    x = polyphase.from_positions(raw.reshape(-1, channels), shapes[-1])
    carried = net.start(*shapes[-1])
    for index in reversed(range(level, len(shapes) - 1)):
        current = open_level(net, index, shapes[index], carried, axis, x)
        mean = u = current.zeros()
        indices: NDArray[np.int64] = mean.astype(np.int64)
        if latent_precision:
            message, popped = pop_block(message, u.size, latent_precision, _uniform)
            indices = popped.reshape(u.shape)
            ledger.add("prior", float(u.size * latent_precision), message_bits(message))
            u = latent.value(latent_precision, indices).astype(np.int32)
        for phase in (0, 1):
            current.open_phase(phase)
            message = _pop_phase(message, current, phase, u, channels, None, ledger, watch)
        if latent_precision:
            mean, sigma = current.posterior()
            message, pushed = _push_posterior(message, mean, sigma, latent_precision, indices)
            ledger.add("posterior", -pushed.bits, message_bits(message))
            if watch is not None:
                _report_latents(watch, current, pushed, latent_precision)
        current.open_phase(2)
        message = _pop_phase(
            message, current, 2, mean, channels, growth if index == 0 else None, ledger, watch
        )
        x = current.assemble()
        if index > level:
            carried = net.carry_up(current.trunks[2], *shapes[index])
    return x, message


def pop_posterior(
    message: Message, mean: Ints, sigma: Ints, precision: int
) -> tuple[Message, NDArray[np.int64], float]:
    """Pop latent bins u ~ q(u).

    mean, sigma `(rows * columns, channels)`. Returns the message, the bin indices in the same
    shape, and their information content in bits (positive). Raises UnderflowError when the message
    holds too little.

    Examples:
        >>> from bbans.coding.rans import pseudo_random_message
        >>> mean, sigma = np.zeros((2, 3), np.int32), np.full((2, 3), 24, np.int32)
        >>> message = pseudo_random_message((1,), 99, seed=0)
        >>> _, u, bits = pop_posterior(message, mean, sigma, precision=8)
        >>> u.shape, bits > 0
        ((2, 3), True)
    """
    flat_mean, flat_sigma = flat(mean), flat(sigma)
    find = latent.Locator(flat_mean, flat_sigma, precision)
    message, indices = pop_block(message, mean.size, POSTERIOR_PRECISION, find)
    starts, freqs = latent.interval(flat_mean, flat_sigma, precision, indices)
    return message, indices.reshape(mean.shape), Intervals(starts, freqs, POSTERIOR_PRECISION).bits


def flat(values: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return values as int64 along one axis.

    Examples:
        >>> flat(np.zeros((2, 3), np.int32)).shape
        (6,)
    """
    return values.reshape(-1).astype(np.int64)


def _push_posterior(
    message: Message, mean: Ints, sigma: Ints, precision: int, indices: NDArray[np.int64]
) -> tuple[Message, Intervals]:
    """Push latent bins with q(u), the inverse of `pop_posterior`; also return their intervals."""
    starts, freqs = latent.interval(flat(mean), flat(sigma), precision, flat(indices))
    return push_block(message, starts, freqs, POSTERIOR_PRECISION), Intervals(
        starts, freqs, POSTERIOR_PRECISION
    )


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
    """Pop the samples of a phase and add them to the level."""
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


def _report_latents(watch: Watch, level: Level, posterior: Intervals, precision: int) -> None:
    """Report the bits of a level's latents: prior positive, posterior negative."""
    channels, rows, columns = level.net.latent_shape(*level.grid)
    prior_bits = np.full((rows, columns, channels), float(precision))
    bits_back = posterior.precision - np.log2(posterior.freqs).reshape(prior_bits.shape)
    watch(Symbols("prior", level.index, NO_PHASE, prior_bits))
    watch(Symbols("posterior", level.index, NO_PHASE, -bits_back))


def _uniform(cf: NDArray[np.integer], first: int, last: int) -> tuple[Any, Any, Any]:
    """Locate symbols of a uniform distribution: every symbol has frequency 1."""
    return cf.astype(np.int64), cf, np.ones(last - first, np.int64)
