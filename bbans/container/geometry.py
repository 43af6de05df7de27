"""Where the tiles lie, and the checksum of a tile's pixels.

Tiles form a grid that starts at the top left corner; those of the last row and column keep what is left.
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray


def tile_count(width: int, height: int, tile_width: int, tile_height: int) -> int:
    """How many tiles the grid has: ceil(width / tile_width) * ceil(height / tile_height)."""
    return -(-width // tile_width) * -(-height // tile_height)


def tile_rectangles(width: int, height: int, tile_width: int, tile_height: int) -> list[tuple[int, int, int, int]]:
    """`(top, left, height, width)` of every tile in pixels, row by row: the order of the table of contents."""
    return [
        (top, left, min(tile_height, height - top), min(tile_width, width - left))
        for top in range(0, height, tile_height)
        for left in range(0, width, tile_width)
    ]


def pixels_crc(array: NDArray[Any]) -> int:
    """CRC-32 of a tile's samples in C order (rows, then columns, then channels), each little-endian."""
    little_endian = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    return zlib.crc32(little_endian.data)
