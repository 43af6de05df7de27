"""Integers as bytes: fixed little-endian words and canonical LEB128, and a cursor that never reads
past its end.

LEB128 carries seven bits a byte, low bits first, with the top bit set on every byte but the last.
It is canonical when no shorter sequence has the same value: then a value has one encoding, and a
file one spelling.
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
    """Bytes, or something that is read like them."""

    def __len__(self) -> int: ...
    def __getitem__(self, part: slice, /) -> bytes: ...


class FileBuffer:
    """A file, by its path or open for reading, as a buffer: only what is asked for is read.

    Raises OSError as the file does.
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
        """Close the file."""
        self._file.close()


def u32(value: int) -> bytes:
    """Four bytes, little-endian."""
    return struct.pack("<I", value)


def varint(value: int) -> bytes:
    """Canonical LEB128 of a non-negative integer."""
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


class Cursor:
    """A position in bytes. Every method reads at the position and moves it; `section` names the
    place in errors.
    """

    def __init__(self, data: Buffer, section: str, position: int = 0) -> None:
        self.data = data
        self.section = section
        self.position = position

    @property
    def remaining(self) -> int:
        """Bytes from the position to the end."""
        return len(self.data) - self.position

    def take(self, size: int) -> bytes:
        """The next `size` bytes; `TruncatedError` when there are fewer."""
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
        """One byte."""
        return self.take(1)[0]

    def u32(self) -> int:
        """Four bytes, little-endian."""
        value: int = struct.unpack("<I", self.take(4))[0]
        return value

    def varint(self, name: str, maximum: int) -> int:
        """A canonical LEB128 integer of at most `maximum`; `FormatError` otherwise."""
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
    """Raise FormatError unless low <= value <= high."""
    if not low <= value <= high:
        raise FormatError(f"{name} must be {low} to {high}, found {value}")


def with_crc(section: bytes) -> bytes:
    """A section and its checksum."""
    return section + u32(zlib.crc32(section))


def check_crc(cursor: Cursor, start: int) -> None:
    """Compare the checksum at the cursor with that of the bytes from `start` to it."""
    computed = zlib.crc32(cursor.data[start : cursor.position])
    if cursor.u32() != computed:
        raise ChecksumError(f"the {cursor.section} is damaged: its checksum does not match")


def inflate(packed: bytes, size: int, section: str = "metadata") -> bytes:
    """The `size` bytes of a zlib stream that fills `packed`; never makes more than one byte too
    many.
    """
    stream = zlib.decompressobj()
    try:
        body = stream.decompress(packed, size + 1)
    except zlib.error as error:
        raise FormatError(f"the {section} is damaged: {error}") from None
    if len(body) != size or not stream.eof or stream.unused_data:
        raise FormatError(f"the {section} is damaged: it does not decompress to {size} bytes")
    return body
