"""Pixels of a PNG to samples and back, at their own bit depth.

Pillow has no mode for samples below 8 bits and for 16-bit RGB. The former are read as if they were
palette indices, which Pillow does not scale; all 16-bit samples are decoded by libpng.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import replace
from io import BytesIO
from typing import cast

import numpy as np
import PIL.Image
from PIL.PngImagePlugin import PngImageFile

from bbans.errors import OutputError, UnsupportedImageError
from bbans.images.formats import png
from bbans.images.formats.rows import pack_rows
from bbans.images.image import Image, Samples, make_image, without_kind
from bbans.images.pillow_convert import check_size, guarded

LIBPNG_SIDE = 1_000_000
"""Largest side of an image that libpng accepts by default."""
BLOCK = 2**22
"""Bytes of rows that are compressed at a time."""


def _inflate(parts: Sequence[tuple[str, bytes]], size: int) -> bytes:
    return zlib.decompressobj().decompress(
        b"".join(payload for kind, payload in parts if kind == "IDAT"), size
    )


def _decode_deep(header: png.Header, parts: Sequence[tuple[str, bytes]]) -> Samples:
    """Decode 16-bit samples. The passes of an interlaced image are decoded one by one, since libpng
    would print a warning.
    """
    import imagecodecs

    if max(header.width, header.height) > LIBPNG_SIDE:
        raise UnsupportedImageError(
            f"a 16-bit PNG of more than {LIBPNG_SIDE} pixels in a row or column is not read: "
            "split it"
        )
    if not header.interlaced:
        return cast(
            Samples,
            imagecodecs.png_decode(
                png.serialise(header, *(part for part in parts if part[0] == "IDAT"))
            ),
        )
    channels = png.CHANNELS[header.colour]
    rows = memoryview(_inflate(parts, png.raw_size(header)))
    pixels = np.empty(
        (header.height, header.width) + ((channels,) if channels > 1 else ()), np.uint16
    )
    for top, left, down, right in png.ADAM7:
        part = pixels[top::down, left::right]
        if part.size:
            plain = header._replace(width=part.shape[1], height=part.shape[0], interlaced=0)
            size = png.raw_size(plain)
            part[...] = imagecodecs.png_decode(
                png.serialise(plain, ("IDAT", zlib.compress(rows[:size], 0)))
            )
            rows = rows[size:]
    return pixels


def _decode(header: png.Header, parts: Sequence[tuple[str, bytes]]) -> Samples:
    if header.depth == 16:
        return _decode_deep(header, parts)
    pixels = [part for part in parts if part[0] == "IDAT"]
    if header.depth < 8:
        any_palette = ("PLTE", bytes(3 * 2**header.depth))
        plain = png.serialise(header._replace(colour=png.PALETTE), any_palette, *pixels)
    else:
        plain = png.serialise(
            header._replace(colour=png.GREY) if header.colour == png.PALETTE else header, *pixels
        )
    return np.array(PngImageFile(BytesIO(plain)), np.uint8)


def read_png(data: bytes, as_pixels: bool, max_pixels: int) -> Image:
    """Read a PNG of any colour type and depth.

    Raises InputError on damage and UnsupportedImageError on other kinds.

    Examples:
        >>> from bbans.images.image import from_array
        >>> read_png(png_bytes(from_array(np.zeros((2, 3), np.uint8))), False, 100).pixels.shape
        (2, 3)
    """
    parts = png.chunks(data)
    header = png.check_supported(parts)
    check_size(header.width, header.height, max_pixels)
    png.check_pixels(header, parts)
    with guarded("PNG"):
        pixels = _decode(header, parts)
    image = make_image(pixels, png.metadata(parts), header.depth, header.colour == png.PALETTE)
    notes: tuple[str, ...] = ("interlacing",) if header.interlaced else ()
    if behind := len(data) - png.size_of(parts):
        notes += (f"{behind} bytes after its end (IEND)",)
    return replace(image, left_out=notes)


def _unfiltered(image: Image, colour: int) -> bytes:
    """Write a PNG whose rows are not filtered: differences of indices or of few levels carry no
    information (section 12.7).
    """
    height, width = image.pixels.shape[:2]
    packer = zlib.compressobj(9)
    pieces_packed = []
    step = max(1, BLOCK // width)
    for top in range(0, height, step):
        rows = pack_rows(image.pixels[top : top + step], image.bit_depth)
        pieces_packed.append(packer.compress(np.pad(rows, ((0, 0), (1, 0))).tobytes()))
    pieces_packed.append(packer.flush())
    body = b"".join(pieces_packed)
    pieces = [("IDAT", body[at : at + 2**30]) for at in range(0, len(body), 2**30)]
    return png.serialise(png.Header(width, height, image.bit_depth, colour, 0, 0, 0), *pieces)


def _encode(image: Image) -> bytes:
    if image.palette:
        return _unfiltered(image, png.PALETTE)
    if image.bit_depth < 8:
        return _unfiltered(image, png.GREY)
    if image.bit_depth == 16:
        import imagecodecs

        if max(image.pixels.shape[:2]) > LIBPNG_SIDE:
            raise OutputError(
                f"16-bit samples of more than {LIBPNG_SIDE} in a row or column are not written as "
                "PNG: choose TIFF or NPY"
            )
        return bytes(imagecodecs.png_encode(image.pixels))
    encoded = BytesIO()
    PIL.Image.fromarray(image.pixels).save(encoded, "PNG")
    return encoded.getvalue()


def png_bytes(image: Image) -> bytes:
    """Write a PNG of the image's own depth and colour type, with all its chunks in place.

    Samples with a largest value below that of their bits are written as they are, not scaled, and
    the largest value is left out. Raises InputError for a chunk that no image may have, OutputError
    on signed samples and on a last channel that is not alpha.

    Examples:
        >>> from bbans.images.image import PngChunk
        >>> image = make_image(np.zeros((2, 3), np.uint8), (PngChunk("gAMA", bytes(4)),))
        >>> read_png(png_bytes(image), False, 100).metadata == image.metadata
        True
    """
    return png.insert(_encode(without_kind(image, "PNG")), image.metadata)
