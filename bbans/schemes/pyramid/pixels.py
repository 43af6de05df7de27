"""Colour samples of a phase on the message: channel by channel over all positions, with or without
growing lanes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import bbans.distributions.colour as colour
from bbans.coding.blocks import pop_block, pop_growing
from bbans.coding.rans import Message
from bbans.distributions.colour import PRECISION, PixelModel

Ints = NDArray[np.int64]
Growth = tuple[tuple[int, int], ...]
"""Growth points: pairs of the number of symbols pushed before and the new number of lanes."""


@dataclass(frozen=True)
class Intervals:
    """Intervals of symbols in decoding order: starts and freqs int64 `(N,)`, out of 2^precision."""

    starts: Ints
    freqs: Ints
    precision: int

    @property
    def bits(self) -> float:
        """Return the information content in bits, N precision - sum of log2 freqs.

        Examples:
            >>> Intervals(np.zeros(2, np.int64), np.array([1, 4]), precision=4).bits
            6.0
        """
        return float(len(self.freqs) * self.precision - np.log2(self.freqs).sum())


def pixel_intervals(model: PixelModel, x: NDArray[np.integer]) -> list[Intervals]:
    """Compute the intervals of samples x `(N, channels)`, one entry per channel.

    x has 1 or 3 channels of values of the model's axis; the order is that of decoding.

    Examples:
        >>> model = PixelModel(np.zeros((2, 10), np.int16), np.full((2, 3), 4 * 100, np.int32))
        >>> parts = pixel_intervals(model, np.full((2, 3), 100))
        >>> [len(part.freqs) for part in parts]
        [2, 2, 2]
    """
    starts, freqs = colour.intervals(model, x)
    return [Intervals(starts[c], freqs[c], PRECISION) for c in range(x.shape[1])]


def pop_pixels(
    message: Message, model: PixelModel, channels: int, growth: Growth | None = None
) -> tuple[Message, Ints, Ints]:
    """Pop the samples of a phase, the inverse of pushing `pixel_intervals` with the last channel
    first.

    Returns the message, the values int64 `(N, channels)` and their frequencies out of 2^PRECISION,
    int64 `(channels, N)`. With `growth`, all channels were pushed as one sequence with growing
    lanes, and growth points count symbols over the whole sequence.

    Examples:
        >>> from bbans.coding.blocks import push_block
        >>> from bbans.coding.rans import base_message
        >>> model = PixelModel(np.zeros((2, 10), np.int16), np.full((2, 3), 4 * 100, np.int32))
        >>> (part,) = pixel_intervals(model, np.array([[99], [101]]))
        >>> message = push_block(base_message((1,)), part.starts, part.freqs, part.precision)
        >>> pop_pixels(message, model, channels=1)[1].tolist()
        [[99], [101]]
    """
    n = len(model.outputs)
    values = np.zeros((n, channels), np.int64)
    freqs = np.zeros((channels, n), np.int64)
    for c, locate in enumerate(colour.locators(model, values, freqs)):
        if growth is None:
            message, values[:, c] = pop_block(message, n, PRECISION, locate)
        else:
            pushed_before = n * (channels - 1 - c)
            channel_growth = tuple(
                (at - pushed_before, lanes)
                for at, lanes in growth
                if pushed_before <= at < pushed_before + n
            )
            message, values[:, c] = pop_growing(message, n, PRECISION, locate, channel_growth)
    return message, values, freqs
