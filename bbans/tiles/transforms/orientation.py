"""Reversal and transposition of samples, to align a photograph's chroma grid with the pyramid.

Chroma that was stored at half resolution, as in film scans, many JPEG files and video, has original
values in every second row and column and interpolated ones between. Where the originals lie in even
rows and columns, phase 00 of the pyramid holds them, and the other phases are nearly determined. In
a photograph that was rotated or cropped they may lie in odd ones; reversing an even number of rows
moves them to even ones.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbans.container.part_records import COLUMNS_REVERSED, ROWS_REVERSED, TRANSPOSED

Samples = NDArray[Any]
CLEARLY = (9, 10)
"""Rows are reversed where the roughness of chroma in even rows is below 9/10 of that in odd rows;
photographs without a chroma grid have ratios of 0.94 to 1.03.
"""
EXAMINED = 512
"""Rows and columns of the central crop that is examined."""


def turn(samples: Samples, orientation: int) -> Samples:
    """Return a view of samples `(h, w, ...)` with rows reversed, columns reversed, then both
    exchanged, as the bits of `orientation` say.

    Examples:
        >>> turn(np.array([[1, 2], [3, 4]]), ROWS_REVERSED).tolist()
        [[3, 4], [1, 2]]
    """
    rows, columns = (-1 if orientation & bit else 1 for bit in (ROWS_REVERSED, COLUMNS_REVERSED))
    turned = samples[::rows, ::columns]
    return turned.swapaxes(0, 1) if orientation & TRANSPOSED else turned


def turn_back(samples: Samples, orientation: int) -> Samples:
    """Invert `turn`.

    Examples:
        >>> x = np.arange(6).reshape(2, 3)
        >>> all(np.array_equal(turn_back(turn(x, o), o), x) for o in range(8))
        True
    """
    samples = samples.swapaxes(0, 1) if orientation & TRANSPOSED else samples
    return turn(samples, orientation & ~TRANSPOSED)


def turned_shape(shape: tuple[int, int], orientation: int) -> tuple[int, int]:
    """Return rows and columns of the result of `turn`.

    Examples:
        >>> turned_shape((2, 3), TRANSPOSED)
        (3, 2)
    """
    return shape[::-1] if orientation & TRANSPOSED else shape


def detect_orientation(samples: Samples) -> int:
    """Return the orientation that moves original chroma values to even rows and columns.

    samples `(h, w, channels)`. 0 where they are there already, or where no chroma grid is found.

    Examples:
        >>> detect_orientation(np.zeros((8, 8, 3), np.uint8))
        0
    """
    if samples.shape[2] != 3:
        return 0
    rows, columns = (_misaligned(samples, axis) for axis in (0, 1))
    return rows * ROWS_REVERSED | columns * COLUMNS_REVERSED


def _misaligned(samples: Samples, axis: int) -> bool:
    """Return whether chroma deviates more from the mean of its two neighbours in odd rows than in
    even ones.

    Only for an even number of rows, which reversal moves between odd and even.
    """
    h, w = samples.shape[:2]
    if samples.shape[axis] % 2 or samples.shape[axis] < 4:
        return False
    top, left = (
        max(0, h - EXAMINED) // 4 * 2,
        max(0, w - EXAMINED) // 4 * 2,
    )  # even offsets keep the parity of rows and columns
    crop = samples[top : top + EXAMINED, left : left + EXAMINED].astype(np.int32).swapaxes(0, axis)
    chroma = crop[:, :, ::2] - crop[:, :, 1:2]
    roughness = np.abs(2 * chroma[1:-1] - chroma[:-2] - chroma[2:]).sum(
        (1, 2), dtype=np.int64
    )  # one value for each of the rows 1, 2, ...
    n = len(roughness) // 2 * 2
    odd, even = int(roughness[:n:2].sum()), int(roughness[1:n:2].sum())
    return CLEARLY[1] * even < CLEARLY[0] * odd
