"""Pillow's images to ours and back.

Pillow is called inside `guarded`: whatever its readers raise on a damaged file becomes an `InputError`, and none of its
warnings or limits, which are settings of the whole process, is changed.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import PIL.Image
from PIL import ExifTags, PngImagePlugin, TiffImagePlugin

from bbans.errors import BbansError, InputError, UnsupportedImageError
from bbans.images import metadata
from bbans.images.image import DEFAULT_MAX_PIXELS, Image, PngChunk, from_array

MODE_NAMES = {
    "1": "1-bit",
    "P": "palette",
    "PA": "palette with alpha",
    "LA": "grey with alpha",
    "La": "grey with alpha",
    "RGBA": "RGB with alpha",
    "RGBa": "RGB with alpha",
    "RGBX": "RGB with a fourth channel",
    "CMYK": "CMYK",
    "YCbCr": "YCbCr",
    "LAB": "CIELAB",
    "HSV": "HSV",
    "F": "floating-point",
    "I": "16 or 32-bit grey",
}
# Tags of a TIFF that describe the picture; the others describe the file that is left behind.
DESCRIPTIVE_TAGS = (0x010E, 0x010F, 0x0110, 0x0131, 0x0132, 0x013B, 0x013C, 0x8298)
BITS_PER_SAMPLE, COMPRESSION, X_RESOLUTION, SAMPLE_FORMAT = 258, 259, 282, 339
JPEG_IN_TIFF = (6, 7)


@contextmanager
def guarded(name: str) -> Iterator[None]:
    """Turns what Pillow raises while it reads `name` into an `InputError` of one line, and keeps its warnings in.

    Its warning of a decompression bomb too: the limit that counts is the caller's `max_pixels`. Pillow's own, twice as high
    as the warning, stays for the formats where it looks at the size before anybody else can.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except BbansError:
            raise
        except PIL.Image.DecompressionBombError:
            raise InputError(f"{name}: the image has more pixels than Pillow decodes safely: split it") from None
        except Exception as error:  # readers of damaged files fail in every way there is
            reason = " ".join(str(error).split()) or type(error).__name__
            raise InputError(f"{name}: the image cannot be read: {reason}") from error


def check_size(width: int, height: int, max_pixels: int) -> None:
    """Raises `InputError` for an image of more than `max_pixels`."""
    if width * height > max_pixels:
        raise InputError(f"the image has {width} x {height} pixels, more than the limit of {max_pixels}: split it or raise the limit")


def check_mode(source: PIL.Image.Image) -> None:
    """Raises `UnsupportedImageError` unless Pillow holds, or is about to decode, every sample of one 8-bit grey or RGB image."""
    mode = source.mode
    if getattr(source, "n_frames", 1) > 1:
        raise UnsupportedImageError("an image of several frames or pages is not coded: save them one by one")
    if mode.startswith("I;16"):
        raise UnsupportedImageError("16-bit grey (mode I;16) is not coded yet: convert it to 8-bit grey")
    if mode not in ("L", "RGB"):
        raise UnsupportedImageError(f"{MODE_NAMES.get(mode, mode)} (mode {mode}) is not coded yet: convert it to 8-bit RGB or grey")
    if "transparency" in source.info:
        raise UnsupportedImageError("an image with a transparent colour is not coded yet: convert it to RGB or grey without transparency")
    if isinstance(source, TiffImagePlugin.TiffImageFile):
        bits, formats = source.tag_v2.get(BITS_PER_SAMPLE, (1,)), source.tag_v2.get(SAMPLE_FORMAT, (1,))
        if set(bits) != {8} or set(formats) != {1}:
            raise UnsupportedImageError(f"a TIFF with {max(bits)} bits per sample is not coded yet: convert it to unsigned 8-bit samples")
    for tile in getattr(source, "tile", ()):  # what a file-backed image will be decoded with: "RGB;16B" loses half of each sample
        if ";16" in str(tile[3]):
            raise UnsupportedImageError("16 bits per sample are not coded yet, and Pillow would drop half of them: convert it to 8 bits")


def _exif(source: PIL.Image.Image) -> bytes:
    """The EXIF block of a loaded image: verbatim where the file has one, built from the descriptive tags for a TIFF."""
    if isinstance(source, TiffImagePlugin.TiffImageFile):
        tags = source.getexif()
        kept = PIL.Image.Exif()
        kept.update({tag: tags[tag] for tag in DESCRIPTIVE_TAGS if tag in tags})
        for ifd in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):
            if block := dict(tags.get_ifd(ifd)):
                kept.get_ifd(ifd).update(block)
        return kept.tobytes() if len(kept) or any(kept.get_ifd(ifd) for ifd in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo)) else b""
    exif = source.info.get("exif", b"")
    return exif if isinstance(exif, bytes) else b""


def _info(source: PIL.Image.Image) -> dict[str | tuple[int, int], object]:
    """Pillow's `info`, without the resolution that it makes up for a TIFF that has none."""
    invented = isinstance(source, TiffImagePlugin.TiffImageFile) and X_RESOLUTION not in source.tag_v2
    return {key: value for key, value in source.info.items() if not (invented and key == "dpi")}


def _texts(source: PIL.Image.Image) -> tuple[PngChunk, ...]:
    if not isinstance(source, PngImagePlugin.PngImageFile):
        return ()
    return tuple(
        metadata.text_chunk(key, str(text), getattr(text, "lang", "") or "", getattr(text, "tkey", "") or "")
        for key, text in source.text.items()
        if key.encode("latin-1", "replace") != metadata.XMP_KEYWORD
    )


def from_pillow(source: PIL.Image.Image, max_pixels: int = DEFAULT_MAX_PIXELS) -> Image:
    """An image of mode `L` or `RGB` with its ICC profile, EXIF, XMP, resolution and, of a PNG, texts.

    Raises `UnsupportedImageError` for other modes and `InputError` if the file behind the image is damaged. A 16-bit RGB file
    that Pillow has decoded already is 8-bit RGB and cannot be told from it: `read_image` sees the file and refuses it.
    """
    with guarded("image"):
        check_mode(source)
        check_size(source.width, source.height, max_pixels)
        source.load()
        info = metadata.from_info(_info(source), _exif(source))
        return from_array(np.array(source, dtype=np.uint8), info + _texts(source))


def to_pillow(image: Image) -> PIL.Image.Image:
    """A Pillow image with the metadata that Pillow's `info` has a name for."""
    result = PIL.Image.fromarray(image.pixels)
    result.info.update(metadata.to_info(image.metadata))
    return result
