"""What samples mean beyond their bit depth: a sign, a smaller largest value, truth values, and a
last channel that is not alpha by itself.

Samples are coded as unsigned numbers of `bit_depth` bits. A signed sample x is coded as
x + 2^(bit_depth - 1), which keeps the order that predictors rely on, a truth value as 0 or 1.
Nothing is ever scaled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbans.errors import InputError, UnsupportedImageError

ALPHA, PREMULTIPLIED, UNSPECIFIED = "alpha", "premultiplied", "unspecified"
LAST_CHANNELS = (ALPHA, PREMULTIPLIED, UNSPECIFIED)
GREY_DEPTHS = (1, 2, 4)
"""Bit depths below 8, which only images of one channel have."""
FLOAT_ADVICE = (
    "code them with a codec of numcodecs (PCodec, ZFPY, Blosc), or pass integers of 8 or 16 bits"
)
Unsigned = NDArray[np.uint8] | NDArray[np.uint16]


@dataclass(frozen=True, slots=True)
class SampleKind:
    """What samples mean. The default: unsigned numbers that use all of their bits, and a second or
    fourth channel that is alpha.

    signed: int8 or int16. boolean: truth values. largest: the largest value that the source allows,
    None for all of the bits; signed samples are -largest - 1 to largest. last_channel: "alpha",
    "premultiplied" (colours were multiplied by alpha) or "unspecified", of images with 2 or 4
    channels.

    Examples:
        >>> SampleKind(largest=4095).words()
        'to 4095'
    """

    signed: bool = False
    boolean: bool = False
    largest: int | None = None
    last_channel: str = ALPHA

    def words(self) -> str:
        """Return the kind in words, empty for the default."""
        last = {PREMULTIPLIED: "premultiplied alpha", UNSPECIFIED: "last channel unspecified"}
        said = (
            "signed" if self.signed else "",
            "boolean" if self.boolean else "",
            "" if self.largest is None else f"to {self.largest}",
            last.get(self.last_channel, ""),
        )
        return ", ".join(word for word in said if word)


PLAIN = SampleKind()


def full_range(bit_depth: int, signed: bool) -> int:
    """Return the largest value of samples that use all of their bits.

    Examples:
        >>> full_range(16, signed=True)
        32767
    """
    return int(2 ** (bit_depth - signed)) - 1


def kind_of_largest(
    largest: int, channels: int, signed: bool = False, last_channel: str = ALPHA
) -> tuple[int, SampleKind]:
    """Return bit depth and kind of samples up to `largest`: 1, 2 or 4 bits of unsigned grey that
    fills them, else 8 or 16.

    Raises InputError on samples that need more than 16 bits.

    Examples:
        >>> kind_of_largest(4095, channels=1)
        (16, SampleKind(signed=False, boolean=False, largest=4095, last_channel='alpha'))
        >>> kind_of_largest(15, channels=1)[0], kind_of_largest(15, channels=3)[0]
        (4, 8)
    """
    for depth in GREY_DEPTHS:
        if (largest, channels, signed) == (2**depth - 1, 1, False):
            return depth, PLAIN
    for depth in (8, 16):
        full = full_range(depth, signed)
        if largest <= full:
            only = None if largest == full else largest
            return depth, SampleKind(signed, largest=only, last_channel=last_channel)
    raise InputError(f"samples of up to 16 bits are coded, found values to {largest}")


def significant_bits(bit_depth: int, kind: SampleKind) -> int:
    """Return the bits per sample, b where the largest value is 2^b - 1 (signed: 2^(b - 1) - 1),
    else `bit_depth`.

    Examples:
        >>> significant_bits(16, SampleKind(largest=4095)), significant_bits(16, PLAIN)
        (12, 16)
    """
    if kind.largest is None or kind.largest & (kind.largest + 1):
        return bit_depth
    return kind.largest.bit_length() + kind.signed


def dtype_of(bit_depth: int, kind: SampleKind) -> np.dtype[Any]:
    """Return the type of an image's array: bool, or integers of 8 or 16 bits.

    Examples:
        >>> dtype_of(16, SampleKind(signed=True)), dtype_of(4, PLAIN)
        (dtype('int16'), dtype('uint8'))
    """
    if kind.boolean:
        return np.dtype(np.bool_)
    return np.dtype(f"{'i' if kind.signed else 'u'}{2 if bit_depth == 16 else 1}")


def kind_of_dtype(dtype: np.dtype[Any], channels: int) -> tuple[int, SampleKind]:
    """Return bit depth and kind of the samples of an array.

    Raises UnsupportedImageError on types other than bool and integers of 8 or 16 bits.

    Examples:
        >>> kind_of_dtype(np.dtype(bool), 1)[0], kind_of_dtype(np.dtype(np.int16), 1)[1].signed
        (1, True)
    """
    if dtype == np.bool_:
        return 1 if channels == 1 else 8, SampleKind(boolean=True)
    if dtype.kind == "f":
        raise UnsupportedImageError(
            f"floating-point samples ({dtype}) are not coded: {FLOAT_ADVICE}"
        )
    if dtype.kind not in "iu" or dtype.itemsize > 2:
        raise UnsupportedImageError(
            f"samples of type {dtype} are not coded: pass 8 or 16-bit samples (uint8, uint16, "
            "int8 or int16) or bool"
        )
    return 8 * dtype.itemsize, SampleKind(signed=True) if dtype.kind == "i" else PLAIN


def check_kind(kind: SampleKind, bit_depth: int, channels: int, palette: bool) -> None:
    """Raise InputError unless a kind fits samples of this depth and number of channels.

    Examples:
        >>> check_kind(SampleKind(signed=True, largest=2047), 16, channels=1, palette=False)
    """
    if kind == PLAIN:
        return
    if palette:
        raise InputError(f"palette indices are unsigned numbers, found samples {kind.words()}")
    if kind.last_channel not in LAST_CHANNELS:
        raise InputError(
            f"a last channel is {', '.join(LAST_CHANNELS)}, found {kind.last_channel!r}"
        )
    if kind.last_channel != ALPHA and channels not in (2, 4):
        raise InputError(
            f"a last channel that is {kind.last_channel} needs 2 or 4 channels, found {channels}"
        )
    if (kind.signed or kind.largest is not None) and bit_depth not in (8, 16):
        raise InputError(
            f"samples that are {kind.words()} have 8 or 16 bits, found a bit depth of {bit_depth}"
        )
    if kind.boolean and (
        kind.signed or kind.largest is not None or bit_depth != (1 if channels == 1 else 8)
    ):
        raise InputError(
            "truth values have 1 bit, or 8 in images of several channels, no sign and no largest "
            f"value, found a bit depth of {bit_depth} and samples {kind.words()}"
        )
    full = full_range(bit_depth, kind.signed)
    if kind.largest is not None and not (not kind.signed) <= kind.largest < full:
        raise InputError(
            f"a largest value of samples of {bit_depth} bits is below {full}, found {kind.largest}"
        )


def check_range(pixels: NDArray[Any], bit_depth: int, kind: SampleKind) -> None:
    """Raise InputError on samples beyond the bit depth or the kind's largest value.

    Examples:
        >>> check_range(np.array([[1, 0, 1]], np.uint8), 1, PLAIN)
    """
    if kind.boolean:
        return
    if kind.largest is None and bit_depth in (8, 16):
        return
    largest = full_range(bit_depth, kind.signed) if kind.largest is None else kind.largest
    lowest = -largest - 1 if kind.signed else 0
    if (found := int(pixels.max())) > largest or (found := int(pixels.min())) < lowest:
        if kind.largest is None:
            raise InputError(f"samples of {bit_depth} bits were expected, found {found}")
        raise InputError(f"samples of {lowest} to {largest} were expected, found {found}")


def format_for(kind: SampleKind, channels: int, described: bool) -> str:
    """Return the format that holds samples with all they mean: PNG where it does.

    Signed samples and a last channel that is not alpha need TIFF, truth values in several channels
    NPY. A largest value is kept by PPM, and where there is other metadata (`described`) by TIFF.

    Examples:
        >>> format_for(PLAIN, 3, True), format_for(SampleKind(largest=4095), 1, False)
        ('PNG', 'PPM')
    """
    if kind.signed or kind.last_channel != ALPHA:
        return "TIFF"
    if kind.boolean:
        return "PNG" if channels == 1 else "NPY"
    if kind.largest is None:
        return "PNG"
    return "TIFF" if described else "PPM"


def to_unsigned(pixels: NDArray[Any], kind: SampleKind) -> Unsigned:
    """Return samples as they are coded: uint8 or uint16, signed ones offset by half of the range.

    Examples:
        >>> to_unsigned(np.array([-32768, 0, 5], np.int16), SampleKind(signed=True)).tolist()
        [0, 32768, 32773]
    """
    if kind.boolean:
        return np.ascontiguousarray(pixels).view(np.uint8)
    if not kind.signed:
        return pixels
    dtype = np.dtype(f"u{pixels.dtype.itemsize}")
    coded: Unsigned = np.ascontiguousarray(pixels).view(dtype)
    coded = coded ^ dtype.type(1 << 8 * dtype.itemsize - 1)
    return coded


def from_unsigned(coded: NDArray[Any], kind: SampleKind) -> NDArray[Any]:
    """Return coded samples as what they mean, the inverse of `to_unsigned`.

    Raises InputError where a truth value is neither 0 nor 1.

    Examples:
        >>> from_unsigned(np.array([0, 32773], np.uint16), SampleKind(signed=True)).tolist()
        [-32768, 5]
    """
    if kind.boolean:
        if coded.size and int(coded.max()) > 1:
            raise InputError(f"truth values are 0 or 1, found {coded.max()}")
        return coded.astype(np.bool_)
    if not kind.signed:
        return coded
    half = coded.dtype.type(1 << 8 * coded.dtype.itemsize - 1)
    signed: NDArray[Any] = (coded ^ half).view(f"i{coded.dtype.itemsize}")
    return signed
