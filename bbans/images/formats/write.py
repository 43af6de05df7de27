"""Writing of image files: PNG with every chunk of the image, or another lossless format with the
metadata that it can hold.
"""

from __future__ import annotations

from dataclasses import replace
from typing import IO

from bbans.errors import OutputError
from bbans.images.formats.registry import FORMATS, written
from bbans.images.image import Image, make_image


def write_image(image: Image, fp: IO[bytes], format: str = "PNG") -> None:
    r"""Write an image to a binary file object, with its own depth and colours.

    PNG holds every image with all its metadata, chunk for chunk; TIFF, WebP and BMP hold some
    metadata, the others pixels alone. PPM stands for PBM, PGM, PPM or PAM, whichever fits. WebP
    turns grey into RGB. Raises OutputError for a format that is not written or that cannot hold the
    image, InputError for an image whose parts do not fit each other.

    Examples:
        >>> from io import BytesIO
        >>> import numpy as np
        >>> file = BytesIO()
        >>> write_image(make_image(np.zeros((2, 3), np.uint8)), file, "PPM")
        >>> file.getvalue()[:11]
        b'P5\n3 2\n255\n'
    """
    row = FORMATS.get(format.upper())
    if row is None or row.writer is None:
        known = ", ".join(written()).upper()
        raise OutputError(f"format {format} is not written: choose one of {known}")
    checked = make_image(image.pixels, image.metadata, image.bit_depth, image.palette)
    fp.write(row.write(replace(checked, tiff=image.tiff)))
