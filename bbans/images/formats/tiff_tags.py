"""Tags of a TIFF (Adobe, revision 6.0), parsed by Pillow and checked here: which samples a file
has, and whether they can be coded.
"""

from __future__ import annotations

from io import BytesIO
from typing import Any, NamedTuple

from PIL.TiffImagePlugin import ImageFileDirectory_v2

from bbans.errors import InputError, JpegInputError, UnsupportedImageError
from bbans.images.formats.registry import LOSSY_ADVICE
from bbans.images.sample_kind import ALPHA, FLOAT_ADVICE, PREMULTIPLIED, UNSPECIFIED

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, STRIPS, ORIENTATION, CHANNELS = (
    256,
    257,
    258,
    259,
    262,
    273,
    274,
    277,
)
ROWS_PER_STRIP, STRIP_BYTES, X_RESOLUTION, Y_RESOLUTION, PLANAR, UNIT = 278, 279, 282, 283, 284, 296
COLOUR_MAP, TILE_WIDTH, TILE_HEIGHT, EXTRA, SAMPLE_FORMAT, XMP, ICC = (
    320,
    322,
    323,
    338,
    339,
    700,
    34675,
)
MIN_IS_WHITE, MIN_IS_BLACK, RGB, PALETTE = range(4)
LAST_CHANNELS = {0: UNSPECIFIED, 1: PREMULTIPLIED, 2: ALPHA}
"""What ExtraSamples says of the channel after the colours."""
UNSIGNED, SIGNED, FLOAT = 1, 2, 3  # SampleFormat
DEPTHS = (1, 2, 4, 8, *range(9, 17))
JPEG = (6, 7)
PACKBITS = 32773
LOSSLESS = (1, 2, 3, 4, 5, 8, 32771, PACKBITS, 32946, 34925, 50000)
"""Lossless compressions: none, CCITT, LZW, Deflate (three numbers), PackBits, LZMA, Zstandard."""
MAX_TILE = 2**24
"""Largest number of pixels of a tile, which is decoded whole however small the image."""
PIXELS_PER_UNIT = {2: 1.0, 3: 2.54}
"""Factors from a resolution unit to pixels per inch."""


def is_big(data: bytes) -> bool:
    """Return whether a file is a BigTIFF.

    Examples:
        >>> is_big(b"II+"), is_big(b"II*")
        (True, False)
    """
    return data[2] == 43


def head(data: bytes) -> bytes:
    """Return the file header: 16 bytes of a BigTIFF, else 8.

    Examples:
        >>> len(head(b"II+" + bytes(20))), len(head(b"II*" + bytes(20)))
        (16, 8)
    """
    return data[: 16 if is_big(data) else 8]


def read_directory(data: bytes) -> ImageFileDirectory_v2:
    """Parse the tags of a file's first page.

    Raises InputError on damage. Of a big-endian BigTIFF Pillow would misread the offsets.

    Examples:
        >>> import numpy as np
        >>> from bbans.images.formats.tiff import tiff_bytes
        >>> from bbans.images.image import from_array
        >>> read_directory(tiff_bytes(from_array(np.zeros((2, 3), np.uint8))))[WIDTH]
        3
    """
    directory = ImageFileDirectory_v2(head(data))
    file = BytesIO(data)
    first = directory.next
    file.seek(first)
    directory.load(file)
    # Where tags are cut off, Pillow only warns and stops reading.
    if directory.next == first or not {WIDTH, HEIGHT} <= set(directory):
        raise InputError("damaged TIFF: its tags are incomplete")
    return directory


def as_tuple(value: Any) -> tuple[Any, ...]:
    """Return a tag's value as a tuple; Pillow unwraps single values.

    Examples:
        >>> as_tuple(8), as_tuple((8, 8))
        ((8,), (8, 8))
    """
    return value if isinstance(value, tuple) else (value,)


class Kind(NamedTuple):
    """The samples that the tags describe. planar: channels are stored one after the other."""

    width: int
    height: int
    channels: int
    bits: int
    photometric: int
    planar: bool
    signed: bool = False
    last_channel: str = ALPHA


