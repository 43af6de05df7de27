"""JPEG, read by Pillow: the decoded pixels, on explicit request only."""

from __future__ import annotations

from io import BytesIO

from PIL import JpegImagePlugin

from bbans.errors import JpegInputError
from bbans.images.formats.registry import LOSSY_ADVICE
from bbans.images.image import Image
from bbans.images.pillow_convert import check_size, from_pillow, guarded


def read_jpeg(data: bytes, as_pixels: bool, max_pixels: int) -> Image:
    """Read the decoded pixels of a JPEG.

    Raises JpegInputError unless `as_pixels`, InputError on damage.

    Examples:
        >>> from PIL import Image as PillowImage
        >>> buffer = BytesIO()
        >>> PillowImage.new("L", (3, 2)).save(buffer, "JPEG")
        >>> read_jpeg(buffer.getvalue(), as_pixels=True, max_pixels=100).pixels.shape
        (2, 3)
    """
    if not as_pixels:
        raise JpegInputError(f"a JPEG: {LOSSY_ADVICE}")
    # Not opened by `PIL.Image.open`, which applies the process-wide size limit.
    with guarded("JPEG"):
        source = JpegImagePlugin.JpegImageFile(BytesIO(data))
        check_size(source.width, source.height, max_pixels)
    return from_pillow(source, max_pixels)
