"""The section that a file with a JPEG has in place of metadata and tiles: how the JPEG is stored,
its size and checksum, and the bytes from which it is restored.

Specification: `docs/format.md`.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bbans.container.binary import Buffer, Cursor, check_crc, require, u32, varint, with_crc
from bbans.container.pixel_formats import FORMATS
from bbans.errors import ChecksumError, FormatError, LimitError, VersionError

if TYPE_CHECKING:
    from bbans.container.file_records import Container, Header

STORED_JPEG, LZMA_JPEG, TRANSCODED_JPEG = 0, 1, 2
JPEG_METHODS = {STORED_JPEG: "stored", LZMA_JPEG: "LZMA", TRANSCODED_JPEG: "JPEG XL"}
"""Names of the methods by their number in files."""
MIN_JPEG_BYTES, MAX_JPEG_BYTES = 4, 2**30
BYTES_BESIDES, BYTES_A_PIXEL = 2**26, 16
"""A reader's limit on pixels also limits the bytes of a JPEG: to so many, and so many a pixel."""
BLOCK, BLOCKS_A_BYTE = 8, 8
"""A JPEG spends at least a bit on every block of 8 x 8 pixels. Where a JPEG claims more pixels than
that, no decoder of its coefficients may be called: it would take memory for them.
"""
JPEG_FORMATS = (0, 1, 4, 5)
"""Pixel formats of a file with a JPEG: grey and RGB of 8 and of 16 bits."""
MAX_JPEG_SIDE, U32_MAX = 2**16 - 1, 2**32 - 1


@dataclass(frozen=True, slots=True)
class JpegEntry:
    """How a file holds a JPEG: the number of the method, size and CRC-32 of the JPEG, size and
    CRC-32 of the payload. `offset` is that of the payload in the file.

    Examples:
        >>> JpegEntry(STORED_JPEG, 5, 0, 5, 0).name
        'stored'
    """

    method: int
    size: int
    crc: int
    payload_size: int
    payload_crc: int
    offset: int = 0

    @property
    def name(self) -> str:
        """The name of the method."""
        return JPEG_METHODS[self.method]


@dataclass(frozen=True, slots=True)
class JpegRecord:
    """A JPEG in a file: the number of the method, size and CRC-32 of the JPEG, and the payload from
    which it is restored.
    """

    method: int
    size: int
    crc: int
    payload: bytes

    @property
    def entry(self) -> JpegEntry:
        """The record without its payload."""
        return JpegEntry(
            self.method, self.size, self.crc, len(self.payload), zlib.crc32(self.payload)
        )


