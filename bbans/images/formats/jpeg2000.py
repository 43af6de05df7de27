"""JPEG 2000 (ISO/IEC 15444-1), decoded by OpenJPEG after its headers have been checked here.

A file is a codestream, or boxes around one (JP2). Wavelet transform 0 (9/7) rounds, so its files
are lossy and treated like JPEG. Transform 1 (5/3) is reversible, but a rate may have been kept by
leaving out coding passes: `jpeg2000_rate` finds these, and such a file is treated as lossy too.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from bbans.errors import InputError, JpegInputError, UnsupportedImageError
from bbans.images import metadata
from bbans.images.formats.jpeg2000_rate import cut_to_rate
from bbans.images.formats.registry import LOSSY_ADVICE
from bbans.images.image import Image, PngChunk, make_image
from bbans.images.pillow_convert import check_size, guarded
from bbans.images.sample_kind import full_range, kind_of_largest

SOC, SIZ, COD, COC, SOT = 0xFF4F, 0xFF51, 0xFF52, 0xFF53, 0xFF90
SRGB, GREY = 16, 17  # enumerated colour spaces
OTHER_PROFILES = (
    b"CMYK",
    b"Lab ",
    b"XYZ ",
    b"YCbr",
    b"Luv ",
    b"HSV ",
)
"""Colour spaces of ICC profiles, at their byte 16, that are not coded."""
XMP_UUID = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
EXIF_UUID = b"JpgTiffExif->JP2"
MAX_TILES = 65535
TILE_BYTES = 14
"""Bytes of the shortest tile, which is headers only. The decoder allocates kilobytes per tile
before it reads them.
"""


class Codestream(NamedTuple):
    """Fields of the main header about the samples, whether their transform is reversible, and the
    byte at which the codestream starts.
    """

    width: int
    height: int
    channels: int
    bits: int
    signed: bool
    reversible: bool
    start: int = 0


def _boxes(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield the kind, the start and the end of the content of every box."""
    while start + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, start)
        body = start + 8
        if size == 1 and start + 16 <= end:
            (size,) = struct.unpack_from(">Q", data, body)
            body += 8
        stop = end if size == 0 else start + size
        if not body <= stop <= end:
            raise InputError(f"damaged JPEG 2000: a box of kind {kind!r} does not fit")
        yield kind, body, stop
        start = stop


def _size(data: bytes, body: int) -> Codestream:
    """Parse the size marker."""
    x1, y1, x0, y0, tile_x, tile_y, from_x, from_y, channels = struct.unpack_from(
        ">8IH", data, body + 2
    )
    parts = [
        struct.unpack_from(">BBB", data, body + 36 + 3 * channel) for channel in range(channels)
    ]
    if not (x0 < x1 and y0 < y1 and tile_x and tile_y):
        raise InputError(f"damaged JPEG 2000: no valid size ({x1 - x0} x {y1 - y0})")
    if -(-(x1 - from_x) // tile_x) * -(-(y1 - from_y) // tile_y) > min(
        MAX_TILES, len(data) // TILE_BYTES
    ):
        raise InputError("damaged JPEG 2000: it has more tiles than it has room for")
    if channels not in (1, 2, 3, 4):
        raise UnsupportedImageError(
            f"a JPEG 2000 with {channels} channels is not coded: convert it to grey or RGB"
        )
    if len(set(parts)) > 1 or parts[0][1:] != (1, 1) or parts[0][0] & 127 > 15:
        kinds = ", ".join(
            sorted(
                {
                    f"{'signed ' if bits & 128 else ''}{(bits & 127) + 1}-bit ({x} x {y})"
                    for bits, x, y in parts
                }
            )
        )
        raise UnsupportedImageError(
            f"a JPEG 2000 with samples of {kinds} is not coded: convert it to one kind of samples "
            "of up to 16 bits, not subsampled"
        )
    bits, signed = (parts[0][0] & 127) + 1, parts[0][0] > 127
    return Codestream(x1 - x0, y1 - y0, channels, bits, signed, True)


def _codestream(data: bytes, start: int) -> Codestream:
    """Parse the main header: the markers before the first tile."""
    header: Codestream | None = None
    reversible: list[bool] = []
    position = start + 2
    while True:
        marker, size = struct.unpack_from(">HH", data, position)
        if marker == SOT or marker < 0xFF00 or size < 2:
            break
        body = position + 4
        if marker == SIZ:
            header = _size(data, body)
        elif marker == COD:
            reversible.append(data[body + 9] == 1)
        elif marker == COC:  # a channel's number has one byte, since there are at most 4 channels
            reversible.append(data[body + 6] == 1)
        position += 2 + size
    if header is None or not reversible:
        raise InputError("damaged JPEG 2000: its main header has no size or no coding style")
    return header._replace(reversible=all(reversible), start=start)


