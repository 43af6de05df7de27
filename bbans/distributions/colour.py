"""-log2 sum_k pi_k p_k(R) p_k(G | R) p_k(B | R, G): the code length of a colour pixel, coded
channel by channel.

The mixture component is shared by the channels, so after R the weights become the posterior pi_k
p_k(R) / sum (in integers, `mixture.condition`), and the locations of G and B move with the errors
of the channels before them. Outputs of the network are integers `(N, 10 K)`: K logits (1/16 log2),
then for R, G, B K locations each (1/32 grey level, relative to the prediction), K scale indices
each, and K couplings each (1/64: G on R; B on R; B on G).

numba, where `mixture` uses it, computes the same integers in one pass over the outputs. Source of
the family: Salimans et al. 2017 (arXiv:1701.05517).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import ModuleType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

import bbans.distributions.mixture as mixture
from bbans.coding.blocks import Locate
from bbans.distributions.inverse_cdf import Ints, as_int64
from bbans.distributions.sample_grid import Axis, regular
from bbans.distributions.tables import SCALES, exp2_weights, inverse_scales, logistic_cdf_table

PRECISION = mixture.PRECISION
LOCATION_TOP = 2**15
"""Locations are clipped to it, in 1/32 grey level."""


@dataclass(frozen=True)
class PixelModel:
    """Mixture parameters of N pixels. outputs int16 `(N, 10 K)`; sums int32 `(N, 3)`, four times
    the prediction in grey levels.

    `axis` lays the values of a sample out over the grey levels. Raises ValueError on other types,
    and on scale indices out of range.
    """

    outputs: NDArray[np.int16]
    sums: NDArray[np.int32]
    axis: Axis = field(default_factory=regular)

    def __post_init__(self) -> None:
        if self.outputs.dtype != np.int16:
            raise ValueError(f"outputs are int16; found {self.outputs.dtype}")
        scales = self.outputs[:, 4 * self.mixtures : 7 * self.mixtures]
        if scales.size and (scales.min() < 0 or scales.max() >= SCALES):
            raise ValueError(
                f"scale indices lie in 0..{SCALES - 1}; found {scales.min()} to {scales.max()}"
            )

    @property
    def mixtures(self) -> int:
        """K."""
        return int(self.outputs.shape[1]) // 10

    def component(self, channel: int, group: int) -> Ints:
        """Group 0 locations, 1 scale indices, 2 couplings of a channel, int64 `(N, K)`."""
        first = self.mixtures * (1 + 3 * group + channel)
        return np.asarray(self.outputs[:, first : first + self.mixtures], np.int64)

    def locations(self, channel: int, x: Ints) -> Ints:
        """Locations in 1/32 grey level, `(N, K)`, given the channels before in x `(N,
        channels)`.
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
    """Starts and freqs `(channels, N)`, out of 2^22, of the values x `(N, channels)` of the axis; 1
    or 3 channels.

    Raises ValueError on values out of range.
    """
    values = _checked(model, x)
    channels = values.shape[1]
    starts, freqs = np.empty((2, channels, len(values)), np.int64)
    if (fast := _accelerator()) is not None:
        fast.intervals(*_arrays(model), values, *_tables(model), starts, freqs)
        return starts, freqs
    weights = _prior_weights(model)
    for c in range(channels):
        given = weights, model.locations(c, values), model.component(c, 1), values[:, c], model.axis
        if c + 1 < channels:
            starts[c], freqs[c], weights = mixture.interval_and_condition(*given)
        else:
            starts[c], freqs[c] = mixture.interval(*given)
    return starts, freqs


class Channel(NamedTuple):
    """Mixtures of one channel's values given the channels before, `(N, K)` each, as in
    `mixture`.
    """

    weights: NDArray[np.int32]
    locations: NDArray[np.int32]
    scales: NDArray[np.int32]

    def wide(self) -> tuple[Ints, Ints, Ints]:
        """As `mixture` takes them, int64."""
        return as_int64(self.weights), as_int64(self.locations), as_int64(self.scales)


def open_channel(
    model: PixelModel, x: NDArray[np.integer], channel: int, before: Channel | None = None
) -> Channel:
    """The mixtures of a channel given those before it in x `(N, 1 or 3)`; `before` are theirs, None
    for the first. May overwrite them.

    Raises ValueError on values out of range.
    """
    values = _checked(model, x)
    if (fast := _accelerator()) is not None:
        found = (
            Channel(*np.empty((3, len(values), model.mixtures), np.int32))
            if before is None
            else before
        )
        fast.open_channel(*_arrays(model), values, *_tables(model), channel, *found)
        return found
    weights = (
        _prior_weights(model)
        if before is None
        else mixture.condition(*before.wide(), values[:, channel - 1], model.axis)
    )
    parts = weights, model.locations(channel, values), model.component(channel, 1)
    return Channel(*(np.asarray(part, np.int32) for part in parts))


def locator(channel: Channel, axis: Axis) -> Locate:
    """`locate(cf, first, last) -> (values, starts, freqs)` of pixels first..last-1."""
    fast = mixture.accelerator()
    tables = axis.boundaries, logistic_cdf_table(), inverse_scales()

    def locate(cf: NDArray[np.integer], first: int, last: int) -> tuple[Ints, Ints, Ints]:
        weights, locations, scales = (array[first:last] for array in channel)
        if fast is None:
            return mixture.symbol(*Channel(weights, locations, scales).wide(), as_int64(cf), axis)
        # a row of lanes is short: what `mixture.symbol` checks holds for the whole channel
        value, start, freq = np.empty((3, last - first), np.int64)
        fast.symbol(weights, locations, scales, as_int64(cf), *tables, value, start, freq)
        return value, start, freq

    return locate


def _prior_weights(model: PixelModel) -> Ints:
    """pi_k, int64 `(N, K)`."""
    logits = model.outputs[:, : model.mixtures].astype(np.int64)
    return mixture.normalise(exp2_weights()[np.minimum(logits.max(1, keepdims=True) - logits, 255)])


def _checked(model: PixelModel, x: NDArray[np.integer]) -> Ints:
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
    return np.ascontiguousarray(model.outputs), np.ascontiguousarray(model.sums, np.int32)


def _tables(model: PixelModel) -> tuple[Ints, ...]:
    return (
        model.axis.centres,
        model.axis.boundaries,
        logistic_cdf_table(),
        inverse_scales(),
        exp2_weights(),
    )


def _accelerator() -> ModuleType | None:
    """The numba kernels where `mixture` has its own."""
    if mixture.accelerator() is None:
        return None
    from bbans.distributions import colour_numba

    return colour_numba
