"""TIFF (Adobe, revision 6.0): tags are checked here, libtiff decodes, and files are written
uncompressed.

Pillow parses and writes the tags, but it has no mode for 16-bit colours, and undoes premultiplied
alpha, which loses samples.
"""

from __future__ import annotations

import contextlib
import struct
from io import BytesIO
from typing import Any

import numpy as np
import PIL.Image
from PIL import ExifTags, TiffImagePlugin
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from bbans.errors import InputError, OutputError, UnsupportedImageError
from bbans.images import metadata
from bbans.images.formats.rows import pack_rows
from bbans.images.formats.tiff_tags import (
    BITS,
    CHANNELS,
    COLOUR_MAP,
    COMPRESSION,
    EXTRA,
    HEIGHT,
    ICC,
    MAX_TILE,
    MIN_IS_BLACK,
    MIN_IS_WHITE,
    ORIENTATION,
    PALETTE,
    PHOTOMETRIC,
    PIXELS_PER_UNIT,
    PLANAR,
    RGB,
    ROWS_PER_STRIP,
    STRIP_BYTES,
    STRIPS,
    TILE_HEIGHT,
    TILE_WIDTH,
    UNASSOCIATED_ALPHA,
    UNIT,
    WIDTH,
    X_RESOLUTION,
    XMP,
    Y_RESOLUTION,
    Kind,
    as_tuple,
    check_compression,
    head,
    is_big,
    kind_of,
    read_directory,
)
from bbans.images.image import Image, PngChunk, Samples, make_image, palette_entries, transparency
from bbans.images.pillow_convert import check_size, from_pillow, guarded


def _upright(pixels: Samples, orientation: int) -> Samples:
    """Return the pixels in the orientation in which they are to be viewed; the tag is not kept."""
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    vertical, horizontal = {
        2: (1, -1),
        3: (-1, -1),
        4: (-1, 1),
        6: (1, -1),
        7: (-1, -1),
        8: (-1, 1),
    }.get(orientation, (1, 1))
    return pixels[::vertical, ::horizontal]


def _decode_packed(data: bytes, kind: Kind) -> Samples:
    """Decode samples of 1, 2 or 4 bits with Pillow, which scales grey to 0 to 255 and maps black to
    0.

    imagecodecs decodes them only from its releases of 2026 on.
    """
    source = TiffImagePlugin.TiffImageFile(BytesIO(data))
    scale = 1 if source.mode in ("1", "P") else 255 // (2**kind.bits - 1)
    pixels: Samples = np.asarray(source).astype(np.uint8) // np.uint8(scale)
    if pixels.shape != (kind.height, kind.width) or int(pixels.max()) >> kind.bits:
        raise InputError(
            f"damaged TIFF: {kind.width} x {kind.height} samples of {kind.bits} bits were "
            f"expected, found {pixels.shape}"
        )
    return pixels


def _decode(data: bytes, kind: Kind, tags: ImageFileDirectory_v2) -> Samples:
    import imagecodecs

    tile = int(tags.get(TILE_WIDTH, 0)) * int(tags.get(TILE_HEIGHT, 0))
    if tile > max(MAX_TILE, 4 * kind.width * kind.height):
        raise InputError(f"damaged TIFF: its tiles have {tile} pixels, more than the image")
    if kind.bits < 8:
        return _decode_packed(data, kind)
    pixels: Samples = np.asarray(imagecodecs.tiff_decode(data))
    if kind.planar:
        pixels = np.moveaxis(pixels, 0, -1)
    pixels = pixels.astype(np.uint16 if kind.bits == 16 else np.uint8, copy=False)
    if pixels.shape != (kind.height, kind.width) + ((kind.channels,) if kind.channels > 1 else ()):
        raise InputError(
            f"damaged TIFF: {kind.channels} channels of {kind.width} x {kind.height} pixels were "
            f"expected, found {pixels.shape}"
        )
    return (2**kind.bits - 1) - pixels if kind.photometric == MIN_IS_WHITE else pixels


def _palette(tags: ImageFileDirectory_v2, bits: int) -> PngChunk:
    """Return the colour map as `PLTE`. Its 16-bit entries must be 8-bit values v written as 257 v
    or 256 v.
    """
    entries = np.array(as_tuple(tags[COLOUR_MAP]), np.uint32)
    if entries.size != 3 * 2**bits:
        raise InputError(
            f"damaged TIFF: a colour map of {3 * 2**bits} entries was expected, found "
            f"{entries.size}"
        )
    high, low = entries >> 8, entries & 255
    if (high > 255).any() or not ((low == high).all() or not low.any()):
        raise UnsupportedImageError(
            "a TIFF with a palette of 16-bit colours is not coded: convert it to 16-bit RGB"
        )
    return PngChunk("PLTE", high.reshape(3, -1).T.astype(np.uint8).tobytes())


def _described(data: bytes, tags: ImageFileDirectory_v2) -> tuple[PngChunk, ...]:
    """Return the metadata of the tags."""
    info: dict[str, Any] = {"icc_profile": tags.get(ICC), "xmp": tags.get(XMP)}
    if X_RESOLUTION in tags and (scale := PIXELS_PER_UNIT.get(tags.get(UNIT, 2))):
        info["dpi"] = (
            tags[X_RESOLUTION] * scale,
            tags.get(Y_RESOLUTION, tags[X_RESOLUTION]) * scale,
        )
    exif = PIL.Image.Exif()
    exif.endian, exif.bigtiff = "<" if data.startswith(b"II") else ">", is_big(data)
    exif.load_from_fp(BytesIO(data), ImageFileDirectory_v2(head(data)).next)
    return metadata.from_info(info, metadata.tiff_exif(exif))