def _resolution(data: bytes, body: int) -> PngChunk:
    """Return the resolution: two fractions in pixels per metre, vertical first, with decimal
    exponents.
    """
    over_y, under_y, over_x, under_x, power_y, power_x = struct.unpack_from(">4H2b", data, body)
    per_metre = over_x / under_x * 10.0**power_x, over_y / under_y * 10.0**power_y
    return metadata.resolution_chunk(
        (per_metre[0] * metadata.METRES_PER_INCH, per_metre[1] * metadata.METRES_PER_INCH)
    )


def _colours(data: bytes, body: int, end: int, channels: int) -> tuple[PngChunk, ...]:
    """Return ICC profile and resolution from the header box.

    Raises UnsupportedImageError on palettes, other colour spaces and unusual channels.
    """
    profile: tuple[PngChunk, ...] = ()
    resolution: tuple[PngChunk, ...] = ()
    for kind, at, stop in _boxes(data, body, end):
        if kind in (b"pclr", b"cmap"):
            raise UnsupportedImageError(
                "a JPEG 2000 with a palette is not coded: convert it to PNG"
            )
        if kind == b"colr":
            method = data[at]
            named = method == 1 and struct.unpack_from(">I", data, at + 3)[0] not in (SRGB, GREY)
            if named or (method in (2, 3) and data[at + 19 : at + 23] in OTHER_PROFILES):
                raise UnsupportedImageError(
                    "a JPEG 2000 with colours other than sRGB or grey is not coded: convert it to "
                    "RGB"
                )
            if method in (2, 3) and not profile:
                profile = (metadata.icc_chunk(data[at + 3 : stop]),)
        if kind == b"res ":
            resolution += tuple(
                _resolution(data, inner)
                for name, inner, last in _boxes(data, at, stop)
                if last - inner == 10
            )
        if kind == b"cdef":
            (count,) = struct.unpack_from(">H", data, at)
            rows = sorted(
                struct.unpack_from(">HHH", data, at + 2 + 6 * index) for index in range(count)
            )
            colours = channels - (channels in (2, 4))
            expected = [(index, 0, index + 1) for index in range(colours)] + [
                (index, 1, 0) for index in range(colours, channels)
            ]
            if rows != expected:
                raise UnsupportedImageError(
                    "a JPEG 2000 with premultiplied alpha or channels out of order is not coded: "
                    "convert it to PNG"
                )
    return profile + resolution[:1]


def _jp2(data: bytes) -> tuple[Codestream, tuple[PngChunk, ...]]:
    """Parse the boxes of a JP2 file."""
    codestream: Codestream | None = None
    header: tuple[int, int] | None = None
    described: tuple[PngChunk, ...] = ()
    for kind, body, stop in _boxes(data, 0, len(data)):
        if kind == b"jp2h":
            header = body, stop
        elif kind == b"jp2c" and codestream is None:
            codestream = _codestream(data, body)
        elif kind == b"uuid" and data[body : body + 16] == XMP_UUID:
            described += (metadata.xmp_chunk(data[body + 16 : stop]),)
        elif kind == b"uuid" and data[body : body + 16] == EXIF_UUID:
            described += (metadata.exif_chunk(data[body + 16 : stop]),)
    if codestream is None:
        raise InputError("damaged JPEG 2000: it has no codestream")
    return codestream, (_colours(data, *header, codestream.channels) if header else ()) + described


def read_jpeg2000(data: bytes, as_pixels: bool, max_pixels: int) -> Image:
    """Read an image of 1 to 4 channels of samples of up to 16 bits, which may be signed; the second
    or fourth is alpha.

    Raises InputError on damage, UnsupportedImageError on other kinds and, for a lossy file unless
    `as_pixels`, JpegInputError.

    Examples:
        >>> import imagecodecs
        >>> data = imagecodecs.jpeg2k_encode(np.zeros((2, 3), np.uint8), reversible=True)
        >>> read_jpeg2000(data, as_pixels=False, max_pixels=100).pixels.shape
        (2, 3)
    """
    import imagecodecs

    with guarded("JPEG 2000"):
        bare = data.startswith(b"\xff\x4f")
        header, described = (_codestream(data, 0), ()) if bare else _jp2(data)
        if not header.reversible and not as_pixels:
            raise JpegInputError(f"a lossy JPEG 2000: {LOSSY_ADVICE}")
        check_size(header.width, header.height, max_pixels)
        if header.reversible and not as_pixels and cut_to_rate(data[header.start :]):
            raise JpegInputError(
                "a reversible JPEG 2000 of which coding passes were left out to keep a rate: "
                f"{LOSSY_ADVICE}"
            )
        pixels = np.asarray(imagecodecs.jpeg2k_decode(data))
        shape = (header.height, header.width) + ((header.channels,) if header.channels > 1 else ())
        if pixels.shape != shape:
            raise InputError(
                f"damaged JPEG 2000: an image of shape {shape} was expected, found {pixels.shape}"
            )
        depth, samples = kind_of_largest(
            full_range(header.bits, header.signed), header.channels, header.signed
        )
        return make_image(pixels, described, depth, samples=samples)
