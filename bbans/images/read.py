"""A file, or its bytes, to an image. Nothing is taken that cannot be given back: what is not coded yet is refused by name."""

from __future__ import annotations

import os
import stat
from io import BytesIO
from pathlib import Path

from PIL import BmpImagePlugin, ImageFile, JpegImagePlugin, PpmImagePlugin, TiffImagePlugin, WebPImagePlugin
from PIL.PngImagePlugin import PngImageFile

from bbans.errors import InputError, JpegInputError
from bbans.images import png, sniff
from bbans.images.image import DEFAULT_MAX_PIXELS, Image
from bbans.images.pillow import COMPRESSION, JPEG_IN_TIFF, check_size, from_pillow, guarded

# Called directly and not through `PIL.Image.open`, whose size limit belongs to the process: `max_pixels` is checked instead.
OPENERS: dict[str, type[ImageFile.ImageFile]] = {
    "BMP": BmpImagePlugin.BmpImageFile,
    "JPEG": JpegImagePlugin.JpegImageFile,
    "PPM": PpmImagePlugin.PpmImageFile,
    "TIFF": TiffImagePlugin.TiffImageFile,
    "WEBP": WebPImagePlugin.WebPImageFile,
}


def file_bytes(path: str | os.PathLike[str]) -> bytes:
    """The bytes of a regular file. Raises `InputError` for anything else, and does not wait for a pipe."""
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode):
            raise InputError(f"{os.fspath(path)}: an image file was expected, found a folder")
        if not stat.S_ISREG(mode):
            raise InputError(f"{os.fspath(path)}: an image file was expected, found a pipe or device: pass its bytes")
        return Path(path).read_bytes()
    except (OSError, ValueError) as error:
        raise InputError(f"{os.fspath(path)!s}: cannot be read: {getattr(error, 'strerror', None) or error}") from None


def _read_png(data: bytes, max_pixels: int) -> Image:
    parts = png.chunks(data)
    check_size(*png.check_supported(parts), max_pixels)
    png.check_pixels(parts)
    with guarded("PNG"):
        plain = PngImageFile(BytesIO(png.essentials(parts)))
    return Image(from_pillow(plain, max_pixels).pixels, png.metadata(parts))


def _read(data: bytes, as_pixels: bool, max_pixels: int) -> Image:
    kind = sniff.image_format(data)
    if kind == "PNG":
        return _read_png(data, max_pixels)
    if kind == "JPEG" and not as_pixels:
        raise JpegInputError(f"a JPEG: {sniff.JPEG_ADVICE}")
    if kind == "WEBP":
        sniff.check_webp(data, as_pixels)
    elif kind == "PPM":
        sniff.check_pnm(data)
    elif kind == "BMP":
        sniff.check_bmp(data)
    with guarded(kind):
        source = OPENERS[kind](BytesIO(data))
        check_size(source.width, source.height, max_pixels)
        if isinstance(source, TiffImagePlugin.TiffImageFile) and source.tag_v2.get(COMPRESSION) in JPEG_IN_TIFF and not as_pixels:
            raise JpegInputError(f"a TIFF that holds JPEG data: {sniff.JPEG_ADVICE}")
    return from_pillow(source, max_pixels)


def read_image(source: str | os.PathLike[str] | bytes, as_pixels: bool = False, max_pixels: int = DEFAULT_MAX_PIXELS) -> Image:
    """Reads PNG, lossless WebP, TIFF, BMP, PPM or PGM from a path or from bytes; the content decides, not the name.

    Every chunk of a PNG besides its pixels becomes metadata, verbatim. `as_pixels` takes the decoded pixels of JPEG and lossy
    WebP, which are refused otherwise. Raises, as one line that starts with the path: `JpegInputError`,
    `UnsupportedImageError` for modes that are not coded yet, `InputError` for what is damaged, missing, larger than
    `max_pixels` or no image.
    """
    if isinstance(source, bytes):
        return _read(source, as_pixels, max_pixels)
    data = file_bytes(source)
    try:
        return _read(data, as_pixels, max_pixels)
    except InputError as error:
        raise type(error)(f"{os.fspath(source)}: {error}") from error.__cause__
