"""An image to a file: PNG with every chunk that it came with, or another lossless format with what
that can carry.
"""

from __future__ import annotations

from typing import IO

from bbans.errors import OutputError
from bbans.images.formats.registry import FORMATS, written
from bbans.images.image import Image, make_image


def write_image(image: Image, fp: IO[bytes], format: str = "PNG") -> None:
    """Writes to a binary file object, at the depth and in the colours of the image.

    PNG holds every image with all its metadata, chunk for chunk; TIFF, WebP and BMP what they have
    a place for, the others pixels alone. PPM stands for PBM, PGM, PPM or PAM, whichever fits. WebP
    turns grey into RGB. Raises `OutputError` for a format that is not written or that cannot hold
    the image, `InputError` for an image whose parts do not fit each other.
    """
    row = FORMATS.get(format.upper())
    if row is None or row.writer is None:
        known = ", ".join(written()).upper()
        raise OutputError(f"format {format} is not written: choose one of {known}")
    image = make_image(image.pixels, image.metadata, image.bit_depth, image.palette)
    fp.write(row.write(image))
