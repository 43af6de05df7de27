"""JPEG: the file itself, which is kept byte for byte; and its decoded pixels, read by Pillow, on
explicit request only.

Which pixels a JPEG has depends on its decoder: the standard leaves it rounding, and the
interpolation of chroma is the decoder's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO

from PIL import JpegImagePlugin

from bbans.errors import InputError, JpegInputError
from bbans.images.formats.jpeg_markers import read_frame
from bbans.images.formats.registry import LOSSY_ADVICE
from bbans.images.image import DEFAULT_MAX_PIXELS, Image, PngChunk
from bbans.images.pillow_convert import check_size, from_pillow, guarded
from bbans.images.pillow_metadata import pillow_chunks

SHORTEST, LONGEST = 4, 2**30
"""Bytes of a JPEG that is kept as it is."""


@dataclass(frozen=True, slots=True)
class JpegFile:
    """The bytes of a JPEG file, and what its frame says: sides in pixels, number of components,
    bits of a sample. Use `jpeg_file` to make one.
    """

    data: bytes
    width: int
    height: int
    components: int
    precision: int

    @property
    def channels(self) -> int:
        """Channels of the decoded pixels: one component is grey, several become RGB."""
        return 1 if self.components == 1 else 3

    @property
    def bit_depth(self) -> int:
        """Bits of a sample of the decoded pixels."""
        return 8 if self.precision <= 8 else 16


def jpeg_file(data: bytes, max_pixels: int) -> JpegFile:
    """Take the bytes of a JPEG as they are; only its frame header is looked at.

    Raises InputError on bytes that do not start as a JPEG or have no frame, on more than
    `max_pixels` pixels and on more than LONGEST bytes.

    Examples:
        >>> from PIL import Image as PillowImage
        >>> buffer = BytesIO()
        >>> PillowImage.new("L", (3, 2)).save(buffer, "JPEG")
        >>> jpeg_file(buffer.getvalue(), max_pixels=100).height
        2
    """
    if not data.startswith(b"\xff\xd8\xff"):
        raise InputError(
            f"a JPEG file was expected, found one that starts with {data[:3].hex(' ') or 'nothing'}"
        )
    if not SHORTEST <= len(data) <= LONGEST:
        raise InputError(f"a JPEG of {SHORTEST} to {LONGEST} bytes is taken, found {len(data)}")
    frame = read_frame(data)
    check_size(frame.width, frame.height, max_pixels)
    return JpegFile(data, frame.width, frame.height, frame.components, frame.precision)


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
    return from_pillow(_opened(data, max_pixels), max_pixels)


def read_jpeg_metadata(data: bytes, max_pixels: int = DEFAULT_MAX_PIXELS) -> tuple[PngChunk, ...]:
    """Return the metadata that `read_jpeg` returns, without decoding pixels.

    Raises InputError on damage.

    Examples:
        >>> from PIL import Image as PillowImage
        >>> buffer = BytesIO()
        >>> PillowImage.new("L", (3, 2)).save(buffer, "JPEG", dpi=(300, 300))
        >>> [chunk.kind for chunk in read_jpeg_metadata(buffer.getvalue())]
        ['pHYs']
    """
    source = _opened(data, max_pixels)
    with guarded("JPEG"):
        return pillow_chunks(source, scale=1)


def _opened(data: bytes, max_pixels: int) -> JpegImagePlugin.JpegImageFile:
    """Open a JPEG by Pillow, but not by `PIL.Image.open`, which applies the process-wide limit."""
    with guarded("JPEG"):
        source = JpegImagePlugin.JpegImageFile(BytesIO(data))
        check_size(source.width, source.height, max_pixels)
    return source
