"""Conversion between Pillow's images and this package's.

Calls of Pillow run inside `guarded`: whatever its readers raise on a damaged file becomes an
InputError. Pillow's warnings and limits are settings of the whole process, and are not changed.
"""

from __future__ import annotations

import os
import struct
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any

import numpy as np
import PIL.Image
from PIL import TiffImagePlugin

from bbans.errors import BbansError, InputError, OutputError, UnsupportedImageError
from bbans.images import metadata
from bbans.images.image import (
    DEFAULT_MAX_PIXELS,
    Image,
    PngChunk,
    from_array,
    make_image,
    palette_entries,
    transparency,
)
from bbans.images.pillow_metadata import pillow_chunks
from bbans.images.sample_kind import (
    ALPHA,
    PLAIN,
    PREMULTIPLIED,
    UNSPECIFIED,
    SampleKind,
)

MODES = ("1", "L", "LA", "P", "RGB", "RGBA")
"""Modes that are converted, besides the spellings of I;16."""
MODE_NAMES = {
    "PA": "palette with alpha",
    "La": "grey with premultiplied alpha",
    "RGBa": "RGB with premultiplied alpha",
    "RGBX": "RGB with a fourth channel",
    "CMYK": "CMYK",
    "YCbCr": "YCbCr",
    "LAB": "CIELAB",
    "HSV": "HSV",
    "F": "floating-point",
    "I": "32-bit grey",
}
BITS_PER_SAMPLE, SAMPLE_FORMAT = 258, 339
# Factors by which Pillow scales samples to 8 bits; it does not scale a file's transparent sample.
SCALES = {"L;2": 85, "L;4": 17}
GREY_SCALES = {2: 85, 4: 17}


