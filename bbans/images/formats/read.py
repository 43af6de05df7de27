"""Reading of image files. Images that could not be written back exactly are refused with an error
that names the reason.
"""

from __future__ import annotations

import os

from bbans.errors import InputError
from bbans.images.formats.jpeg import JpegFile
from bbans.images.formats.registry import format_of_bytes
from bbans.images.image import DEFAULT_MAX_PIXELS, Image
from bbans.images.sources import file_bytes


def read_image(
    source: str | os.PathLike[str] | bytes,
    as_pixels: bool = False,
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> Image:
    """Read PNG, lossless WebP, TIFF, BMP, PBM to PAM, JPEG 2000 or NPY from a path or from bytes.

    The format is detected from the content, not the name. Depth and palette are those of the file.
    Every chunk of a PNG besides its pixels becomes metadata, verbatim. `as_pixels` accepts the
    decoded pixels of JPEG, lossy WebP and lossy JPEG 2000, which are refused otherwise.

    Raises JpegInputError on a lossy file, UnsupportedImageError on samples that are not unsigned
    integers of 1, 2, 4, 8 or 16 bits and colours that are not grey, RGB or a palette, and
    InputError on a file that is damaged, missing, larger than `max_pixels` or no image. Messages
    are a single line that starts with the path.

    Examples:
        >>> read_image(b"P2 2 1 255 7 8").pixels.tolist()
        [[7, 8]]
    """
    if isinstance(source, bytes):
        return format_of_bytes(source).read(source, as_pixels, max_pixels)
    data = file_bytes(source)
    try:
        return format_of_bytes(data).read(data, as_pixels, max_pixels)
    except InputError as error:
        raise type(error)(f"{os.fspath(source)}: {error}") from error.__cause__


def read_source(
    source: str | os.PathLike[str] | bytes,
    as_pixels: bool = False,
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> Image | JpegFile:
    """Read an image as `read_image` does, but take a JPEG as the file that it is unless
    `as_pixels`.

    Raises what `read_image` does; of a JPEG only the frame header is looked at.

    Examples:
        >>> read_source(bytes.fromhex("ffd8 ffc0 000b 08 0002 0003 01 011100")).width
        3
    """
    data = source if isinstance(source, bytes) else file_bytes(source)
    try:
        row = format_of_bytes(data)
        if row.keeper is None or as_pixels:
            return row.read(data, as_pixels, max_pixels)
        return row.keep(data, max_pixels)
    except InputError as error:
        if isinstance(source, bytes):
            raise
        raise type(error)(f"{os.fspath(source)}: {error}") from error.__cause__
