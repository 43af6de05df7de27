"""Colour pixels on the message: channel by channel over all pixels of a phase, with or without
growing lanes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import bbans.distributions.colour as colour
from bbans.coding.blocks import Locate, pop_block, pop_growing
from bbans.coding.rans import Message
from bbans.distributions.colour import PRECISION, PixelModel

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


def pixel_intervals(model: PixelModel, x: NDArray[np.integer]) -> list[Intervals]:
    """Intervals of each channel's values in decode order; x `(N, channels)` with 1 or 3 channels,
    values of the axis.
    """
    starts, freqs = colour.intervals(model, x)
    return [Intervals(starts[c], freqs[c], PRECISION) for c in range(x.shape[1])]


def pop_pixels(
    message: Message, model: PixelModel, channels: int, growth: Growth | None = None
) -> tuple[Message, Ints, Ints]:
    """Inverse of pushing `pixel_intervals` last channel first; with `growth`, of the growing push.

    Values `(N, channels)` and the frequencies, out of 2^PRECISION, `(channels, N)`, that they had.

    With `growth` all channels were pushed as one sequence, whose growth points count symbols over
    the whole of it.
    """
    n = len(model.outputs)
    mixtures: colour.Channel | None = None
    values = np.zeros((n, channels), np.int64)
    used = np.empty((channels, n), np.int64)
    for c in range(channels):
        freqs = used[c]
        mixtures = colour.open_channel(model, values, c, mixtures)
        find = colour.locator(mixtures, model.axis)

        def locate(
            cf: NDArray[np.integer], first: int, last: int, f: Ints = freqs, find: Locate = find
        ) -> tuple[Ints, Ints, Ints]:
            x, start, f[first:last] = find(cf, first, last)
            return x, start, f[first:last]

        if growth is None:
            message, values[:, c] = pop_block(message, n, PRECISION, locate)
        else:
            pushed_before = n * (channels - 1 - c)
            part = tuple(
                (at - pushed_before, lanes)
                for at, lanes in growth
                if pushed_before <= at < pushed_before + n
            )
            message, values[:, c] = pop_growing(message, n, PRECISION, locate, part)
    return message, values, used