def check_samples(tags: ImageFileDirectory_v2, channels: int) -> tuple[int, bool]:
    """Return the bits of every sample and whether they are signed. Raises UnsupportedImageError on
    other types.

    Examples:
        >>> check_samples({BITS: (16, 16, 16)}, channels=3)
        (16, False)
    """
    bits, formats = set(as_tuple(tags.get(BITS, 1))), set(as_tuple(tags.get(SAMPLE_FORMAT, 1)))
    if FLOAT in formats:
        raise UnsupportedImageError(
            f"a TIFF with floating-point samples of {max(bits)} bits is not coded: {FLOAT_ADVICE}"
        )
    known = len(bits) == 1 and max(bits) in DEPTHS and formats in ({UNSIGNED}, {SIGNED})
    if not known or (max(bits) < 8 and (channels > 1 or formats == {SIGNED})):
        sign = "signed" if SIGNED in formats else "unsigned"
        raise UnsupportedImageError(
            f"a TIFF with {sign} samples of {max(bits)} bits is not coded: convert it to 8 or "
            "16-bit samples"
        )
    return int(max(bits)), formats == {SIGNED}


def kind_of(tags: ImageFileDirectory_v2) -> Kind:
    """Parse the tags about the samples.

    Raises UnsupportedImageError on types, colours and channels that are not coded.

    Examples:
        >>> kind_of({WIDTH: 3, HEIGHT: 2, BITS: 8, PHOTOMETRIC: MIN_IS_BLACK})
        Kind(width=3, height=2, channels=1, bits=8, photometric=1, planar=False, signed=False, \
last_channel='alpha')
    """
    photometric, channels, extra = (
        tags.get(PHOTOMETRIC, MIN_IS_WHITE),
        tags.get(CHANNELS, 1),
        as_tuple(tags.get(EXTRA, ())),
    )
    bits, signed = check_samples(tags, channels)
    if photometric not in (MIN_IS_WHITE, MIN_IS_BLACK, RGB, PALETTE):
        name = {5: "CMYK", 6: "YCbCr", 8: "CIELAB"}.get(
            photometric, f"photometric interpretation {photometric}"
        )
        raise UnsupportedImageError(
            f"a TIFF with colours of {name} is not coded: convert it to RGB or grey"
        )
    colours = 3 if photometric == RGB else 1
    if channels == 4 and colours == 3 and not extra:
        extra = (2,)  # some writers leave the tag out
    last = LAST_CHANNELS.get(extra[0] if extra else 0)
    more = (
        channels == colours + 1
        and len(extra) < 2
        and last is not None
        and photometric in (MIN_IS_BLACK, RGB)
    )
    if not more and channels != colours:
        raise UnsupportedImageError(
            f"a TIFF with {channels} channels, of which {colours} are colours, is not coded: save "
            "them one by one"
        )
    if photometric == PALETTE and (bits > 8 or signed):
        raise UnsupportedImageError(
            f"a TIFF with a palette of {2**bits} colours is not coded: convert it to RGB"
        )
    if photometric == MIN_IS_WHITE and signed:
        raise UnsupportedImageError(
            "a TIFF with signed samples of which the smallest is white is not coded: invert it"
        )
    return Kind(
        int(tags[WIDTH]),
        int(tags[HEIGHT]),
        channels,
        bits,
        photometric,
        channels > 1 and tags.get(PLANAR, 1) == 2,
        signed,
        (last or ALPHA) if more else ALPHA,
    )


def check_compression(tags: ImageFileDirectory_v2, as_pixels: bool) -> bool:
    """Return whether the pixels are JPEG data.

    Raises JpegInputError for these unless `as_pixels`, and UnsupportedImageError on other
    compressions that may lose samples.

    Examples:
        >>> check_compression({COMPRESSION: 5}, as_pixels=False)
        False
    """
    compression = tags.get(COMPRESSION, 1)
    if compression in JPEG:
        if not as_pixels:
            raise JpegInputError(f"a TIFF that holds JPEG data: {LOSSY_ADVICE}")
        return True
    if compression not in LOSSLESS:
        raise UnsupportedImageError(
            f"a TIFF of compression {compression} is not coded: write it anew with LZW or Deflate"
        )
    return False
