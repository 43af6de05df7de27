"""Samples reversed or transposed before they are predicted: the orientation in which a photograph's
history suits the pyramid.

Chroma that was stored at half the resolution, as in film scans, many JPEG files and video, is
original in every second row and column and interpolated between. Where the originals lie in even
rows and columns, phase 00 of the pyramid holds them, and what follows is nearly known. In a
photograph that was rotated or cropped they may lie in odd ones; reversing an even number of rows
puts that right.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbans.container.file_records import COLUMNS_REVERSED, ROWS_REVERSED, TRANSPOSED

Samples = NDArray[Any]
CLEARLY = (
    9,
    10,
    # even over odd roughness of chroma below which rows are reversed; photographs without a lattice
    # have 0.94 to 1.03
)
LOOKED_AT = 512  # rows and columns in the middle


def turn(samples: Samples, orientation: int) -> Samples:
    """A view of samples `(h, w, ...)`: rows reversed, then columns reversed, then both exchanged,
    as the orientation's bits say.
    """
    rows, columns = (-1 if orientation & bit else 1 for bit in (ROWS_REVERSED, COLUMNS_REVERSED))
    turned = samples[::rows, ::columns]
    return turned.swapaxes(0, 1) if orientation & TRANSPOSED else turned


def turn_back(samples: Samples, orientation: int) -> Samples:
    """Inverse of `turn`."""
    samples = samples.swapaxes(0, 1) if orientation & TRANSPOSED else samples
    return turn(samples, orientation & ~TRANSPOSED)


def turned_shape(shape: tuple[int, int], orientation: int) -> tuple[int, int]:
    """Rows and columns of `turn`'s result."""
    return shape[::-1] if orientation & TRANSPOSED else shape


def detect_orientation(samples: Samples) -> int:
    """The orientation that puts original chroma into even rows and columns; 0 where it is there, or
    where there is no sign of a lattice.
    """
    if samples.shape[2] != 3:
        return 0
    rows, columns = (_misaligned(samples, axis) for axis in (0, 1))
    return rows * ROWS_REVERSED | columns * COLUMNS_REVERSED


def _misaligned(samples: Samples, axis: int) -> bool:
    """Whether chroma is rougher, against the mean of its two neighbours, in odd rows than in even
    ones; an even number of rows only.
    """
    h, w = samples.shape[:2]
    if samples.shape[axis] % 2 or samples.shape[axis] < 4:
        return False
    top, left = (
        max(0, h - LOOKED_AT) // 4 * 2,
        max(0, w - LOOKED_AT) // 4 * 2,
    )  # even, so that parity is kept
    middle = (
        samples[top : top + LOOKED_AT, left : left + LOOKED_AT].astype(np.int32).swapaxes(0, axis)
    )
    chroma = middle[:, :, ::2] - middle[:, :, 1:2]
    rough = np.abs(2 * chroma[1:-1] - chroma[:-2] - chroma[2:]).sum(
        (1, 2), dtype=np.int64
    )  # of rows 1, 2, ...
    n = len(rough) // 2 * 2
    odd, even = int(rough[:n:2].sum()), int(rough[1:n:2].sum())
    return CLEARLY[1] * even < CLEARLY[0] * odd
