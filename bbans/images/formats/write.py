"""Writing of image files: PNG with every chunk of the image, or another lossless format with the
metadata that it can hold.
"""

from __future__ import annotations

from typing import IO

from bbans.errors import OutputError
from bbans.images.formats.registry import FORMATS, written
from bbans.images.image import Image, rebuilt


def write_image(image: Image, fp: IO[bytes], format: str = "PNG") -> None:
    r"""Write an image to a binary file object, with its own depth and colours.

    PNG holds every image of unsigned samples with all its metadata, chunk for chunk; TIFF, WebP and
    BMP hold some metadata, the others pixels alone. Signed samples and a last channel that is not
    alpha need TIFF or NPY; a largest value below that of the bits is kept by PPM, and by TIFF where
    it is that of 9 to 15 bits. PPM stands for PBM, PGM, PPM or PAM, whichever fits. WebP turns grey
    into RGB. Raises OutputError for a format that is not written or that cannot hold the
    image, InputError for an image whose parts do not fit each other.

    Examples:
        >>> from io import BytesIO
        >>> import numpy as np
        >>> from bbans.images.image import from_array
        >>> file = BytesIO()
        >>> write_image(from_array(np.zeros((2, 3), np.uint8)), file, "PPM")
        >>> file.getvalue()[:11]
        b'P5\n3 2\n255\n'
    """
    row = FORMATS.get(format.upper())
    if row is None or row.writer is None:
        known = ", ".join(written()).upper()
        raise OutputError(f"format {format} is not written: choose one of {known}")
    fp.write(row.write(rebuilt(image)))
