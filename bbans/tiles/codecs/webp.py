"""Lossless WebP by Pillow, for tiles that a model of photographs does not suit.

A payload is a `VP8L` bitstream (RFC 9649) without its first five bytes, which follow from the
tile's size. It holds samples of up to 8 bits of any meaning.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, WebPImagePlugin

from bbans.container import tile_codecs
from bbans.container.part_records import TilePart
from bbans.errors import FormatError
from bbans.schemes.metering import Account, Watch
from bbans.tiles.codec import Place, TileCodec

WEBP_SIDE = 2**14 - 1
"""Largest side of a WebP image."""
LOW_EFFORT, MIDDLE_EFFORT, HIGH_EFFORT = (100, 4), (100, 5), (100, 6)
"""Quality and method of WebP's efforts; a higher one is not always the shorter, and the highest
takes ten times as long as the others.
"""
ALL_EFFORTS = (LOW_EFFORT, MIDDLE_EFFORT, HIGH_EFFORT)
VP8L_SIGNATURE = 0x2F

Samples = NDArray[np.uint8]


def encode_webp(samples: Samples, efforts: Sequence[tuple[int, int]] = ALL_EFFORTS) -> bytes:
    """Code samples `(h, w, 1 to 4)` with sides up to 16383 as the part of a `VP8L` chunk after its
    header, by the effort that makes it shortest.

    Examples:
        >>> x = np.arange(24, dtype=np.uint8).reshape(4, 6, 1)
        >>> np.array_equal(decode_webp(encode_webp(x), (4, 6), 1), x)
        True
    """
    channels = samples.shape[2]
    colour = samples[:, :, :3] if channels >= 3 else np.repeat(samples[:, :, :1], 3, axis=2)
    array = np.concatenate([colour, samples[:, :, -1:]], axis=2) if channels in (2, 4) else colour
    picture = Image.fromarray(np.ascontiguousarray(array))
    data = min((_webp(picture, *effort) for effort in efforts), key=len)
    (size,) = struct.unpack_from("<I", data, 16)
    if data[12:16] != b"VP8L" or data[20:23] != _vp8l_header(samples.shape[:2], channels)[:3]:
        raise FormatError(
            f"the WebP library wrote a chunk {data[12:16]!r} where a VP8L chunk of this size was "
            "expected"
        )
    return data[25 : 20 + size]


def _vp8l_header(shape: tuple[int, ...], channels: int) -> bytes:
    """Return the first five bytes of every VP8L bitstream of this size: signature, sides less one,
    whether there is alpha, version 0.
    """
    height, width = shape[:2]
    return struct.pack(
        "<BI", VP8L_SIGNATURE, (width - 1) | (height - 1) << 14 | (channels in (2, 4)) << 28
    )


def _webp(picture: Image.Image, quality: int, method: int) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, "WEBP", lossless=True, exact=True, quality=quality, method=method)
    return buffer.getvalue()


def decode_webp(payload: bytes, shape: tuple[int, int], channels: int) -> Samples:
    """Decode a payload of `encode_webp` to samples `(h, w, channels)`. Raises FormatError on
    damaged data.

    Examples:
        >>> x = np.arange(32, dtype=np.uint8).reshape(2, 4, 4)
        >>> np.array_equal(decode_webp(encode_webp(x), (2, 4), channels=4), x)
        True
    """
    if max(shape) > WEBP_SIDE:
        raise FormatError(
            f"a WebP tile has sides of up to {WEBP_SIDE} pixels, found {shape[1]} x {shape[0]}; "
            "the file is damaged"
        )
    stream = _vp8l_header(shape, channels) + payload
    chunk = b"VP8L" + struct.pack("<I", len(stream)) + stream + b"\0" * (len(stream) % 2)
    data = b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk
    mode = "RGBA" if channels in (2, 4) else "RGB"
    try:
        array = _webp_pixels(data, mode, shape[0] * shape[1])
    except (OSError, RuntimeError, SyntaxError, ValueError) as error:
        raise FormatError(f"a WebP tile cannot be decoded: {error}") from error
    if array.shape != (*shape, len(mode)):
        raise FormatError("a WebP tile has another size than it says; the file is damaged")
    pick = {1: [0], 2: [0, 3], 3: [0, 1, 2], 4: [0, 1, 2, 3]}[channels]
    return np.ascontiguousarray(array[:, :, pick])


def _webp_pixels(data: bytes, mode: str, pixels: int) -> Samples:
    """Decode a WebP file of this many pixels with Pillow, or with imagecodecs where Pillow would
    warn or refuse by its limit for the whole process.

    That limit is for files of unknown size; the caller knows and bounds the size of a tile.
    """
    limit = Image.MAX_IMAGE_PIXELS
    if limit is None or pixels <= limit:
        return np.asarray(WebPImagePlugin.WebPImageFile(BytesIO(data)).convert(mode))
    try:
        import imagecodecs
    except ImportError:
        raise ValueError(
            f"Pillow's limit of {limit} pixels forbids it; raise PIL.Image.MAX_IMAGE_PIXELS or "
            "install imagecodecs"
        ) from None
    try:
        decoded: Samples = imagecodecs.webp_decode(data, hasalpha=mode == "RGBA")
    except imagecodecs.WebpError as failure:
        raise ValueError(str(failure)) from failure
    return decoded


def _decode(
    part: TilePart, place: Place, watch: Watch | None, accounted: bool
) -> tuple[Samples, Account]:
    samples = decode_webp(part.payload, place.shape, part.channels)
    return samples, Account(likelihood=8.0 * len(part.payload))


CODEC = TileCodec(tile_codecs.CODECS[tile_codecs.WEBP], _decode)