@contextmanager
def guarded(name: str) -> Iterator[None]:
    """Run the body and turn what Pillow raises while it reads `name` into an InputError of one
    line.

    Pillow's warnings are suppressed, also that of a decompression bomb: the limit that counts is
    the caller's `max_pixels`. Pillow's own limit, twice as high as that warning, remains for
    formats where Pillow reads the size before the caller can.

    Examples:
        >>> with guarded("x.png"):
        ...     raise OSError("broken data stream")
        Traceback (most recent call last):
        ...
        bbans.errors.InputError: x.png: the image cannot be read: broken data stream
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except BbansError:
            raise
        except PIL.Image.DecompressionBombError:
            raise InputError(
                f"{name}: the image has more pixels than Pillow decodes safely: split it"
            ) from None
        except Exception as error:  # Pillow's readers raise errors of many types on damaged files
            reason = " ".join(str(error).split()) or type(error).__name__
            raise InputError(f"{name}: the image cannot be read: {reason}") from error


def check_size(width: int, height: int, max_pixels: int) -> None:
    """Raise InputError for an image of more than `max_pixels` pixels.

    Examples:
        >>> check_size(10, 10, max_pixels=100)
    """
    if width * height > max_pixels:
        raise InputError(
            f"the image has {width} x {height} pixels, more than the limit of {max_pixels}: split "
            "it or raise the limit"
        )


def check_source(source: PIL.Image.Image) -> None:
    """Raise UnsupportedImageError unless Pillow holds, or will decode, every sample of a single
    image.

    Examples:
        >>> check_source(PIL.Image.new("L", (4, 3)))
    """
    if getattr(source, "n_frames", 1) > 1:
        raise UnsupportedImageError(
            "an image of several frames or pages is not coded: save them one by one"
        )
    if isinstance(source, TiffImagePlugin.TiffImageFile):
        bits, formats = (
            source.tag_v2.get(BITS_PER_SAMPLE, (1,)),
            source.tag_v2.get(SAMPLE_FORMAT, (1,)),
        )
        if not set(bits) <= {1, 2, 4, 8, 16} or set(formats) != {1}:
            raise UnsupportedImageError(
                f"Pillow does not keep samples of {max(bits)} bits and SampleFormat "
                f"{max(formats)} of a TIFF: pass the file to read_image, or its samples as an array"
            )
    # The raw modes with which a file will be decoded: "RGB;16B" loses half of each sample.
    for tile in getattr(source, "tile", ()):
        if ";16" in str(tile[3]) and not source.mode.startswith("I;16"):
            raise UnsupportedImageError(
                "Pillow would drop half of each 16-bit sample: pass the file to read_image, or "
                "its samples as an array"
            )


def from_pillow(source: PIL.Image.Image, max_pixels: int = DEFAULT_MAX_PIXELS) -> Image:
    """Convert an image of mode 1, L, LA, P, RGB, RGBA or I;16 with its ICC profile, EXIF, XMP,
    resolution, transparency and texts.

    Texts are kept for a PNG, and for a file opened by `bbans.integrations.pillow`. Palette indices
    get 8 bits, whatever the file had. Raises UnsupportedImageError for other modes and InputError
    if the file behind the image is damaged. A 16-bit RGB file that Pillow has already decoded is
    8-bit RGB, and cannot be distinguished from it.

    Examples:
        >>> from_pillow(PIL.Image.new("L", (4, 3))).pixels.shape
        (3, 4)
    """
    with guarded("image"):
        check_source(source)
        check_size(source.width, source.height, max_pixels)
        mode = source.mode
        if mode not in MODES and not mode.startswith("I;16"):
            raise UnsupportedImageError(
                f"{MODE_NAMES.get(mode, mode)} (mode {mode}) is not coded: convert it to RGB, "
                "RGBA or grey"
            )
        tiles = getattr(source, "tile", ())
        scale = SCALES.get(str(tiles[0][3]), 1) if tiles else 1
        source.load()
        depth = 16 if mode.startswith("I;16") else 1 if mode == "1" else 8
        pixels = np.array(source).astype(np.uint16 if depth == 16 else np.uint8, copy=False)
        chunks = pillow_chunks(source, scale)
        return make_image(pixels, chunks, depth, mode == "P")


def _transparency(
    chunks: Iterable[PngChunk], palette: bool, scale: int
) -> bytes | int | tuple[int, ...] | None:
    """Return Pillow's `transparency` for a `tRNS` chunk."""
    alpha = transparency(chunks)
    if alpha is None or palette:
        return alpha
    samples = tuple(sample * scale for sample in struct.unpack(f">{len(alpha) // 2}H", alpha))
    return samples if len(samples) > 1 else samples[0]


def pillow_info(chunks: Iterable[PngChunk], bit_depth: int, palette: bool) -> dict[str, Any]:
    """Return Pillow's `info` for the metadata of an image, without texts.

    Examples:
        >>> pillow_info([PngChunk("tRNS", bytes([0, 7]))], bit_depth=8, palette=False)
        {'transparency': 7}
    """
    chunks = tuple(chunks)
    transparent = _transparency(chunks, palette, GREY_SCALES.get(bit_depth, 1))
    return metadata.to_info(chunks) | ({} if transparent is None else {"transparency": transparent})


def pillow_mode(channels: int, bit_depth: int, palette: bool, samples: SampleKind = PLAIN) -> str:
    """Return Pillow's mode for samples; that of signed grey is I, of 32 bits.

    Raises UnsupportedImageError where Pillow has no mode: for several channels that are signed or
    of 16 bits, and for grey with a second channel that is not alpha.

    Examples:
        >>> pillow_mode(3, 8, palette=False)
        'RGB'
    """
    special = {(2, PREMULTIPLIED): "La", (4, PREMULTIPLIED): "RGBa", (4, UNSPECIFIED): "RGBX"}
    other = samples.last_channel != ALPHA and (channels, samples.last_channel) not in special
    if (channels > 1 and (bit_depth == 16 or samples.signed)) or other:
        raise UnsupportedImageError(
            f"Pillow has no mode for {channels} channels of {bit_depth} bits"
            f"{f' ({samples.words()})' if samples.words() else ''}: take the array of pixels "
            "instead"
        )
    if palette:
        return "P"
    if samples.signed:
        return "I"
    if samples.last_channel != ALPHA:
        return special[channels, samples.last_channel]
    return {1: "1", 16: "I;16"}.get(bit_depth, ("L", "LA", "RGB", "RGBA")[channels - 1])


