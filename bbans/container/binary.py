"""Integers as bytes, fixed little-endian words or canonical LEB128; a cursor that never reads past
the end; and what the sections of both formats share: checksums, compression, ranges of integers.

LEB128 has seven bits in each byte, low bits first, and sets the top bit of every byte but the last.
It is canonical if no shorter sequence has the same value. So a value has one encoding, and the same
contents give the same file.
"""

from __future__ import annotations

import os
import struct
import threading
import zlib
from pathlib import Path
from typing import BinaryIO, Protocol

from bbans.errors import ChecksumError, FormatError, TruncatedError


class Buffer(Protocol):
    """Bytes, or an object that can be sliced and measured like bytes."""

    def __len__(self) -> int: ...
    def __getitem__(self, part: slice, /) -> bytes: ...


class FileBuffer:
    """A file as a buffer, given by its path or open for reading; only the slices that are used are
    read.

    Raises OSError if the file cannot be opened or read.

    Examples:
        >>> import io
        >>> FileBuffer(io.BytesIO(b"a file"))[2:4]
        b'fi'
    """

    def __init__(self, file: Path | BinaryIO) -> None:
        self._file: BinaryIO = file.open("rb") if isinstance(file, Path) else file
        self._size = self._file.seek(0, os.SEEK_END)
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, part: slice, /) -> bytes:
        start, stop, _ = part.indices(self._size)
        with self._lock:
            self._file.seek(start)
            return self._file.read(max(0, stop - start))

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


def u32(value: int) -> bytes:
    r"""Encodes an integer in four bytes, little-endian.

    Examples:
        >>> u32(258)
        b'\x02\x01\x00\x00'
    """
    return struct.pack("<I", value)


def varint(value: int) -> bytes:
    r"""Encodes a non-negative integer in canonical LEB128.

    Examples:
        >>> varint(300)
        b'\xac\x02'
    """
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


class Cursor:
    """A position in a buffer. Each method reads at the position and moves it; `section` names the
    part of the file in errors.

    Examples:
        >>> cursor = Cursor(varint(300) + u32(7), "header")
        >>> cursor.varint("width", 1000), cursor.u32(), cursor.remaining
        (300, 7, 0)
    """

    def __init__(self, data: Buffer, section: str, position: int = 0) -> None:
        self.data = data
        self.section = section
        self.position = position

    @property
    def remaining(self) -> int:
        """Number of bytes from the position to the end."""
        return len(self.data) - self.position

    def take(self, size: int) -> bytes:
        """Reads `size` bytes. Raises TruncatedError if fewer remain."""
        if size > self.remaining:
            raise TruncatedError(
                f"the file ends in its {self.section}: {size} more bytes expected, "
                f"{self.remaining} found"
            )
        taken = self.data[self.position : self.position + size]
        if len(taken) != size:
            raise TruncatedError(f"the file has become shorter while its {self.section} was read")
        self.position += size
        return taken

    def u8(self) -> int:
        """Reads an integer of one byte. Raises TruncatedError at the end."""
        return self.take(1)[0]

    def u32(self) -> int:
        """Reads an integer of four bytes, little-endian. Raises TruncatedError if fewer remain."""
        value: int = struct.unpack("<I", self.take(4))[0]
        return value

    def varint(self, name: str, maximum: int) -> int:
        """Reads a canonical LEB128 integer of at most `maximum`; `name` names it in errors.

        Raises FormatError on a larger integer or one that is not canonical, TruncatedError at the
        end.
        """
        value = shift = 0
        while True:
            byte = self.u8()
            value |= (byte & 0x7F) << shift
            if value > maximum:
                raise FormatError(
                    f"the {self.section} is damaged: {name} must be at most {maximum}, found at "
                    f"least {value}"
                )
            if byte < 0x80:
                break
            shift += 7
            if shift >= maximum.bit_length():
                raise FormatError(
                    f"the {self.section} is damaged: {name} is an integer with too many bytes"
                )
        if byte == 0 and shift:
            raise FormatError(
                f"the {self.section} is damaged: {name} is an integer that is not in its shortest "
                "form"
            )
        return value


def require(name: str, value: int, low: int, high: int) -> None:
    """Raises FormatError unless low <= value <= high; `name` names the value in the error.

    Examples:
        >>> require("width", 5, 1, 10)
    """
    if not low <= value <= high:
        raise FormatError(f"{name} must be {low} to {high}, found {value}")


def with_crc(section: bytes) -> bytes:
    """Appends the CRC-32 of a section to it.

    Examples:
        >>> len(with_crc(b"section"))
        11
    """
    return section + u32(zlib.crc32(section))


def check_crc(cursor: Cursor, start: int) -> None:
    """Reads a checksum at the cursor and compares it with the CRC-32 of the bytes from `start` to
    there.

    Raises ChecksumError if they differ, and TruncatedError at the end.

    Examples:
        >>> cursor = Cursor(with_crc(b"section"), "section", 7)
        >>> check_crc(cursor, 0)
    """
    computed = zlib.crc32(cursor.data[start : cursor.position])
    if cursor.u32() != computed:
        raise ChecksumError(f"the {cursor.section} is damaged: its checksum does not match")


def inflate(packed: bytes, size: int, section: str = "metadata") -> bytes:
    """Decompresses a zlib stream that fills `packed` to exactly `size` bytes; at most one byte more
    is ever computed, so that memory is bounded.

    Raises FormatError on a damaged stream or on another size.

    Examples:
        >>> inflate(zlib.compress(b"text"), 4)
        b'text'
    """
    stream = zlib.decompressobj()
    try:
        body = stream.decompress(packed, size + 1)
    except zlib.error as error:
        raise FormatError(f"the {section} is damaged: {error}") from None
    if len(body) != size or not stream.eof or stream.unused_data:
        raise FormatError(f"the {section} is damaged: it does not decompress to {size} bytes")
    return body
