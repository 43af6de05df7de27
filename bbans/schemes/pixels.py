"""Code length of a colour pixel: -log2 sum_k pi_k p_k(R) p_k(G | R) p_k(B | R, G), coded channel by channel.

The mixture component is shared by the channels, so after R the weights become the posterior pi_k p_k(R) / sum (in integers,
`distributions.mixture.condition`), and the locations of G and B move with the errors of the channels before them.
Outputs of the network are integers `(N, 10 K)`: K logits (1/16 log2), then for R, G, B K locations each (1/32 grey level,
relative to the prediction), K scale indices each, and K couplings each (1/64: G on R; B on R; B on G).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

import bbans.distributions.mixture as mixture
from bbans.coding.blocks import pop_block, pop_growing
from bbans.coding.rans import Message
from bbans.distributions.axis import Axis, regular
from bbans.distributions.tables import exp2_weights

PRECISION = 22
LOCATION_TOP = 2**15

Ints = NDArray[np.int64]
Growth = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Intervals:
    """Intervals of symbols in decode order; starts and freqs `(N,)`, out of 2^precision."""

    starts: Ints
    freqs: Ints
    precision: int

    @property
    def bits(self) -> float:
        """Exact information content."""
        return float(len(self.freqs) * self.precision - np.log2(self.freqs).sum())


@dataclass(frozen=True)
class PixelModel:
    """Mixture parameters of N pixels. outputs int `(N, 10 K)`; sums int `(N, 3)`, four times the prediction in grey levels.

    `axis` lays the values of a sample out over the grey levels.
    """

    outputs: NDArray[np.int32]
    sums: NDArray[np.int32]
    axis: Axis = field(default_factory=regular)

    @property
    def mixtures(self) -> int:
        """K."""
        return int(self.outputs.shape[1]) // 10

    def weights(self) -> Ints:
        """Component weights before the first channel, `(N, K)`, summing to 2^16."""
        logits = self.outputs[:, : self.mixtures].astype(np.int64)
        below = np.minimum(logits.max(1, keepdims=True) - logits, 255)
        raw: Ints = exp2_weights()[below]
        return mixture.normalise(raw)

    def component(self, channel: int, group: int) -> Ints:
        """Group 0 locations, 1 scale indices, 2 couplings of a channel, `(N, K)`."""
        first = self.mixtures * (1 + 3 * group + channel)
        return np.asarray(self.outputs[:, first : first + self.mixtures], np.int64)

    def error(self, channel: int, x: Ints) -> Ints:
        """Value minus location before coupling, in 1/32 grey level, `(N, K)`; x `(N,)`."""
        residual: Ints = self.axis.centres[x] - 8 * self.sums[:, channel].astype(np.int64)
        return np.asarray(residual[:, None] - self.component(channel, 0), np.int64)

    def locations(self, channel: int, errors: list[Ints]) -> Ints:
        """Locations in 1/32 grey level, `(N, K)`, given the errors of the channels before."""
        centre = 8 * self.sums[:, channel].astype(np.int64)[:, None] + self.component(channel, 0)
        if channel == 1:
            centre += (self.component(0, 2) * errors[0]) >> 6
        if channel == 2:
            centre += (self.component(1, 2) * errors[0] + self.component(2, 2) * errors[1]) >> 6
        return np.asarray(np.clip(centre, -LOCATION_TOP, LOCATION_TOP), np.int64)


def pixel_intervals(model: PixelModel, x: NDArray[np.integer]) -> list[Intervals]:
    """Intervals of each channel's values in decode order; x `(N, channels)` with 1 or 3 channels, values of the axis."""
    weights = model.weights()
    errors: list[Ints] = []
    found = []
    channels = x.shape[1]
    for c in range(channels):
        value = x[:, c].astype(np.int64)
        locations, scales = model.locations(c, errors), model.component(c, 1)
        if c < channels - 1:
            starts, freqs, weights = mixture.interval_and_condition(weights, locations, scales, value, model.axis)
            errors.append(model.error(c, value))
        else:
            starts, freqs = mixture.interval(weights, locations, scales, value, model.axis)
        found.append(Intervals(starts, freqs, PRECISION))
    return found


def pop_pixels(message: Message, model: PixelModel, channels: int, growth: Growth | None = None) -> tuple[Message, Ints, float]:
    """Inverse of pushing `pixel_intervals` last channel first; with `growth`, of the growing push. Values `(N, channels)` and their bits.

    With `growth` all channels were pushed as one sequence, whose growth points count symbols over the whole of it.
    """
    n = len(model.outputs)
    weights = model.weights()
    errors: list[Ints] = []
    values: list[Ints] = []
    bits = 0.0
    for c in range(channels):
        locations, scales = model.locations(c, errors), model.component(c, 1)
        popped = np.empty(n, np.int64)
        freqs = np.empty(n, np.int64)

        def locate(
            cf: NDArray[np.integer], first: int, last: int, w: Ints = weights, m: Ints = locations, s: Ints = scales, f: Ints = freqs
        ) -> tuple[Ints, Ints, Ints]:
            x, start, freq = mixture.symbol(w[first:last], m[first:last], s[first:last], cf.astype(np.int64), model.axis)
            f[first:last] = freq
            return x, start, freq

        if growth is None:
            message, popped = pop_block(message, n, PRECISION, locate)
        else:
            pushed_before = n * (channels - 1 - c)
            part = tuple((at - pushed_before, lanes) for at, lanes in growth if pushed_before <= at < pushed_before + n)
            message, popped = pop_growing(message, n, PRECISION, locate, part)
        values.append(popped)
        bits += Intervals(popped, freqs, PRECISION).bits
        if c < channels - 1:
            weights = mixture.condition(weights, locations, scales, popped, model.axis)
            errors.append(model.error(c, popped))
    return message, np.stack(values, 1), bits
