"""The grid of tiles, and the raw pixels of a tile with their checksum.

The grid starts at the top left corner; tiles of the last row and column are cut at the image's
edge.
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray


def tile_count(width: int, height: int, tile_width: int, tile_height: int) -> int:
    """ceil(width / tile_width) * ceil(height / tile_height): returns the number of tiles.

    Examples:
        >>> tile_count(5, 2, 3, 2)
        2
    """
    return -(-width // tile_width) * -(-height // tile_height)


def tile_rectangles(
    width: int, height: int, tile_width: int, tile_height: int
) -> list[tuple[int, int, int, int]]:
    """Returns `(top, left, height, width)` of every tile, in pixels, row by row: the order of the
    table of contents.

    Examples:
        >>> tile_rectangles(5, 2, 3, 2)
        [(0, 0, 2, 3), (0, 3, 2, 2)]
    """
    return [
        (top, left, min(tile_height, height - top), min(tile_width, width - left))
        for top in range(0, height, tile_height)
        for left in range(0, width, tile_width)
    ]


def to_raw(array: NDArray[Any], bit_depth: int) -> bytes:
    r"""Encodes a tile `(h, w)` or `(h, w, channels)` as raw pixels, row by row.

    Samples of 16 bits are little-endian. Samples of fewer than 8 bits are packed, the first in the
    highest bits, and every row fills whole bytes.

    Examples:
        >>> to_raw(np.array([[1, 0, 1]], np.uint8), 1)
        b'\xa0'
    """
    if bit_depth >= 8:
        return np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).tobytes()
    bits = np.unpackbits(array.reshape(len(array), -1)[..., None].astype(np.uint8), axis=-1)[
        ..., 8 - bit_depth :
    ]
    return np.packbits(bits.reshape(len(array), -1), axis=1).tobytes()


def from_raw(raw: bytes, shape: tuple[int, ...], bit_depth: int) -> NDArray[Any]:
    """Decodes raw pixels of this shape, uint8, or uint16 for 16 bits: the inverse of `to_raw`.

    Raises ValueError on a wrong number of bytes.

    Examples:
        >>> from_raw(bytes([0b10100000]), (1, 3), 1)
        array([[1, 0, 1]], dtype=uint8)
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
    """Returns the CRC-32 of a tile's raw pixels.

    Examples:
        >>> pixels_crc(np.array([[1, 2]], np.uint8)) == zlib.crc32(bytes([1, 2]))
        True
    """
    return zlib.crc32(to_raw(array, bit_depth))