def to_pillow(image: Image) -> PIL.Image.Image:
    """Convert to a Pillow image, with the metadata for which Pillow's `info` has a name.

    Grey of 2 or 4 bits becomes mode L, scaled to 0 to 255 as Pillow does, signed grey mode I; a
    largest value is left out. Raises UnsupportedImageError where Pillow has no mode.

    Examples:
        >>> to_pillow(from_array(np.zeros((3, 4), np.uint8))).size
        (4, 3)
    """
    height, width = image.pixels.shape[:2]
    channels = image.channels
    mode = pillow_mode(channels, image.bit_depth, image.palette, image.samples)
    if mode == "I":
        result = PIL.Image.fromarray(image.pixels.astype(np.int32))
    elif image.samples != PLAIN and mode != "1" and channels > 1:
        result = PIL.Image.frombytes(mode, (width, height), image.pixels.tobytes())
    elif image.palette:
        result = PIL.Image.frombytes("P", (width, height), image.pixels.tobytes())
        result.putpalette(palette_entries(image.metadata) or b"")
    elif image.bit_depth == 1:
        result = PIL.Image.fromarray(image.pixels.astype(bool))
    else:
        scale = GREY_SCALES.get(image.bit_depth, 1)
        result = PIL.Image.fromarray(image.pixels if scale == 1 else image.pixels * np.uint8(scale))
    result.info.update(pillow_info(image.metadata, image.bit_depth, image.palette))
    return result


def as_image(image: Any) -> Image:
    """Convert an array or a Pillow image to an image; an `Image` is returned as it is.

    Raises InputError on what is no image, and says how to pass paths, bytes and tensors.

    Examples:
        >>> as_image(np.zeros((3, 4), np.uint8)).bit_depth
        8
    """
    if isinstance(image, Image):
        return image
    if isinstance(image, np.ndarray):
        return from_array(image)
    if isinstance(image, PIL.Image.Image):
        return from_pillow(image)
    found, advice = type(image).__name__, "make a numpy array of it"
    if isinstance(image, str | os.PathLike):
        found, advice = f"the path {os.fspath(image)!r}", "use compress_file, or images.read_image"
    elif isinstance(image, bytes | bytearray | memoryview):
        found, advice = "bytes", "pass the bytes of an image file through images.read_image"
    elif type(image).__module__.partition(".")[0] == "torch":
        found = f"a torch {found}"
        advice = "pass x.cpu().numpy(), with channels last (x.permute(1, 2, 0) of C, H, W)"
    raise InputError(f"an array or a Pillow image was expected, found {found}: {advice}")


def saved_by_pillow(image: Image, kind: str, carried: tuple[str, ...], **options: Any) -> bytes:
    """Write a file with Pillow, carrying over the `info` entries named in `carried`.

    Raises OutputError if the format cannot hold the image.

    Examples:
        >>> saved_by_pillow(from_array(np.zeros((2, 3), np.uint8)), "BMP", ())[:2]
        b'BM'
    """
    if transparency(image.metadata) is not None:
        raise OutputError(f"{kind} holds no transparent colour (tRNS): choose PNG")
    source = to_pillow(image)
    options |= {key: source.info[key] for key in carried if key in source.info}
    source.info.clear()
    encoded = BytesIO()
    try:
        source.save(encoded, kind, **options)
    except (OSError, RuntimeError, ValueError) as error:
        raise OutputError(f"the image cannot be written as {kind}: {error}") from error
    return encoded.getvalue()
