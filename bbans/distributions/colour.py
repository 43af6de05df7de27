"""-log2 sum_k pi_k p_k(R) p_k(G | R) p_k(B | R, G): the code length of a colour pixel, coded
channel by channel.

The mixture component is shared by the channels. So after R, the weights of G are the posterior pi_k
p_k(R) / sum (in integers, `mixture.condition`), and the locations of G and B shift with the errors
of the channels before them. A network's outputs are integers `(N, 10 K)`: K logits (1/16 bit); then
for each of R, G, B K locations (1/32 grey level, relative to the prediction); then for each of them
K scale indices; then K couplings each (1/64) of G to R, B to R and B to G.

The compiled core (`exact.engines`) computes the same integers in one pass over the outputs. Source
of the family: Salimans et al. 2017 (arXiv:1701.05517).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache, partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

import bbans.distributions.mixture as mixture
from bbans.coding.blocks import RowLocator
from bbans.coding.rans import Message, flat_tail, underflow
from bbans.distributions.inverse_cdf import Ints, as_int64
from bbans.distributions.mixture_layout import columns, of_colour, width
from bbans.distributions.sample_grid import Axis, regular
from bbans.distributions.tables import SCALES, exp2_weights
from bbans.exact.engines import engine
from bbans.exact.threads import spare_permits

PRECISION = mixture.PRECISION
PIXELS_OF_A_THREAD, LANES_OF_A_THREAD = 2**13, 2**7  # fewer are not worth starting one
LOCATION_TOP = 2**15
"""Bound to which locations are clipped, in 1/32 grey level."""


@dataclass(frozen=True)
class PixelModel:
    """Mixture parameters of N pixels.

    `outputs`: int16 `(N, 10 K)`, a network's outputs. `sums`: int32 `(N, 3)`, four times the
    prediction of each channel, in grey levels. `axis` places the values of a sample on the grey
    scale. Raises ValueError on outputs of another type, and on scale indices out of range.

    Examples:
        >>> outputs = np.zeros((1, 10), np.int16)
        >>> outputs[0, 4:7] = 64  # scale 1
        >>> PixelModel(outputs, np.full((1, 3), 4 * 100, np.int32)).mixtures
        1
    """

    outputs: NDArray[np.int16]
    sums: NDArray[np.int32]
    axis: Axis = field(default_factory=regular)

    def __post_init__(self) -> None:
        if self.outputs.dtype != np.int16:
            raise ValueError(f"outputs are int16; found {self.outputs.dtype}")
        scales = self.outputs[:, columns(self.mixtures).scales]
        if scales.size and scales.view(np.uint16).max() >= SCALES:  # negative ones too
            raise ValueError(
                f"scale indices lie in 0..{SCALES - 1}; found {scales.min()} to {scales.max()}"
            )

    @property
    def mixtures(self) -> int:
        """Number K of mixture components."""
        return int(self.outputs.shape[1]) // width(1)

    def component(self, channel: int, group: int) -> Ints:
        """Returns one group of a channel's parameters, int64 `(N, K)`: group 0 are locations, 1
        scale indices, 2 couplings.
        """
        chosen = of_colour(columns(self.mixtures)[1 + group], channel, self.mixtures)
        return np.asarray(self.outputs[:, chosen], np.int64)

    def locations(self, channel: int, x: Ints) -> Ints:
        """Returns a channel's locations in 1/32 grey level, `(N, K)`, given the channels before it
        in x `(N, channels)`.
        """
        centre = self._centre(channel)
        if channel == 1:
            centre = centre + (self.component(0, 2) * self._error(0, x) >> 6)
        if channel == 2:
            centre = centre + (
                self.component(1, 2) * self._error(0, x) + self.component(2, 2) * self._error(1, x)
                >> 6
            )
        return np.clip(centre, -LOCATION_TOP, LOCATION_TOP)

    def _centre(self, channel: int) -> Ints:
        """Locations before coupling."""
        return np.asarray(
            8 * self.sums[:, channel].astype(np.int64)[:, None] + self.component(channel, 0),
            np.int64,
        )

    def _error(self, channel: int, x: Ints) -> Ints:
        """Value minus location before coupling, `(N, K)`."""
        return np.asarray(
            self.axis.centres[x[:, channel]][:, None] - self._centre(channel), np.int64
        )


def intervals(model: PixelModel, x: NDArray[np.integer]) -> tuple[Ints, Ints]:
    """Returns starts and frequencies, int64 `(channels, N)` out of 2^22, of pixel values x `(N,
    channels)` with 1 or 3 channels.

    Raises ValueError on values out of range and on other shapes.

    Examples:
        >>> outputs = np.zeros((1, 10), np.int16)
        >>> outputs[0, 4:7] = 64  # scale 1
        >>> model = PixelModel(outputs, np.full((1, 3), 4 * 100, np.int32))
        >>> starts, freqs = intervals(model, np.array([[100, 100, 100]]))
        >>> (22 - np.log2(freqs[:, 0])).round(2)  # bits of R, G and B
        array([2.03, 2.03, 2.03])
    """
    values = _checked(model, x)
    channels = values.shape[1]
    starts, freqs = np.empty((2, channels, len(values)), np.int64)
    if (core := mixture.compiled(model.mixtures)) is not None:
        tables = mixture.tables_of(model.axis)
        with spare_permits(len(values) // PIXELS_OF_A_THREAD) as helpers:
            core.colour_intervals(
                *_arrays(model), values, *tables, starts, freqs, helpers + 1, engine()
            )
        return starts, freqs
    weights = _prior_weights(model)
    for c in range(channels):
        parameters = (
            weights,
            model.locations(c, values),
            model.component(c, 1),
            values[:, c],
            model.axis,
        )
        if c + 1 < channels:
            starts[c], freqs[c], weights = mixture.interval_and_condition(*parameters)
        else:
            starts[c], freqs[c] = mixture.interval(*parameters)
    return starts, freqs


class Channel(NamedTuple):
    """Mixture parameters of one channel given the channels before it, int32 `(N, K)` each, as in
    `mixture`.
    """

    weights: NDArray[np.int32]
    locations: NDArray[np.int32]
    scales: NDArray[np.int32]

    def wide(self) -> tuple[Ints, Ints, Ints]:
        """Returns the three arrays as int64, as the functions of `mixture` take them."""
        return as_int64(self.weights), as_int64(self.locations), as_int64(self.scales)


def open_channel(
    model: PixelModel, x: NDArray[np.integer], channel: int, before: Channel | None = None
) -> Channel:
    """Returns the mixtures of a channel given those before it in x `(N, 1 or 3)`.

    `before` is the result for the channel before it, None for the first one. Raises ValueError on
    values out of range.

    Examples:
        >>> outputs = np.zeros((1, 10), np.int16)
        >>> outputs[0, 4:7] = 64
        >>> model = PixelModel(outputs, np.full((1, 3), 4 * 100, np.int32))
        >>> int(open_channel(model, np.array([[0]]), 0).locations[0, 0])
        3200
    """
    values = _checked(model, x)
    weights = (
        _prior_weights(model)
        if before is None
        else mixture.condition(*before.wide(), values[:, channel - 1], model.axis)
    )
    arrays = weights, model.locations(channel, values), model.component(channel, 1)
    return Channel(*(np.asarray(array, np.int32) for array in arrays))


@dataclass(frozen=True)
class Locator(RowLocator):
    """Decodes the samples of a channel, as `coding.blocks.pop_block` asks for it.

    model: of the pixels. values: int64 `(N, channels)`, of which the channels before are known; it
    gets those of this one. freqs: int64 `(N,)`, which gets their frequencies. channel: its number.
    weights: int32 `(N, K)`, those of the components, handed on from channel to channel by the
    compiled core. opened: returns the mixtures of the channel, for the reference.
    """

    model: PixelModel
    values: Ints
    freqs: Ints
    channel: int
    weights: NDArray[np.int32]
    opened: Callable[[], Channel]

    def __call__(self, cf: NDArray[np.integer], first: int, last: int) -> tuple[Ints, Ints, Ints]:
        """Return samples first..last-1 and their intervals."""
        parameters = Channel(*(array[first:last] for array in self.opened())).wide()
        value, start, freq = mixture.symbol(*parameters, as_int64(cf), self.model.axis)
        self.values[first:last, self.channel], self.freqs[first:last] = value, freq
        return value, start, freq

    def pop_rows(self, message: Message, first: int, last: int) -> tuple[Message, Ints] | None:
        """Pop samples first..last-1 in the compiled core; return the message and the samples, or
        None where the core is not used.

        Raises UnderflowError if the message holds too few words.
        """
        if (core := mixture.compiled(self.model.mixtures)) is None:
            return None
        head, words = message[0].copy(), flat_tail(message[1])
        most = min(len(head) // LANES_OF_A_THREAD, (last - first) // PIXELS_OF_A_THREAD)
        with spare_permits(most - 1) as helpers:
            taken = core.pop_channel(
                head,
                words,
                *_arrays(self.model),
                self.values,
                *mixture.tables_of(self.model.axis),
                self.channel,
                self.weights,
                self.freqs,
                first,
                last,
                helpers + 1,
                engine(),
            )
        if taken < 0:
            raise underflow(1)
        rest = words[taken:]
        return (head, (rest, ()) if len(rest) else ()), self.values[first:last, self.channel]


def locators(model: PixelModel, values: Ints, freqs: Ints) -> Iterator[Locator]:
    """Yields the locator of every channel, in order; each is used before the next is asked for.

    values: int64 `(N, channels)`, freqs: int64 `(channels, N)`: they get what is decoded.

    Examples:
        >>> outputs = np.zeros((1, 10), np.int16)
        >>> outputs[0, 4:7] = 64
        >>> model = PixelModel(outputs, np.full((1, 3), 4 * 100, np.int32))
        >>> values, freqs = np.zeros((1, 1), np.int64), np.zeros((1, 1), np.int64)
        >>> for locate in locators(model, values, freqs):
        ...     _ = locate(np.array([1 << 21]), 0, 1)
        >>> values
        array([[100]])
    """
    weights = np.zeros((len(values), model.mixtures), np.int32)
    before: Callable[[], Channel] | None = None
    for number in range(values.shape[1]):
        opened = cache(partial(_opened, model, values, number, before))
        yield Locator(model, values, freqs[number], number, weights, opened)
        before = opened


def _opened(
    model: PixelModel, values: Ints, channel: int, before: Callable[[], Channel] | None
) -> Channel:
    return open_channel(model, values, channel, before() if before else None)


def _prior_weights(model: PixelModel) -> Ints:
    """The mixture weights pi_k before any channel is known, int64 `(N, K)`."""
    logits = model.outputs[:, columns(model.mixtures).logits].astype(np.int64)
    return mixture.normalise(exp2_weights()[np.minimum(logits.max(1, keepdims=True) - logits, 255)])


def _checked(model: PixelModel, x: NDArray[np.integer]) -> Ints:
    """The values as int64. Raises ValueError on other shapes and on values out of range."""
    values = as_int64(x)
    if values.shape not in ((len(model.outputs), 1), (len(model.outputs), 3)):
        raise ValueError(
            f"expected values (N, 1) or (N, 3) of {len(model.outputs)} pixels; found {values.shape}"
        )
    if values.size and (values.min() < 0 or values.max() >= model.axis.n):
        raise ValueError(
            f"values lie in 0..{model.axis.n - 1}; found {values.min()} to {values.max()}"
        )
    return values


def _arrays(model: PixelModel) -> tuple[NDArray[np.int16], NDArray[np.int32]]:
    """Outputs and sums, contiguous, for the compiled core."""
    return np.ascontiguousarray(model.outputs), np.ascontiguousarray(model.sums, np.int32)
