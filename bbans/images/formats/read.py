"""A file, or its bytes, to an image.

Nothing is taken that cannot be given back: what is not coded is refused by name.
"""

from __future__ import annotations

import os
import stat
from io import BytesIO
from pathlib import Path

from PIL import ImageFile, JpegImagePlugin, WebPImagePlugin

from bbans.errors import InputError, JpegInputError
from bbans.images.formats import sniff
from bbans.images.formats.bmp import read_bmp
from bbans.images.formats.jpeg2000 import read_jpeg2000
from bbans.images.formats.npy import read_npy
from bbans.images.formats.png_pixels import read_png
from bbans.images.formats.pnm import read_pnm
from bbans.images.formats.tiff import read_tiff
from bbans.images.image import DEFAULT_MAX_PIXELS, Image
from bbans.images.pillow_convert import check_size, from_pillow, guarded

READERS = {"PNG": read_png, "PPM": read_pnm, "BMP": read_bmp, "NPY": read_npy}
LOSSY_READERS = {"TIFF": read_tiff, "JPEG 2000": read_jpeg2000}  # those that may be lossy inside
# Called directly and not through `PIL.Image.open`, whose size limit belongs to the process:
# `max_pixels` is checked instead.
OPENERS: dict[str, type[ImageFile.ImageFile]] = {
    "JPEG": JpegImagePlugin.JpegImageFile,
    "WEBP": WebPImagePlugin.WebPImageFile,
}


def file_bytes(path: str | os.PathLike[str]) -> bytes:
    """The bytes of a regular file.

    Raises `InputError` for anything else, and does not wait for a pipe.
    """
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode):
            raise InputError(f"{os.fspath(path)}: an image file was expected, found a folder")
        if not stat.S_ISREG(mode):
            raise InputError(
                f"{os.fspath(path)}: an image file was expected, found a pipe or device: pass its "
                "bytes"
            )
        return Path(path).read_bytes()
    except (OSError, ValueError) as error:
        raise InputError(
            f"{os.fspath(path)!s}: cannot be read: {getattr(error, 'strerror', None) or error}"
        ) from None


def _read(data: bytes, as_pixels: bool, max_pixels: int) -> Image:
    kind = sniff.image_format(data)
    if kind in READERS:
        return READERS[kind](data, max_pixels)
    if kind in LOSSY_READERS:
        return LOSSY_READERS[kind](data, as_pixels, max_pixels)
    if kind == "JPEG" and not as_pixels:
        raise JpegInputError(f"a JPEG: {sniff.JPEG_ADVICE}")
    if kind == "WEBP":
        sniff.check_webp(data, as_pixels)
    with guarded(kind):
        source = OPENERS[kind](BytesIO(data))
        check_size(source.width, source.height, max_pixels)
    return from_pillow(source, max_pixels)


def read_image(
    source: str | os.PathLike[str] | bytes,
    as_pixels: bool = False,
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> Image:
    """Reads PNG, lossless WebP, TIFF, BMP, PBM to PAM, JPEG 2000 or NPY from a path or from bytes;
    the content decides, not the name.

    Depth and palette are those of the file. Every chunk of a PNG besides its pixels becomes
    metadata, verbatim. `as_pixels` takes the decoded pixels of JPEG, lossy WebP and lossy JPEG
    2000, which are refused otherwise. Raises, as one line that starts with the path:
    `JpegInputError`, `UnsupportedImageError` for samples that are not unsigned integers of 1, 2, 4,
    8 or 16 bits and colours that are not grey, RGB or a palette, `InputError` for what is damaged,
    missing, larger than `max_pixels` or no image.
    """
    if isinstance(source, bytes):
        return _read(source, as_pixels, max_pixels)
    data = file_bytes(source)
    try:
        return _read(data, as_pixels, max_pixels)
    except InputError as error:
        raise type(error)(f"{os.fspath(source)}: {error}") from error.__cause__
