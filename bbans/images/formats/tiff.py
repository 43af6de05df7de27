"""TIFF (Adobe, revision 6.0): tags are checked here, libtiff decodes, and files are written
uncompressed.

Pillow parses the tags, but it has no mode for 16-bit colours, and undoes premultiplied alpha, which
loses samples. Tags are carried and written as the bytes that they were (`tiff_carried`).
"""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
import PIL.Image
from numpy.typing import NDArray
from PIL import TiffImagePlugin
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from bbans.errors import InputError, UnsupportedImageError
from bbans.images import metadata
from bbans.images.formats.tiff_carried import tags_of, with_tags
from bbans.images.formats.tiff_pages import page_file, pages_of
from bbans.images.formats.tiff_stored import stored_page
from bbans.images.formats.tiff_tags import (
    COLOUR_MAP,
    COMPRESSION,
    ICC,
    MAX_TILE,
    MIN_IS_WHITE,
    ORIENTATION,
    PACKBITS,
    PALETTE,
    PHOTOMETRIC,
    PIXELS_PER_UNIT,
    TILE_HEIGHT,
    TILE_WIDTH,
    UNIT,
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
from bbans.images.formats.tiff_write import header_bytes, needs_big, page_bytes
from bbans.images.image import (
    Image,
    PngChunk,
    Samples,
    make_image,
)
from bbans.images.pillow_convert import check_size, from_pillow, guarded
from bbans.images.sample_kind import full_range, kind_of_largest


def upright(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Return the pixels in the orientation in which they are to be viewed; the tag is not kept.

    Examples:
        >>> upright(np.array([[1, 2]], np.uint8), 6).tolist()
        [[1], [2]]
    """
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


def decode_samples(data: bytes, kind: Kind, tags: ImageFileDirectory_v2) -> NDArray[Any]:
    """Decode the samples `(H, W)` or `(H, W, channels)` of a file's first page, black as 0.

    Raises InputError on damage, UnsupportedImageError on packed samples that libtiff would lose.

    Examples:
        >>> from bbans.images.image import from_array
        >>> data = tiff_bytes(from_array(np.zeros((2, 3), np.uint8)))
        >>> tags = read_directory(data)
        >>> decode_samples(data, kind_of(tags), tags).shape
        (2, 3)
    """
    import imagecodecs

    tile = int(tags.get(TILE_WIDTH, 0)) * int(tags.get(TILE_HEIGHT, 0))
    if tile > max(MAX_TILE, 4 * kind.width * kind.height):
        raise InputError(f"damaged TIFF: its tiles have {tile} pixels, more than the image")
    if kind.bits < 8:
        return _decode_packed(data, kind)
    if kind.bits not in (8, 16) and tags.get(COMPRESSION, 1) == PACKBITS:
        # libtiff reads them row by row, and drops what a run has beyond its row
        raise UnsupportedImageError(
            f"a TIFF with samples of {kind.bits} bits compressed by PackBits is not read: write it "
            "anew with LZW or Deflate"
        )
    pixels: NDArray[Any] = np.asarray(imagecodecs.tiff_decode(data))
    if kind.planar:
        pixels = np.moveaxis(pixels, 0, -1)
    size, sign = 1 if kind.bits == 8 else 2, "i" if kind.signed else "u"
    pixels = pixels.astype(f"{sign}{size}", copy=False)
    if kind.signed and kind.bits not in (8, 16):  # extend the sign, which libtiff leaves out
        pixels = pixels << (16 - kind.bits) >> (16 - kind.bits)
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
    """Read a TIFF of 1 to 16-bit grey or indices or 8 to 16-bit RGB, either with a further channel;
    turned upright, with the tags of its page. Samples of 8 to 16 bits may be signed.

    Images of lower resolution besides it (thumbnails, levels of a pyramid) are left out and named.
    Raises InputError on damage, UnsupportedImageError on other kinds and, unless `as_pixels`,
    JpegInputError on JPEG data.

    Examples:
        >>> from bbans.images.image import from_array
        >>> read_tiff(tiff_bytes(from_array(np.zeros((2, 3), np.uint8))), False, 100).pixels.shape
        (2, 3)
    """
    if data.startswith(b"MM\0+"):  # Pillow would misread its offsets
        raise UnsupportedImageError(
            "a big-endian BigTIFF is not read: write it anew, little-endian or smaller"
        )
    pages, notes = pages_of(data)
    if len(pages) > 1:
        raise UnsupportedImageError(
            "a TIFF of several pages is no single image: compress it as a stack, by itself (bbans "
            "compress, bbans.compress_stack)"
        )
    alone = data if not notes else page_file(data, pages[0])
    return with_tags(read_page(alone, as_pixels, max_pixels), data, pages[0], notes)


def read_page(data: bytes, as_pixels: bool, max_pixels: int) -> Image:
    """Read the only page of a file, without its tags. Raises as `read_tiff` does.

    Examples:
        >>> from bbans.images.image import from_array
        >>> read_page(tiff_bytes(from_array(np.zeros((2, 3), np.uint8))), False, 100).pixels.shape
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
        pixels = upright(decode_samples(data, kind, tags), tags.get(ORIENTATION, 1))
        chunks = _described(data, tags)
        if kind.photometric == PALETTE:
            chunks = metadata.with_colours(chunks, (_palette(tags, kind.bits),))
        if kind.photometric == PALETTE:
            return make_image(pixels, chunks, kind.bits, palette=True)
        largest = full_range(kind.bits, kind.signed)
        depth, samples = kind_of_largest(largest, kind.channels, kind.signed, kind.last_channel)
        return make_image(pixels, chunks, depth, samples=samples)


def tiff_bytes(image: Image) -> bytes:
    """Write an uncompressed TIFF with the tags of the TIFF that the image came from, or with ICC
    profile, EXIF, XMP and resolution.

    Raises OutputError for what it cannot hold.

    Examples:
        >>> from bbans.images.image import from_array
        >>> tiff_bytes(from_array(np.zeros((2, 3), np.uint8)))[:2]
        b'MM'
    """
    tags = tags_of(image)
    order = ">" if tags.big_endian else "<"
    stored, rows = stored_page(image, tags)
    big = needs_big(tags.tags) or len(rows) > 2**32 - 2**27
    begin = header_bytes(order, big)
    page = (*stored, *(tag for tag in tags.tags if tag.tag != PHOTOMETRIC))
    return begin + page_bytes(page, rows, order, big, len(begin), last=True)
