"""The image type: samples and metadata.

Metadata is stored as PNG chunks whatever the source. PNG has a chunk for everything that is kept
here (W3C PNG, third edition, section 11.3), so one form suffices, and the chunks of a PNG file
return byte for byte. Palettes and transparent colours are such chunks too (`PLTE`, `tRNS`); they
belong to the samples, and `make_image` checks that they fit.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbans.errors import InputError, OutputError, UnsupportedImageError
from bbans.images.sample_kind import (
    ALPHA,
    PLAIN,
    SampleKind,
    Unsigned,
    check_kind,
    check_range,
    dtype_of,
    format_for,
    kind_of_dtype,
    to_unsigned,
)

DEFAULT_MAX_PIXELS = 2**30
"""Default limit on the number of pixels of an image that is read."""
SAMPLES_NEED = ("PLTE", "tRNS")
"""Chunks that the meaning of the samples depends on."""
Samples = Unsigned


@dataclass(frozen=True, slots=True)
class PngChunk:
    """A PNG chunk other than `IHDR`, `IDAT` and `IEND`: its four-letter kind, its data, and whether
    it follows the pixels.
    """

    kind: str
    payload: bytes
    after_pixels: bool = False


@dataclass(frozen=True, slots=True)
class TiffTag:
    """A tag of a TIFF: its number, the number of its type, how many values it has, and their bytes
    in the file's byte order.

    type 0: a directory (EXIF, GPS), whose tags are in `directory`.
    """

    tag: int
    type: int
    count: int = 0
    value: bytes = b""
    directory: tuple[TiffTag, ...] = ()


@dataclass(frozen=True, slots=True)
class TiffTags:
    """The tags of a page of a TIFF besides those that say how its pixels are stored, sorted, and
    whether values are big-endian.
    """

    big_endian: bool
    tags: tuple[TiffTag, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """Samples as in the file, never scaled, and metadata in the order of the file. Use `make_image`
    to build a valid one.

    pixels: in C order, `(H, W)` grey or palette indices, `(H, W, 2)` grey and alpha, `(H, W, 3)`
    RGB, `(H, W, 4)` RGB and alpha; uint16 if `bit_depth` is 16, else uint8. Samples are 0 to
    2^bit_depth - 1; depths 1, 2 and 4 are for `(H, W)` only. palette: whether the pixels are
    indices into the `PLTE` chunk of the metadata. An index beyond the palette is allowed and kept.

    tiff: the tags of the TIFF that the image came from, which TIFF alone can hold; what PNG can
    hold of them is in `metadata` too. left_out: what of the file that was read is not in the
    image, in words; not stored. samples: what the samples mean, where they are not such numbers:
    int16 or int8 if they are signed, bool if they are truth values.
    """

    pixels: NDArray[Any]
    metadata: tuple[PngChunk, ...] = ()
    bit_depth: int = 8
    palette: bool = False
    tiff: TiffTags | None = None
    left_out: tuple[str, ...] = ()
    samples: SampleKind = PLAIN

    @property
    def channels(self) -> int:
        """Return the number of channels."""
        return channels_of(self.pixels)


def channels_of(pixels: NDArray[Any]) -> int:
    """Return the number of channels of samples `(H, W)` or `(H, W, C)`.

    Examples:
        >>> channels_of(np.zeros((2, 3))), channels_of(np.zeros((2, 3, 4)))
        (1, 4)
    """
    return 1 if pixels.ndim == 2 else int(pixels.shape[2])


def _only(metadata: Iterable[PngChunk], kind: str) -> bytes | None:
    """Return the payload of the only chunk of a kind, None if there is none."""
    chunks = [chunk for chunk in metadata if chunk.kind == kind]
    if len(chunks) > 1 or any(chunk.after_pixels for chunk in chunks):
        raise InputError(
            f"an image has at most one {kind} chunk, before its pixels: strip the others"
        )
    return chunks[0].payload if chunks else None


def palette_entries(metadata: Iterable[PngChunk]) -> bytes | None:
    r"""Return the palette as 1 to 256 triples of red, green and blue bytes, None without one.

    Raises InputError on a palette of another size, and on several.

    Examples:
        >>> palette_entries([PngChunk("PLTE", bytes(6))])
        b'\x00\x00\x00\x00\x00\x00'
    """
    entries = _only(metadata, "PLTE")
    if entries is not None and (len(entries) % 3 or not 3 <= len(entries) <= 768):
        raise InputError(
            "a palette (PLTE chunk) of 1 to 256 colours of 3 bytes was expected, found "
            f"{len(entries)} bytes"
        )
    return entries


def transparency(metadata: Iterable[PngChunk]) -> bytes | None:
    """Return the payload of `tRNS`: a transparent colour in 16-bit samples, or the alphas of the
    first palette entries; None without one.

    Raises InputError on several such chunks.

    Examples:
        >>> transparency([]) is None
        True
    """
    return _only(metadata, "tRNS")


def check_colours(channels: int, metadata: tuple[PngChunk, ...], palette: bool) -> None:
    """Raise InputError unless palette and transparency fit samples of `channels` channels.

    Examples:
        >>> check_colours(3, (PngChunk("tRNS", bytes(6)),), palette=False)
    """
    alpha = transparency(metadata)
    if palette:
        entries = palette_entries(metadata)
        if entries is None:
            raise InputError(
                "an image of palette indices has a palette (PLTE chunk), found none: pass it in "
                "the metadata"
            )
        if alpha is not None:
            kinds = [chunk.kind for chunk in metadata]
            if not 1 <= len(alpha) <= len(entries) // 3 or kinds.index("tRNS") < kinds.index(
                "PLTE"
            ):
                raise InputError(
                    f"a tRNS chunk after PLTE of 1 to {len(entries) // 3} bytes was expected, "
                    f"found {len(alpha)} bytes"
                )
    elif alpha is not None:
        expected = {1: 2, 3: 6}.get(channels)
        if expected is None:
            raise InputError(
                "an image with alpha has no transparent colour besides: strip its tRNS chunk"
            )
        if len(alpha) != expected:
            raise InputError(
                f"a transparent colour (tRNS chunk) of {expected} bytes was expected, found "
                f"{len(alpha)} bytes"
            )


def make_image(
    pixels: NDArray[Any],
    metadata: tuple[PngChunk, ...] = (),
    bit_depth: int = 8,
    palette: bool = False,
    samples: SampleKind = PLAIN,
) -> Image:
    """Build an image and check that its parts fit each other.

    Raises InputError if they do not. The pixels are copied only if they are not in C order or not
    writable, as a view of a file's bytes is.

    Examples:
        >>> make_image(np.zeros((2, 3), np.uint8), bit_depth=1).pixels.shape
        (2, 3)
    """
    if bit_depth not in (1, 2, 4, 8, 16):
        raise InputError(f"a bit depth of 1, 2, 4, 8 or 16 was expected, found {bit_depth}")
    if pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] not in (2, 3, 4)):
        raise InputError(
            f"an image has shape (H, W), or (H, W, C) with 2 to 4 channels, found {pixels.shape}"
        )
    if not pixels.size:
        raise InputError(f"an image has at least one pixel, found shape {pixels.shape}")
    channels = channels_of(pixels)
    check_kind(samples, bit_depth, channels, palette)
    if pixels.dtype != (expected := dtype_of(bit_depth, samples)):
        raise InputError(f"{bit_depth}-bit samples are of type {expected}, found {pixels.dtype}")
    if pixels.ndim == 3 and (bit_depth < 8 or palette):
        raise InputError(
            f"{'palette indices' if palette else f'{bit_depth}-bit samples'} have shape (H, W), "
            f"found {pixels.shape}"
        )
    if palette and bit_depth == 16:
        raise InputError("palette indices have 1, 2, 4 or 8 bits, found 16")
    check_range(pixels, bit_depth, samples)
    check_colours(channels, metadata, palette)
    if samples.signed and transparency(metadata) is not None:
        raise InputError("signed samples have no transparent colour: strip the tRNS chunk")
    stored = np.require(pixels, requirements=("C", "W"))
    return Image(stored, metadata, bit_depth, palette, samples=samples)


def rebuilt(
    image: Image,
    pixels: NDArray[Any] | None = None,
    metadata: tuple[PngChunk, ...] | None = None,
) -> Image:
    """Return the image with other pixels or metadata, checked as `make_image` does; all else that
    it has is kept.

    Examples:
        >>> rebuilt(make_image(np.zeros((2, 3), np.uint8), bit_depth=1), metadata=()).bit_depth
        1
    """
    checked = make_image(
        image.pixels if pixels is None else pixels,
        image.metadata if metadata is None else metadata,
        image.bit_depth,
        image.palette,
        image.samples,
    )
    return replace(checked, tiff=image.tiff, left_out=image.left_out)


def coded_samples(image: Image) -> Samples:
    """Return the samples as they are coded: uint8 or uint16, signed ones offset by half of the
    range, so that their order is kept.

    Examples:
        >>> coded_samples(from_array(np.array([[-1, 0]], np.int8))).tolist()
        [[127, 128]]
    """
    return to_unsigned(image.pixels, image.samples)


def without_kind(image: Image, format: str) -> Image:
    """Return the image as a format holds it that has unsigned numbers and alpha only: truth values
    as 0 and 1, samples below their largest value as they are, never scaled.

    Raises OutputError on signed samples and on a last channel that is not alpha.

    Examples:
        >>> without_kind(from_array(np.array([[True, False]])), "PNG").pixels.tolist()
        [[1, 0]]
    """
    kind = image.samples
    if kind == PLAIN:
        return image
    if kind.signed or kind.last_channel != ALPHA:
        what = "signed samples" if kind.signed else f"a last channel that is {kind.last_channel}"
        raise OutputError(f"{format} cannot hold {what}: choose TIFF or NPY")
    return rebuilt(replace(image, pixels=coded_samples(image), samples=PLAIN))


def default_format(image: Image) -> str:
    """Return the format that holds an image with all its samples mean: TIFF if it has the tags of
    one, else PNG where it does.

    Examples:
        >>> default_format(from_array(np.zeros((2, 3), np.int16)))
        'TIFF'
    """
    if image.tiff is not None:
        return "TIFF"
    return format_for(image.samples, image.channels, bool(image.metadata))


def without_metadata(image: Image) -> Image:
    r"""Return the image without metadata that its samples do not need, nor tags of a TIFF;
    palette and transparent colour stay.

    Examples:
        >>> image = make_image(np.zeros((2, 3), np.uint8), (PngChunk("tEXt", b"Title\0x"),))
        >>> without_metadata(image).metadata
        ()
    """
    kept = tuple(chunk for chunk in image.metadata if chunk.kind in SAMPLES_NEED)
    return replace(rebuilt(image, metadata=kept), tiff=None)


def from_array(array: NDArray[Any], metadata: tuple[PngChunk, ...] = ()) -> Image:
    """Build an image of an array of samples, uint8, uint16, int8, int16 or bool, of shape `(H, W)`
    or `(H, W, 2 to 4)`.

    Raises InputError on shapes that are no image, and UnsupportedImageError on other types and on a
    single channel as a third axis.

    Examples:
        >>> from_array(np.zeros((4, 5, 3), np.uint16)).bit_depth
        16
    """
    pixels = np.asarray(array)
    if pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] > 4):
        raise InputError(
            f"an image has shape (H, W), or (H, W, C) with 2 to 4 channels, found {pixels.shape}"
        )
    if not pixels.size:
        raise InputError(f"an image has at least one pixel, found shape {pixels.shape}")
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        raise UnsupportedImageError(
            f"an array of shape {pixels.shape} is not coded: pass its one channel as (H, W)"
        )
    bit_depth, samples = kind_of_dtype(pixels.dtype, channels_of(pixels))
    native = pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
    return make_image(native, metadata, bit_depth, samples=samples)


def same_image(a: Image, b: Image) -> bool:
    """Return whether two images are equal: samples, their type and meaning, bit depth, palette,
    metadata and tags.

    Examples:
        >>> a = from_array(np.zeros((2, 3), np.uint8))
        >>> same_image(a, from_array(a.pixels.copy())), same_image(a, from_array(a.pixels + 1))
        (True, False)
    """
    facts = (a.bit_depth, a.palette, a.samples, a.metadata, a.tiff) == (
        b.bit_depth,
        b.palette,
        b.samples,
        b.metadata,
        b.tiff,
    )
    return facts and a.pixels.dtype == b.pixels.dtype and np.array_equal(a.pixels, b.pixels)
