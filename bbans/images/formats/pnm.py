"""PBM, PGM, PPM (`P1` to `P6`) and PAM (`P7`) as defined by Netpbm's manual pages, with samples up
to any largest value (maxval).

In a PBM 1 is black; in an image, as in PNG and PAM, 1 is white. 16-bit samples are big-endian.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bbans.errors import InputError, OutputError, UnsupportedImageError
from bbans.images.formats.rows import pack_rows, row_bytes, unpack_rows
from bbans.images.image import Image, Samples, make_image, transparency, without_kind
from bbans.images.pillow_convert import check_size
from bbans.images.sample_kind import kind_of_largest

TUPLES = {"BLACKANDWHITE": 1, "GRAYSCALE": 1, "GRAYSCALE_ALPHA": 2, "RGB": 3, "RGB_ALPHA": 4}
MAX_LARGEST = 65535
SPACE = b" \t\n\v\f\r"


class Header(NamedTuple):
    """Sizes, the largest sample value, and the byte at which the samples start."""

    width: int
    height: int
    channels: int
    largest: int
    start: int


def _header(data: bytes) -> Header:
    """Parse the header of P1 to P6; comments run from `#` to the end of the line."""
    values: list[int] = []
    position = 2
    wanted = 2 if data[1:2] in b"14" else 3
    while len(values) < wanted:
        while data[position : position + 1].isspace():
            position += 1
        if data[position : position + 1] == b"#":
            while position < len(data) and data[position] not in b"\r\n":
                position += 1
            continue
        end = position
        while data[end : end + 1].isdigit() and end < position + 10:
            end += 1
        if end == position:
            raise InputError("damaged PNM: its header has no width, height and largest sample")
        values.append(int(data[position:end]))
        position = end
    return Header(
        values[0],
        values[1],
        3 if data[1:2] in b"36" else 1,
        values[2] if wanted == 3 else 1,
        position + 1,
    )


def _pam_header(data: bytes) -> Header:
    """Parse the header of P7."""
    end = re.search(rb"\nENDHDR[ \t\r]*\n", data[: 2**16])
    if end is None:
        raise InputError("damaged PAM: its header has no end (ENDHDR)")
    fields: dict[str, str] = {}
    for line in data[2 : end.start()].decode("latin-1").split("\n"):
        key, _, value = line.strip().partition(" ")
        if key and not key.startswith("#"):
            fields[key] = value.strip()
    try:
        width, height, channels, largest = (
            int(fields[key]) for key in ("WIDTH", "HEIGHT", "DEPTH", "MAXVAL")
        )
    except (KeyError, ValueError):
        raise InputError("damaged PAM: its header has no WIDTH, HEIGHT, DEPTH and MAXVAL") from None
    meaning = fields.get("TUPLTYPE", "")
    if TUPLES.get(meaning) != channels or (meaning == "BLACKANDWHITE" and largest != 1):
        kind = f"{channels} channels of 0 to {largest} as {meaning or 'nothing known'}"
        raise UnsupportedImageError(
            f"a PAM with {kind} is not coded: convert it to GRAYSCALE, RGB or these with _ALPHA"
        )
    return Header(width, height, channels, largest, end.end())


def header_of(data: bytes) -> Header:
    """Parse the header of a file. Raises InputError on damage.

    Examples:
        >>> header_of(b"P5 2 1 255 ab")
        Header(width=2, height=1, channels=1, largest=255, start=11)
    """
    return _pam_header(data) if data[1:2] == b"7" else _header(data)


def _check_last(rest: bytes) -> None:
    """Raise UnsupportedImageError if another image follows."""
    if rest.startswith(b"P"):
        raise UnsupportedImageError(
            "a PNM file of several images is no single image: compress it as a stack, by itself "
            "(bbans compress, bbans.compress_stack)"
        )


def _text(data: bytes, header: Header, depth: int) -> Samples:
    """Return the samples of P1, P2 and P3, written as text."""
    body = re.sub(rb"#[^\r\n]*", b"", data[header.start - 1 :])
    count = header.width * header.height * header.channels
    if data[1:2] == b"1":
        digits = body.translate(None, SPACE)
        rest = digits[count:]
        values = np.frombuffer(digits[:count], np.uint8).astype(np.uint32) - ord("0")
    else:
        tokens = body.split(maxsplit=count)
        rest = b"".join(tokens[count:])
        tokens = tokens[:count]
        if not all(token.isdigit() and len(token) < 10 for token in tokens):
            raise InputError("damaged PNM: a sample is no number")
        values = np.fromiter(map(int, tokens), np.uint32, len(tokens))
    if values.size < count:
        raise InputError(f"truncated PNM: {count} samples were expected, found {values.size}")
    if values.max() > header.largest:
        raise InputError(
            f"damaged PNM: samples of 0 to {header.largest} were expected, found {values.max()}"
        )
    _check_last(rest)
    shaped = values.reshape(
        (header.height, header.width) + ((header.channels,) if header.channels > 1 else ())
    )
    return shaped.astype(np.uint16) if depth == 16 else shaped.astype(np.uint8)


def _raster(data: bytes, header: Header, depth: int) -> Samples:
    """Return the samples of P4 to P7: bits in P4, one or two bytes in the others."""
    width, height, channels, _, start = header
    packed = data[1:2] == b"4"
    row = row_bytes(width, channels, 1 if packed else max(depth, 8))
    if len(data) - start < row * height:
        raise InputError(
            f"truncated PNM: {row * height} bytes of samples were expected, found "
            f"{max(len(data) - start, 0)}"
        )
    _check_last(data[start + row * height : start + row * height + 1])
    rows = np.frombuffer(data, np.uint8, row * height, start).reshape(height, row)
    if packed:
        return unpack_rows(rows, width, 1)
    shape = (height, width) + ((channels,) if channels > 1 else ())
    if depth == 16:
        deep: NDArray[np.uint16] = rows.view(">u2").astype(np.uint16)
        return deep.reshape(shape)
    return rows.reshape(shape)


def read_pnm(data: bytes, as_pixels: bool, max_pixels: int) -> Image:
    """Read a PNM with samples up to 65535; its largest value is kept where it is not that of all
    bits.

    Raises InputError on damage and UnsupportedImageError on other kinds.

    Examples:
        >>> read_pnm(b"P2 2 1 255 7 8", False, 100).pixels.tolist()
        [[7, 8]]
    """
    header = header_of(data)
    if header.width < 1 or header.height < 1:
        raise InputError(f"damaged PNM: no valid size ({header.width} x {header.height})")
    bitmap = data[1:2] in b"14"
    if not 1 <= header.largest <= MAX_LARGEST:
        raise UnsupportedImageError(
            f"a PNM with samples of 0 to {header.largest} is not coded: convert it to a largest "
            f"value of 1 to {MAX_LARGEST}"
        )
    depth, kind = kind_of_largest(header.largest, header.channels)
    check_size(header.width, header.height, max_pixels)
    pixels = (_text if data[1:2] in b"123" else _raster)(data, header, depth)
    if (found := int(pixels.max())) > header.largest:
        raise InputError(
            f"damaged PNM: samples of 0 to {header.largest} were expected, found {found}"
        )
    return make_image(1 - pixels if bitmap else pixels, (), depth, samples=kind)


def pnm_bytes(image: Image) -> bytes:
    """Write 1-bit grey as PBM, grey as PGM, RGB as PPM, and images with alpha as PAM, with their
    largest value.

    Raises OutputError for other images.

    Examples:
        >>> from bbans.images.image import from_array
        >>> pnm_bytes(from_array(np.array([[65, 66]], np.uint8))).split()
        [b'P5', b'2', b'1', b'255', b'AB']
    """
    if image.palette or transparency(image.metadata) is not None:
        raise OutputError("PPM holds no palette or transparent colour: choose PNG")
    bits, largest = image.bit_depth, image.samples.largest
    image = without_kind(image, "PPM")
    height, width = image.pixels.shape[:2]
    channels = image.channels
    if bits == 1:
        return b"P4\n%d %d\n" % (width, height) + pack_rows(image.pixels ^ np.uint8(1), 1).tobytes()
    largest = largest or 2**bits - 1
    if channels in (1, 3):
        head = b"P%d\n%d %d\n%d\n" % (6 if channels == 3 else 5, width, height, largest)
    else:
        meaning = b"RGB_ALPHA" if channels == 4 else b"GRAYSCALE_ALPHA"
        fields = (width, height, channels, largest, meaning)
        head = b"P7\nWIDTH %d\nHEIGHT %d\nDEPTH %d\nMAXVAL %d\nTUPLTYPE %s\nENDHDR\n" % fields
    return head + pack_rows(image.pixels, max(bits, 8)).tobytes()
