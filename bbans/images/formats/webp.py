"""WebP, read and written by Pillow. Whether a file is lossless is determined here, since Pillow
does not report it.
"""

from __future__ import annotations

import struct
from io import BytesIO

from PIL import WebPImagePlugin

from bbans.errors import JpegInputError, OutputError, UnsupportedImageError
from bbans.images.formats.registry import LOSSY_ADVICE
from bbans.images.image import Image, without_kind
from bbans.images.pillow_convert import check_size, from_pillow, guarded, saved_by_pillow


def read_webp(data: bytes, as_pixels: bool, max_pixels: int) -> Image:
    """Read a WebP file.

    Raises JpegInputError on a lossy file unless `as_pixels`, UnsupportedImageError on an animation,
    InputError on damage.

    Examples:
        >>> from bbans.images.image import from_array
        >>> import numpy as np
        >>> image = from_array(np.zeros((2, 3, 3), np.uint8))
        >>> read_webp(webp_bytes(image), False, 100).pixels.shape
        (2, 3, 3)
    """
    check_webp(data, as_pixels)
    # Not opened by `PIL.Image.open`, which applies the process-wide size limit.
    with guarded("WEBP"):
        source = WebPImagePlugin.WebPImageFile(BytesIO(data))
        check_size(source.width, source.height, max_pixels)
    return from_pillow(source, max_pixels)


def check_webp(data: bytes, as_pixels: bool) -> None:
    """Raise UnsupportedImageError for an animated WebP, and JpegInputError for a lossy one unless
    `as_pixels`.

    Examples:
        >>> import numpy as np
        >>> from bbans.images.image import from_array
        >>> check_webp(webp_bytes(from_array(np.zeros((2, 3, 3), np.uint8))), as_pixels=False)
    """
    position, kinds = 12, set[bytes]()
    while position + 8 <= len(data):
        kind, size = struct.unpack_from("<4sI", data, position)
        kinds.add(kind)
        position += 8 + size + size % 2
    if kinds & {b"ANIM", b"ANMF"}:
        raise UnsupportedImageError("an animated WebP is not coded: save its frames one by one")
    if b"VP8 " in kinds and not as_pixels:
        raise JpegInputError(f"a lossy WebP: {LOSSY_ADVICE}")


def webp_bytes(image: Image) -> bytes:
    """Return the bytes of a lossless WebP file. Raises OutputError on an image that it cannot
    hold.

    Examples:
        >>> import numpy as np
        >>> from bbans.images.image import from_array
        >>> webp_bytes(from_array(np.zeros((2, 3, 3), np.uint8)))[8:16]
        b'WEBPVP8L'
    """
    image = without_kind(image, "WEBP")
    if image.bit_depth != 8 or image.palette:
        raise OutputError(
            "WEBP holds 8-bit RGB and RGBA, no palette and no other depth: choose PNG"
        )
    return saved_by_pillow(
        image, "WEBP", ("icc_profile", "exif", "xmp"), lossless=True, exact=True, method=4
    )
