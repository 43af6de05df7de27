"""Encodes and decodes the header of a file of one image: magic bytes, version, sides of the image
and of its tiles, pixel format, model.

Specification: `docs/format.md`.
"""

from __future__ import annotations

from bbans.container.binary import Buffer, Cursor, check_crc, varint, with_crc
from bbans.container.file_records import (
    DEFAULT_MAX_PIXELS,
    HAS_JPEG,
    HAS_METADATA,
    HAS_MODEL,
    MAGIC,
    MODEL_ID_SIZE,
    NO_MODEL,
    ONE_TILE,
    VERSION,
    Header,
    check_header,
)
from bbans.container.part_records import U32_MAX
from bbans.errors import FormatError, LimitError, NotBbansError, TruncatedError, VersionError


def header_section(header: Header) -> bytes:
    """Encodes a header, with its checksum.

    Examples:
        >>> len(header_section(Header(30, 20, 0, 30, 20, NO_MODEL, has_metadata=False)))
        17
    """
    has_model = header.model_id != NO_MODEL
    one_tile = (header.tile_width, header.tile_height) == (header.width, header.height)
    flags = HAS_METADATA * header.has_metadata + HAS_MODEL * has_model + ONE_TILE * one_tile
    flags += HAS_JPEG * header.has_jpeg
    geometry = (header.width, header.height, header.tile_width, header.tile_height)[
        : 2 if one_tile else 4
    ]
    fields = MAGIC + bytes([VERSION, flags, header.pixel_format]) + b"".join(map(varint, geometry))
    return with_crc(fields + header.model_id * has_model)


def _check_magic(data: Buffer) -> None:
    """Raises NotBbansError or TruncatedError unless the magic bytes are those of a file."""
    start = data[: len(MAGIC)]
    if start == MAGIC:
        return
    if not start:
        raise TruncatedError("a bbans file was expected, found no bytes at all")
    if MAGIC.startswith(start):
        raise TruncatedError(
            f"the file ends in its magic bytes: {len(MAGIC)} expected, {len(start)} found"
        )
    if start.startswith(MAGIC[:4]):
        raise NotBbansError(
            "the magic bytes are damaged as by a transfer in text mode: copy the file again in "
            "binary mode"
        )
    if start[:4] == bytes(byte & 0x7F for byte in MAGIC[:4]):
        raise NotBbansError(
            "the magic bytes have lost their top bits: copy the file again over an 8-bit channel"
        )
    raise NotBbansError(
        f"not a bbans file: it starts with {start.hex(' ')}, expected {MAGIC.hex(' ')}"
    )


def decode_header(data: Buffer, max_pixels: int) -> tuple[Header, int]:
    """Decodes and checks the header; returns it with the offset of its end.

    Raises a FormatError: NotBbansError, VersionError, TruncatedError, ChecksumError, or LimitError
    for an image of more than `max_pixels` pixels.

    Examples:
        >>> section = header_section(Header(30, 20, 0, 30, 20, NO_MODEL, has_metadata=False))
        >>> decode_header(section, max_pixels=1000)[1] == len(section)
        True
    """
    _check_magic(data)
    cursor = Cursor(data, "header", len(MAGIC))
    version = cursor.u8()
    if version == 0:
        raise VersionError(
            "format version 0 was a draft and is not read any more: decode the file with the "
            "bbans that wrote it"
        )
    if version != VERSION:
        raise VersionError(
            f"format version {version} is unknown to this release (it reads version {VERSION}): "
            "use another bbans"
        )
    flags, pixel_format = cursor.u8(), cursor.u8()
    width, height = tile_width, tile_height = (
        cursor.varint("width", U32_MAX),
        cursor.varint("height", U32_MAX),
    )
    if not flags & ONE_TILE:
        tile_width, tile_height = (
            cursor.varint("tile width", U32_MAX),
            cursor.varint("tile height", U32_MAX),
        )
    model_id = cursor.take(MODEL_ID_SIZE) if flags & HAS_MODEL else NO_MODEL
    check_crc(cursor, 0)
    if flags & ~(HAS_METADATA | HAS_MODEL | ONE_TILE | HAS_JPEG):
        raise VersionError(
            f"flags {flags:#04x} of the header are unknown to this release: use a newer bbans"
        )
    if not flags & ONE_TILE and (tile_width, tile_height) == (width, height):
        raise FormatError(
            "the header gives the size of a tile that is the whole image, which is left out"
        )
    if flags & HAS_MODEL and model_id == NO_MODEL:
        raise FormatError(
            "the header has a model id of zeros, which stands for no model and is left out"
        )
    header = Header(
        width,
        height,
        pixel_format,
        tile_width,
        tile_height,
        model_id,
        bool(flags & HAS_METADATA),
        bool(flags & HAS_JPEG),
    )
    check_header(header)
    if width * height > max_pixels:
        raise LimitError(
            f"the image has {width} x {height} pixels, more than the limit of {max_pixels}: raise "
            "the limit to decode it"
        )
    return header, cursor.position


def read_header(data: Buffer, max_pixels: int = DEFAULT_MAX_PIXELS) -> Header:
    """Decodes and checks the header alone; it reads at most 67 bytes, so the start of a file is
    enough.

    Raises a FormatError: NotBbansError, VersionError, TruncatedError, ChecksumError, or LimitError
    for an image of more than `max_pixels` pixels.

    Examples:
        >>> read_header(header_section(Header(30, 20, 0, 30, 20, NO_MODEL, False))).width
        30
    """
    return decode_header(data, max_pixels)[0]
