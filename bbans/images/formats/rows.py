"""Rows of samples as the bytes of PNG, TIFF, BMP and PBM: samples from the high bits down, each row
padded to whole bytes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def row_bytes(width: int, channels: int, depth: int) -> int:
    """Return the bytes of a row: ceil(width * channels * depth / 8).

    Examples:
        >>> row_bytes(10, 1, 1)
        2
    """
    return (width * channels * depth + 7) // 8


def pack_rows(pixels: NDArray[Any], depth: int) -> NDArray[np.uint8]:
    """Pack samples `(H, W)` or `(H, W, C)` into uint8 `(H, row_bytes)`; 16-bit samples are
    big-endian, signed ones two's complements, and of 9 to 15 bits the low ones are packed.

    Examples:
        >>> pack_rows(np.array([[1, 0, 1]], np.uint8), 1).tolist()
        [[160]]
    """
    height, width = pixels.shape[:2]
    if depth > 8:
        words = np.ascontiguousarray(pixels.astype(pixels.dtype.newbyteorder(">"), copy=False))
        octets = words.reshape(height, -1).view(np.uint8)
        return octets if depth == 16 else _pack_words(octets, depth)
    if depth == 8:
        return pixels.reshape(height, -1).view(np.uint8)
    bits = np.zeros((height, row_bytes(width, 1, depth) * 8 // depth), np.uint8)
    bits[:, :width] = pixels
    packed = np.zeros((height, bits.shape[1] * depth // 8), np.uint8)
    for place in range(8 // depth):
        packed |= bits[:, place :: 8 // depth] << np.uint8(8 - depth * (place + 1))
    return packed


def _pack_words(octets: NDArray[np.uint8], depth: int) -> NDArray[np.uint8]:
    """Keep the low `depth` bits of every big-endian word of rows `(H, 2 W)`."""
    rows = []
    for row in octets:  # one by one, since the bits take eight times the memory
        bits = np.unpackbits(row).reshape(-1, 16)[:, 16 - depth :]
        rows.append(np.packbits(bits.reshape(-1)))
    return np.stack(rows)


def unpack_rows(packed: NDArray[np.uint8], width: int, depth: int) -> NDArray[np.uint8]:
    """Unpack rows of 1, 2, 4 or 8-bit samples to uint8 `(H, width)`, the inverse of `pack_rows`.

    Examples:
        >>> unpack_rows(np.array([[160]], np.uint8), 3, 1).tolist()
        [[1, 0, 1]]
    """
    if depth == 8:
        return packed[:, :width]
    samples = np.empty((packed.shape[0], packed.shape[1] * 8 // depth), np.uint8)
    for place in range(8 // depth):
        samples[:, place :: 8 // depth] = packed >> np.uint8(8 - depth * (place + 1)) & np.uint8(
            2**depth - 1
        )
    return np.ascontiguousarray(samples[:, :width])
