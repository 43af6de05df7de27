"""Where the tiles lie, and the checksum of a tile's pixels.

Tiles form a grid that starts at the top left corner; those of the last row and column keep what is
left.
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray


def tile_count(width: int, height: int, tile_width: int, tile_height: int) -> int:
    """How many tiles the grid has: ceil(width / tile_width) * ceil(height / tile_height)."""
    return -(-width // tile_width) * -(-height // tile_height)


def tile_rectangles(
    width: int, height: int, tile_width: int, tile_height: int
) -> list[tuple[int, int, int, int]]:
    """`(top, left, height, width)` of every tile in pixels, row by row: the order of the table of
    contents.
    """
    return [
        (top, left, min(tile_height, height - top), min(tile_width, width - left))
        for top in range(0, height, tile_height)
        for left in range(0, width, tile_width)
    ]


def to_raw(array: NDArray[Any], bit_depth: int) -> bytes:
    """Raw pixels of a tile `(h, w)` or `(h, w, channels)`: rows of samples; 16 bits little-endian,
    fewer than 8 packed, first on top.
    """
    if bit_depth >= 8:
        return np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).tobytes()
    bits = np.unpackbits(array.reshape(len(array), -1)[..., None].astype(np.uint8), axis=-1)[
        ..., 8 - bit_depth :
    ]
    return np.packbits(bits.reshape(len(array), -1), axis=1).tobytes()


def from_raw(raw: bytes, shape: tuple[int, ...], bit_depth: int) -> NDArray[Any]:
    """Inverse of `to_raw`: uint8, or uint16 of 16 bits, with this shape.

    Raises ValueError on a wrong number of bytes.
    """
    if bit_depth >= 8:
        dtype = np.dtype("<u2") if bit_depth == 16 else np.dtype(np.uint8)
        return np.frombuffer(raw, dtype).reshape(shape).astype(dtype.newbyteorder("="))
    rows = np.frombuffer(raw, np.uint8).reshape(shape[0], -1)
    samples = int(np.prod(shape[1:], dtype=np.int64))
    bits = np.unpackbits(rows, axis=1)[:, : samples * bit_depth].reshape(
        shape[0], samples, bit_depth
    )
    weights = (1 << np.arange(bit_depth)[::-1]).astype(np.uint8)
    return np.asarray((bits * weights).sum(-1, dtype=np.uint8).reshape(shape))


def pixels_crc(array: NDArray[Any], bit_depth: int = 8) -> int:
    """CRC-32 of a tile's raw pixels."""
    return zlib.crc32(to_raw(array, bit_depth))
