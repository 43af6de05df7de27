"""BMP (Windows bitmap). Uncompressed palette indices and 24 or 32-bit colours are read here, other
files by Pillow.

Pillow treats a palette that is a ramp of grey as the samples themselves, even for 4 bits, and loses
the depth.
"""

from __future__ import annotations

import struct
from io import BytesIO

import numpy as np
from PIL import BmpImagePlugin

from bbans.errors import InputError, OutputError, UnsupportedImageError
from bbans.images import metadata
from bbans.images.formats.rows import unpack_rows
from bbans.images.image import Image, PngChunk, Samples, make_image, without_kind
from bbans.images.pillow_convert import check_size, from_pillow, guarded, saved_by_pillow

RAW, RLE8, RLE4, BITFIELDS = range(4)
OLD_HEADER, V5_HEADER = 12, 124
EMBEDDED_PROFILE = 0x4D424544


def _described(data: bytes, header: int) -> tuple[PngChunk, ...]:
    """Return resolution and ICC profile."""
    chunks: list[PngChunk] = []
    if (
        header >= V5_HEADER
        and len(data) >= 14 + V5_HEADER
        and struct.unpack_from("<I", data, 14 + 56)[0] == EMBEDDED_PROFILE
    ):
        offset, size = struct.unpack_from("<II", data, 14 + 112)
        if size and 14 + offset + size <= len(data):
            chunks.append(metadata.icc_chunk(data[14 + offset : 14 + offset + size]))
    if header >= 40:
        x, y = struct.unpack_from("<ii", data, 38)
        if x > 0 and y > 0:
            chunks.append(PngChunk("pHYs", struct.pack(">IIB", x, y, 1)))
    return tuple(chunks)


def _palette(data: bytes, header: int, bits: int) -> bytes:
    """Return the palette entries in the order red, green, blue."""
    count = struct.unpack_from("<I", data, 46)[0] if header >= 40 else 0
    size = 3 if header == OLD_HEADER else 4
    stored = data[14 + header :][: size * (count or 2**bits)]
    if not 0 <= count <= 256 or len(stored) < size * (count or 2**bits):
        raise InputError(
            "damaged BMP: a palette of 1 to 256 colours was expected, found "
            f"{count or len(stored) // size}"
        )
    entries = np.frombuffer(stored, np.uint8).reshape(-1, size)[: 2**bits]
    return entries[:, 2::-1].tobytes()


def _raw(data: bytes, width: int, height: int, bits: int, upside_down: bool) -> Samples:
    """Return the pixels of an uncompressed BMP: rows padded to a multiple of 4 bytes, blue
    first.
    """
    (start,) = struct.unpack_from("<I", data, 10)
    row = (width * bits + 31) // 32 * 4
    if len(data) - start < row * height:
        raise InputError(
            f"truncated BMP: {row * height} bytes of pixels were expected, found "
            f"{max(len(data) - start, 0)}"
        )
    rows = np.frombuffer(data, np.uint8, row * height, start).reshape(height, row)[
        :: -1 if upside_down else 1
    ]
    if bits <= 8:
        return unpack_rows(rows, width, bits)
    pixels = rows[:, : width * bits // 8].reshape(height, width, bits // 8)
    if bits == 32 and (pixels[:, :, 3] != pixels[0, 0, 3]).any():
        raise UnsupportedImageError(
            "a BMP with a fourth channel that it gives no meaning is not coded: convert it to PNG"
        )
    return pixels[:, :, 2::-1]


def read_bmp(data: bytes, as_pixels: bool, max_pixels: int) -> Image:
    """Read a BMP of 1, 4 or 8-bit indices or grey, of RGB, or of RGBA (bit masks).

    Raises InputError on damage, and UnsupportedImageError on other kinds.

    Examples:
        >>> from bbans.images.image import from_array
        >>> read_bmp(bmp_bytes(from_array(np.zeros((2, 3), np.uint8))), False, 100).pixels.shape
        (2, 3)
    """
    (header,) = struct.unpack_from("<I", data, 14)
    if (header != OLD_HEADER and not 40 <= header <= V5_HEADER) or len(data) < 14 + header:
        raise InputError(
            f"damaged BMP: a header of 12 or 40 to 124 bytes was expected, found {header} of "
            f"{len(data) - 14}"
        )
    if header == OLD_HEADER:
        width, height, _, bits = struct.unpack_from("<HHHH", data, 18)
        compression = RAW
    else:
        width, height, _, bits, compression = struct.unpack_from("<iiHHI", data, 18)
    if width < 1 or height == 0:
        raise InputError(f"damaged BMP: no valid size ({width} x {abs(height)})")
    if bits not in (1, 4, 8, 24, 32) or compression > BITFIELDS:
        raise UnsupportedImageError(
            f"a BMP with {bits} bits per pixel, compression {compression}, is not coded: convert "
            "it to 24-bit RGB"
        )
    check_size(width, abs(height), max_pixels)
    described = _described(data, header)
    if compression == RAW:
        pixels = _raw(data, width, abs(height), bits, height > 0)
    else:
        with guarded("BMP"):
            source = BmpImagePlugin.BmpImageFile(BytesIO(data))
            if compression == BITFIELDS:
                return Image(from_pillow(source, max_pixels).pixels, described)
            if source.mode not in ("P", "L"):
                raise UnsupportedImageError(
                    "a run-length coded BMP of black and white is not coded: convert it to 1-bit "
                    "PNG"
                )
            pixels = np.array(source, np.uint8)
    if bits > 8:
        return make_image(pixels, described)
    entries = _palette(data, header, bits)
    ramp = np.repeat(np.arange(2**bits) * 255 // (2**bits - 1), 3).astype(np.uint8).tobytes()
    if entries == ramp:
        return make_image(pixels, described, bits)
    return make_image(
        pixels, metadata.with_colours(described, (PngChunk("PLTE", entries),)), bits, True
    )


def bmp_bytes(image: Image) -> bytes:
    """Return the bytes of a BMP file. Raises OutputError on an image that it cannot hold.

    Examples:
        >>> from bbans.images.image import from_array
        >>> bmp_bytes(from_array(np.zeros((2, 3), np.uint8)))[:2]
        b'BM'
    """
    image = without_kind(image, "BMP")
    eight = image.bit_depth == 8 and (image.pixels.ndim == 2 or image.pixels.shape[2] == 3)
    if not eight and (image.bit_depth != 1 or image.palette):
        raise OutputError("BMP holds 8-bit grey, palette or RGB and 1-bit grey: choose PNG")
    # Without a resolution Pillow would write a default one.
    return saved_by_pillow(image, "BMP", ("dpi",), dpi=(0, 0))
