"""JPEG by Pillow: its decoded pixels, for whoever asks for them."""

from __future__ import annotations

from io import BytesIO

from PIL import JpegImagePlugin

from bbans.errors import JpegInputError
from bbans.images.formats.registry import LOSSY_ADVICE
from bbans.images.image import Image
from bbans.images.pillow_convert import check_size, from_pillow, guarded


def read_jpeg(data: bytes, as_pixels: bool, max_pixels: int) -> Image:
    """The image that a JPEG decodes to. Raises JpegInputError unless `as_pixels`, InputError."""
    if not as_pixels:
        raise JpegInputError(f"a JPEG: {LOSSY_ADVICE}")
    # called directly and not through `PIL.Image.open`, whose size limit belongs to the process
    with guarded("JPEG"):
        source = JpegImagePlugin.JpegImageFile(BytesIO(data))
        check_size(source.width, source.height, max_pixels)
    return from_pillow(source, max_pixels)
