"""Lossless JPEG XL by imagecodecs (libjxl), for tiles that a model of photographs does not suit.

A payload is a JPEG XL codestream (ISO/IEC 18181-1) of the tile's size without its first two bytes,
the signature, with one channel for each of the part. It holds samples of any meaning.
"""

from __future__ import annotations

import struct
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from bbans.container import tile_codecs
from bbans.container.part_records import TilePart
from bbans.errors import FormatError
from bbans.schemes.metering import Account, Watch
from bbans.tiles.codec import Place, TileCodec

SIGNATURE = b"\xff\x0a"
EFFORT, HIGH_EFFORT = 7, 9
"""libjxl's efforts; the high one is up to 30 % shorter on drawings, and takes ten times as long."""
RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
"""Width to height of the numbers 1 to 7 of a size header (ISO/IEC 18181-1, D.2)."""

Samples = NDArray[Any]


def encode_jpegxl(samples: Samples, effort: int = EFFORT) -> bytes:
    """Code samples `(h, w, 1 to 4)`, uint8 or uint16, as a codestream without its signature.

    Examples:
        >>> x = np.arange(24, dtype=np.uint16).reshape(4, 6, 1)
        >>> np.array_equal(decode_jpegxl(encode_jpegxl(x), (4, 6), 1, 16), x)
        True
    """
    array = np.ascontiguousarray(samples[:, :, 0] if samples.shape[2] == 1 else samples)
    data = imagecodecs.jpegxl_encode(
        array, effort=effort, lossless=True, usecontainer=False, numthreads=1
    )
    return _codestream(bytes(data))[len(SIGNATURE) :]


def _codestream(data: bytes) -> bytes:
    """Return the codestream of a file, which libjxl puts into a box for samples of 16 bits."""
    if data.startswith(SIGNATURE):
        return data
    position, found = 0, b""
    while position < len(data):
        size, kind = struct.unpack(">I4s", data[position : position + 8])
        end = position + size if size else len(data)
        if kind == b"jxlc":
            found += data[position + 8 : end]
        elif kind == b"jxlp":  # a piece, after its number
            found += data[position + 12 : end]
        position = end
    return found


def coded_shape(payload: bytes) -> tuple[int, int]:
    """Return rows and columns that the size header of a payload gives.

    Raises FormatError if it ends early.

    Examples:
        >>> coded_shape(encode_jpegxl(np.zeros((300, 200, 1), np.uint8)))
        (300, 200)
    """
    bits, position = int.from_bytes(payload[:16], "little"), 0

    def take(n: int) -> int:
        nonlocal position
        position += n
        return bits >> position - n & (1 << n) - 1

    def side(small: bool) -> int:
        return 8 * (take(5) + 1) if small else 1 + take((9, 13, 18, 30)[take(2)])

    small = bool(take(1))
    height, ratio = side(small), take(3)
    numerator, denominator = RATIOS[ratio - 1]
    width = height * numerator // denominator if ratio else side(small)
    if position > 8 * len(payload):
        raise FormatError("a JPEG XL tile ends in its size; the file is damaged")
    return height, width


def decode_jpegxl(payload: bytes, shape: tuple[int, int], channels: int, bit_depth: int) -> Samples:
    """Decode a payload to samples `(h, w, channels)`, uint16 for a bit depth of 16, else uint8.

    Raises FormatError on damaged data, and on an image of another size or other samples. Memory is
    bounded by `shape`: the size is read before the image is decoded.

    Examples:
        >>> payload = encode_jpegxl(np.full((2, 3, 4), 7, np.uint8))
        >>> int(decode_jpegxl(payload, (2, 3), 4, 8).sum())
        168
    """
    if (found := coded_shape(payload)) != shape:
        raise FormatError(
            f"a JPEG XL tile of {shape[1]} x {shape[0]} pixels was expected, found "
            f"{found[1]} x {found[0]}; the file is damaged"
        )
    out = np.empty(
        shape if channels == 1 else (*shape, channels), np.uint16 if bit_depth == 16 else np.uint8
    )
    try:
        samples = imagecodecs.jpegxl_decode(SIGNATURE + payload, out=out, numthreads=1)
    except (imagecodecs.JpegxlError, ValueError, RuntimeError) as error:
        raise FormatError(f"a JPEG XL tile cannot be decoded: {error}") from error
    return np.asarray(samples).reshape(*shape, channels)


def _decode(
    part: TilePart, place: Place, watch: Watch | None, accounted: bool
) -> tuple[Samples, Account]:
    depth = place.pixel_format.bit_depth
    samples = decode_jpegxl(part.payload, place.shape, part.channels, depth)
    return samples, Account(likelihood=8.0 * len(part.payload))


CODEC = TileCodec(tile_codecs.CODECS[tile_codecs.JPEGXL], _decode)