def fits_blocks(width: int, height: int, size: int) -> bool:
    """Whether a JPEG of `size` bytes can hold an image of this width and height.

    Examples:
        >>> fits_blocks(8, 8, size=4), fits_blocks(65535, 65535, size=1000)
        (True, False)
    """
    return -(-width // BLOCK) * -(-height // BLOCK) <= BLOCKS_A_BYTE * size


def check_jpeg(width: int, height: int, entry: JpegEntry) -> None:
    """Raises FormatError unless the section of a JPEG with an image of this width and height keeps
    the rules, and VersionError on an unknown method.

    Examples:
        >>> check_jpeg(8, 8, JpegEntry(STORED_JPEG, 5, 1, 5, 1))
    """
    if entry.method not in JPEG_METHODS:
        raise VersionError(
            f"a JPEG is stored by method {entry.method}, unknown to this release (it knows "
            f"{', '.join(JPEG_METHODS.values())}): use a newer bbans"
        )
    require("size of the JPEG", entry.size, MIN_JPEG_BYTES, MAX_JPEG_BYTES)
    require("checksum of the JPEG", entry.crc, 0, U32_MAX)
    if entry.method == STORED_JPEG:
        if (entry.payload_size, entry.payload_crc) != (entry.size, entry.crc):
            raise FormatError("the payload of a stored JPEG must be the JPEG")
        return
    require("payload size of the JPEG", entry.payload_size, 1, entry.size - 1)
    if entry.method == TRANSCODED_JPEG and not fits_blocks(width, height, entry.size):
        raise FormatError(
            f"a JPEG of {entry.size} bytes has no {width} x {height} pixels: the file is forged"
        )


def check_jpeg_header(header: Header) -> None:
    """Raises FormatError unless the header of a file with a JPEG keeps the rules.

    Examples:
        >>> from bbans.container.file_records import NO_MODEL, Header
        >>> check_jpeg_header(Header(8, 8, 0, 8, 8, NO_MODEL, has_metadata=False, has_jpeg=True))
    """
    if (header.tile_width, header.tile_height) != (header.width, header.height):
        raise FormatError("a file with a JPEG has no tiles, found the size of one")
    if header.has_metadata:
        raise FormatError("a file with a JPEG has no metadata besides that of the JPEG")
    if any(header.model_id):
        raise FormatError("the header names a model that its JPEG does not need")
    if header.pixel_format not in JPEG_FORMATS:
        raise FormatError(
            f"a JPEG has grey or RGB pixels, found {FORMATS[header.pixel_format].name}"
        )
    require("width of a JPEG", header.width, 1, MAX_JPEG_SIDE)
    require("height of a JPEG", header.height, 1, MAX_JPEG_SIDE)


def check_jpeg_container(container: Container) -> None:
    """Raises FormatError unless a container with a JPEG has nothing else and keeps the rules.

    Examples:
        >>> from bbans.container.file_records import NO_MODEL, Container
        >>> record = JpegRecord(STORED_JPEG, 5, 0x3610A686, b"hello")
        >>> check_jpeg_container(Container(8, 8, 0, 8, 8, NO_MODEL, (), (), record))
    """
    if container.tiles or container.jpeg is None:
        raise FormatError(f"a file with a JPEG has no tiles, found {len(container.tiles)}")
    check_jpeg(container.width, container.height, container.jpeg.entry)


def jpeg_section(entry: JpegEntry) -> bytes:
    """Encodes the section without its payload.

    Examples:
        >>> len(jpeg_section(JpegEntry(STORED_JPEG, 5, 1, 5, 1)))
        10
    """
    fields = bytes([entry.method]) + varint(entry.size) + u32(entry.crc)
    if entry.method != STORED_JPEG:
        fields += varint(entry.payload_size) + u32(entry.payload_crc)
    return with_crc(fields)


def read_jpeg_section(
    data: Buffer, start: int, width: int, height: int, max_pixels: int
) -> JpegEntry:
    """Decodes and checks the section that begins at `start`; the payload is not read.

    Raises a FormatError: VersionError, TruncatedError, ChecksumError, or LimitError for a JPEG of
    more bytes than `max_pixels` pixels may take.

    Examples:
        >>> section = jpeg_section(JpegEntry(STORED_JPEG, 5, 1, 5, 1))
        >>> read_jpeg_section(section, 0, 8, 8, max_pixels=100).offset
        10
    """
    cursor = Cursor(data, "JPEG section", start)
    method = cursor.u8()
    if method not in JPEG_METHODS:  # the rest of the section cannot be read
        raise VersionError(
            f"a JPEG is stored by method {method}, unknown to this release (it knows "
            f"{', '.join(JPEG_METHODS.values())}): use a newer bbans"
        )
    size, crc = cursor.varint("size of the JPEG", MAX_JPEG_BYTES), cursor.u32()
    payload_size, payload_crc = size, crc
    if method != STORED_JPEG:
        payload_size = cursor.varint("payload size", MAX_JPEG_BYTES)
        payload_crc = cursor.u32()
    check_crc(cursor, start)
    entry = JpegEntry(method, size, crc, payload_size, payload_crc, cursor.position)
    check_jpeg(width, height, entry)
    if size > BYTES_BESIDES + BYTES_A_PIXEL * max_pixels:
        raise LimitError(
            f"the JPEG has {size} bytes, more than a limit of {max_pixels} pixels allows: raise "
            "the limit to decode it"
        )
    return entry


def read_jpeg_payload(data: Buffer, entry: JpegEntry) -> bytes:
    """Reads the payload and verifies its checksum. Raises TruncatedError or ChecksumError.

    Examples:
        >>> record = JpegRecord(STORED_JPEG, 5, zlib.crc32(b"bytes"), b"bytes")
        >>> read_jpeg_payload(b"bytes", record.entry)
        b'bytes'
    """
    payload = Cursor(data, "JPEG", min(entry.offset, len(data))).take(entry.payload_size)
    if zlib.crc32(payload) != entry.payload_crc:
        raise ChecksumError("the JPEG is damaged: the checksum of its payload does not match")
    return payload
