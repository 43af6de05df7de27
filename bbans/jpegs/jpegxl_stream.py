"""What a JPEG XL codestream and its reconstruction data say before they are decoded (ISO/IEC
18181-1, annexes D to F; 18181-2, annex on JPEG bitstream reconstruction).

A library takes memory for what a stream claims, so the claims are checked first: one frame that
fills the image, whose sides the file's header says, coded by DCT, without profile, preview, extra
channels, reference frames or more than one pass. This is what the transcoding of a JPEG without its
metadata makes. Bits are read from the lowest of each byte on.
"""

from __future__ import annotations

from bbans.errors import FormatError

SIGNATURE = b"\xff\x0a"
RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
SIDE_BITS = (9, 13, 18, 30)
GREY, CUSTOM = 1, 2
SKIP_SMOOTHING = 128
"""The only flag of a frame that the transcoding of a JPEG sets."""
HEADER_BYTES = 128
"""More than the fields that are looked at take."""
END, MARKER_BASE, INTERMARKER = 0xD9, 0xC0, 0xFF
APPLICATION, COMMENT = range(0xE0, 0xF0), 0xFE
MAX_MARKERS, MAX_CARRIED = 16384, 64
"""Markers in all, and markers with contents of up to 64 KiB each, for which memory is taken."""


class Bits:
    """A position in bits. Every method reads there and moves it.

    Raises FormatError at the end.

    Examples:
        >>> bits = Bits(bytes([0b110]))
        >>> bits.take(1), bits.take(2)
        (0, 3)
    """

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "little")
        self._size = 8 * len(data)
        self.position = 0

    def take(self, count: int) -> int:
        """Reads an integer of `count` bits."""
        if self.position + count > self._size:
            raise FormatError("the JPEG XL stream of a JPEG ends in its header")
        value = self._value >> self.position & ((1 << count) - 1)
        self.position += count
        return value

    def choice(self, *ways: tuple[int, int]) -> int:
        """Reads two bits that choose among four ways `(bits, offset)`, and the integer by it."""
        count, offset = ways[self.take(2)]
        return self.take(count) + offset

    def enum(self) -> int:
        """Reads a value of an enumeration."""
        return self.choice((0, 0), (0, 1), (4, 2), (6, 18))

    def expect(self, what: str, count: int, value: int = 0) -> None:
        """Reads `count` bits and raises FormatError unless they are `value`."""
        if self.take(count) != value:
            raise FormatError(f"the JPEG XL stream of a JPEG has {what}, which none has")

    def align(self) -> None:
        """Moves to the next whole byte."""
        self.position = -(-self.position // 8) * 8


def _side(bits: Bits, small: int) -> int:
    if small:
        return 8 * (bits.take(5) + 1)
    return bits.choice(*((count, 1) for count in SIDE_BITS))


def _sides(bits: Bits) -> tuple[int, int]:
    """Return width and height of the image."""
    small = bits.take(1)
    height = _side(bits, small)
    ratio = bits.take(3)
    if not ratio:
        return _side(bits, small), height
    numerator, denominator = RATIOS[ratio - 1]
    return height * numerator // denominator, height


def _colours(bits: Bits) -> None:
    """Skip the encoding of colours, none of whose values is written out."""
    if bits.take(1):
        return
    bits.expect("a colour profile", 1)
    space = bits.enum()
    white = bits.enum()
    primaries = GREY if space == GREY else bits.enum()
    if CUSTOM in (white, primaries):
        raise FormatError("the JPEG XL stream of a JPEG has colours of its own, which none has")
    if bits.take(1):
        bits.take(24)  # a power
    else:
        bits.enum()  # a transfer function
    bits.enum()  # rendering intent


def check_codestream(codestream: bytes, width: int, height: int) -> None:
    r"""Raise FormatError unless a codestream is one frame of this width and height as the
    transcoding of a JPEG makes it.

    Examples:
        >>> header = bytes.fromhex("ff0a 4006 9882 48 e05b 0210 00")
        >>> check_codestream(header, 333, 201)
        >>> check_codestream(header, 334, 201)
        Traceback (most recent call last):
        bbans.errors.FormatError: the JPEG XL stream of a JPEG has 333 x 201 pixels, ...
    """
    if codestream[:2] != SIGNATURE:
        raise FormatError("a JPEG XL stream was expected in place of a JPEG, found another")
    bits = Bits(codestream[2:HEADER_BYTES])
    sides = _sides(bits)
    if sides != (width, height):
        raise FormatError(
            f"the JPEG XL stream of a JPEG has {sides[0]} x {sides[1]} pixels, the header says "
            f"{width} x {height}: the file is forged"
        )
    bits.expect("default metadata", 1)
    bits.expect("a preview, an animation or an orientation", 1)
    bits.expect("floating-point samples", 1)
    bits.expect("samples of other than 8 bits", 2)
    bits.take(1)  # buffers of 16 bits suffice
    bits.expect("extra channels", 2)
    bits.expect("XYB colours", 1)
    _colours(bits)
    bits.expect("extensions", 2)
    bits.expect("another transform", 1, 1)
    bits.align()
    _check_frame(bits)


def _check_frame(bits: Bits) -> None:
    """Raise FormatError unless a frame header is that of the only frame of an image."""
    bits.expect("a default frame", 1)
    bits.expect("another kind of frame", 2)
    bits.expect("a frame without DCT", 1)
    if bits.choice((0, 0), (4, 1), (8, 17), (0, -1)) not in (0, SKIP_SMOOTHING):
        raise FormatError("the JPEG XL stream of a JPEG has frame flags, which none has")
    if bits.take(1):
        bits.take(6)  # resolution of chroma
    bits.expect("upsampling", 2)
    bits.expect("several passes", 2)
    bits.expect("a frame of another size", 1)
    bits.expect("blending", 2)
    bits.expect("several frames", 1, 1)


def check_reconstruction(data: bytes) -> None:
    """Raise FormatError if reconstruction data claim more contents of markers than are set aside.

    data: one bit, then markers of six bits up to EOI; what follows is bounded by them.

    Examples:
        >>> check_reconstruction(bytes([0b0110010]))
    """
    bits = Bits(data[: 2 + MAX_MARKERS * 6 // 8])
    bits.take(1)
    carried = 0
    for _ in range(MAX_MARKERS):
        marker = MARKER_BASE + bits.take(6)
        if marker == END:
            return
        carried += marker in APPLICATION or marker in (COMMENT, INTERMARKER)
        if carried > MAX_CARRIED:
            break
    raise FormatError("the reconstruction data of a JPEG have too many markers; the file is forged")