def read_tiff(data: bytes, as_pixels: bool, max_pixels: int) -> Image:
    """Read a TIFF of 1 to 16-bit grey or indices or 8 or 16-bit RGB, either with alpha that is not
    premultiplied; turned upright.

    Raises InputError on damage, UnsupportedImageError on other kinds and, unless `as_pixels`,
    JpegInputError on JPEG data.

    Examples:
        >>> from bbans.images.image import from_array
        >>> read_tiff(tiff_bytes(from_array(np.zeros((2, 3), np.uint8))), False, 100).pixels.shape
        (2, 3)
    """
    with guarded("TIFF"):
        tags = read_directory(data)
        if check_compression(tags, as_pixels):
            source = TiffImagePlugin.TiffImageFile(BytesIO(data))
            return from_pillow(source, max_pixels)
        kind = kind_of(tags)
        if kind.width < 1 or kind.height < 1:
            raise InputError(f"damaged TIFF: no valid size ({kind.width} x {kind.height})")
        check_size(kind.width, kind.height, max_pixels)
        pixels = _upright(_decode(data, kind, tags), tags.get(ORIENTATION, 1))
        chunks = _described(data, tags)
        if kind.photometric == PALETTE:
            chunks = metadata.with_colours(chunks, (_palette(tags, kind.bits),))
        return make_image(pixels, chunks, kind.bits, kind.photometric == PALETTE)


def _rational(value: float) -> TiffImagePlugin.IFDRational:
    return TiffImagePlugin.IFDRational(round(value * 10_000), 10_000)


def _describe(directory: ImageFileDirectory_v2, chunks: tuple[PngChunk, ...]) -> None:
    """Write the metadata to the tags."""
    info = metadata.to_info(chunks)
    if "exif" in info:
        exif = PIL.Image.Exif()
        with (
            contextlib.suppress(InputError),
            guarded("EXIF"),
        ):  # an EXIF block that cannot be parsed is left out
            exif.load(info["exif"])
            directory.update(
                {tag: exif[tag] for tag in (*metadata.DESCRIPTIVE_TAGS, ORIENTATION) if tag in exif}
            )
            for ifd in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):
                if block := dict(exif.get_ifd(ifd)):
                    directory[ifd] = block
    if "icc_profile" in info:
        directory.tagtype[ICC] = 7
        directory[ICC] = info["icc_profile"]
    if "dpi" in info:
        directory[UNIT] = 2
        directory[X_RESOLUTION], directory[Y_RESOLUTION] = (
            _rational(value) for value in info["dpi"]
        )


def tiff_bytes(image: Image) -> bytes:
    """Write an uncompressed TIFF with ICC profile, EXIF and resolution.

    Raises OutputError for what it cannot hold.

    Examples:
        >>> from bbans.images.image import from_array
        >>> tiff_bytes(from_array(np.zeros((2, 3), np.uint8)))[:2]
        b'MM'
    """
    if transparency(image.metadata) is not None:
        raise OutputError("TIFF holds no transparent colour (tRNS): choose PNG")
    height, width = image.pixels.shape[:2]
    channels = 1 if image.pixels.ndim == 2 else image.pixels.shape[2]
    rows = pack_rows(image.pixels, image.bit_depth)
    if rows.size > 2**32 - 2**24:
        raise OutputError(
            f"TIFF holds at most 4 GiB, the pixels have {rows.size} bytes: choose PNG"
        )
    directory = ImageFileDirectory_v2(b"MM\0*\0\0\0\0")  # big-endian, as `pack_rows` is
    _describe(directory, image.metadata)
    directory[WIDTH], directory[HEIGHT] = width, height
    directory[BITS] = (image.bit_depth,) * channels
    directory[COMPRESSION], directory[CHANNELS], directory[PLANAR] = 1, channels, 1
    directory[PHOTOMETRIC] = PALETTE if image.palette else RGB if channels >= 3 else MIN_IS_BLACK
    directory[STRIPS], directory[ROWS_PER_STRIP], directory[STRIP_BYTES] = 0, height, rows.size
    if channels in (2, 4):
        directory[EXTRA] = UNASSOCIATED_ALPHA
    if image.palette:
        entries = (
            np.frombuffer(palette_entries(image.metadata) or b"", np.uint8)
            .reshape(-1, 3)
            .astype(int)
        )
        table = np.zeros((2**image.bit_depth, 3), int)
        if len(entries) > len(table):
            raise OutputError(
                f"TIFF holds {len(table)} colours at {image.bit_depth} bits, the palette has "
                f"{len(entries)}: choose PNG"
            )
        table[: len(entries)] = entries
        directory[COLOUR_MAP] = tuple((table.T.reshape(-1) * 257).tolist())
    file = BytesIO()
    try:
        directory.save(file)
    except (struct.error, ValueError, TypeError) as error:
        raise OutputError(f"the metadata cannot be written as TIFF: {error}") from error
    return file.getvalue() + rows.tobytes()
