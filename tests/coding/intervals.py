"""Random intervals to code."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
WIDTHS = (0.05, 2.0, 1000.0)
"""Scales of a two-sided exponential over 256 symbols: nearly no information, a pixel's, a byte's.
"""


def random_intervals(n: int, precision: int, width: float, seed: int = 0) -> tuple[Ints, Ints]:
    """Starts and freqs of n symbols drawn from the distribution that they are coded with."""
    mass = np.exp(-np.abs(np.arange(256) - 128) / width)
    edges = np.floor(
        np.concatenate([[0], np.cumsum(mass) / mass.sum()]) * ((1 << precision) - 256)
    ).astype(np.int64) + np.arange(257)
    edges[-1] = 1 << precision
    x = (
        np.searchsorted(edges, np.random.default_rng(seed).integers(0, 1 << precision, n), "right")
        - 1
    )
    return edges[x], edges[x + 1] - edges[x]
