"""A JPEG file to a record, and back byte for byte.

Whether a method is taken is decided by restoring: a library may refuse a JPEG, or write another one
than it read.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass

from bbans.container.jpeg_section import (
    LZMA_JPEG,
    STORED_JPEG,
    TRANSCODED_JPEG,
    JpegRecord,
    jpeg_section,
)
from bbans.errors import ChecksumError, FormatError, InputError
from bbans.images.formats.jpeg import JpegFile
from bbans.images.formats.jpeg_markers import read_frame
from bbans.jpegs import jpegxl, lzma2

SMALL = 2**14
"""Bytes of a JPEG up to which LZMA may be shorter than transcoding, since it packs the tables."""


@dataclass(frozen=True)
class JpegMethod:
    """A method by which a JPEG is kept: its number in files.

    encode: from a JPEG to a payload, or None if it cannot. decode: `(payload, size, width, height)`
    -> the JPEG; raises FormatError.
    """

    number: int
    encode: Callable[[JpegFile], bytes | None]
    decode: Callable[[bytes, int, int, int], bytes]


METHODS: dict[int, JpegMethod] = {
    method.number: method
    for method in (
        JpegMethod(TRANSCODED_JPEG, jpegxl.encode, jpegxl.decode),
        JpegMethod(
            LZMA_JPEG,
            lambda jpeg: lzma2.pack(jpeg.data),
            lambda payload, size, width, height: lzma2.unpack(payload, size),
        ),
        JpegMethod(
            STORED_JPEG, lambda jpeg: jpeg.data, lambda payload, size, width, height: payload
        ),
    )
}
"""All methods by number, in the order in which an encoder tries them."""


def encode_jpeg(jpeg: JpegFile) -> JpegRecord:
    """Return the shortest record of a JPEG among those by methods that restore it. A large JPEG is
    not tried by LZMA where it is transcoded.

    Examples:
        >>> from bbans.images.formats.jpeg import JpegFile
        >>> encode_jpeg(JpegFile(b"four" * 100, 8, 8, 1, 8)).method
        1
    """
    size, crc = len(jpeg.data), zlib.crc32(jpeg.data)
    best = JpegRecord(STORED_JPEG, size, crc, jpeg.data)
    for method in METHODS.values():
        if best.method == TRANSCODED_JPEG and size > SMALL:
            break
        payload = method.encode(jpeg)
        if payload is None:
            continue
        record = JpegRecord(method.number, size, crc, payload)
        if _length(record) < _length(best) and _restores(method, payload, jpeg):
            best = record
    return best


def _restores(method: JpegMethod, payload: bytes, jpeg: JpegFile) -> bool:
    """Return whether a payload gives back its JPEG."""
    try:
        return method.decode(payload, len(jpeg.data), jpeg.width, jpeg.height) == jpeg.data
    except FormatError:
        return False


def _length(record: JpegRecord) -> int:
    """Return the bytes of a record in a file."""
    return len(jpeg_section(record.entry)) + len(record.payload)


def decode_jpeg(record: JpegRecord, width: int, height: int, channels: int) -> bytes:
    """Return the JPEG of a record whose file says this width, height and number of channels.

    Raises FormatError if it cannot be restored or is another than the file says.

    Examples:
        >>> from bbans.images.formats.jpeg import jpeg_file
        >>> data = bytes.fromhex("ffd8 ffc0 000b 08 0002 0003 01 011100")
        >>> decode_jpeg(encode_jpeg(jpeg_file(data, 100)), 3, 2, channels=1) == data
        True
    """
    data = METHODS[record.method].decode(record.payload, record.size, width, height)
    if len(data) != record.size or zlib.crc32(data) != record.crc:
        raise ChecksumError("the JPEG could not be restored: its checksum does not match")
    try:
        frame = read_frame(data)
    except InputError as error:
        raise FormatError(f"the file holds no JPEG: {error}") from None
    if (frame.width, frame.height) != (width, height) or (frame.components == 1) != (channels == 1):
        raise FormatError(
            f"the JPEG has {frame.width} x {frame.height} pixels of {frame.components} components, "
            f"the header says {width} x {height} of {channels} channels: the file is forged"
        )
    return data
