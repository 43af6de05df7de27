"""Bytes of a TIFF: header, directories with their values, and what follows them.

A directory stands before the pixels of its page, so that pages can be written one after the other
without going back.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from bbans.errors import OutputError
from bbans.images.image import TiffTag

LONG, LONG8 = 4, 16
STRIPS, STRIP_BYTES = 273, 279
BIG_TYPES = (16, 17)
LIMIT = 2**32 - 1
"""Largest offset of a TIFF that is no BigTIFF."""


def header_bytes(order: str, big: bool) -> bytes:
    r"""Return the header of a file whose first directory follows it. order: as in `struct`.

    Examples:
        >>> header_bytes("<", False)
        b'II*\x00\x08\x00\x00\x00'
    """
    mark = b"II" if order == "<" else b"MM"
    if big:
        return mark + struct.pack(f"{order}HHHQ", 43, 8, 0, 16)
    return mark + struct.pack(f"{order}HI", 42, 8)


def directory_bytes(
    tags: Sequence[TiffTag], order: str, big: bool, start: int, following: int
) -> bytes:
    r"""Return a directory that is to stand at byte `start` of a file, with its values behind it.

    tags: sorted, with values in the byte order `order`. following: the offset of the next
    directory, 0 after the last. The number of bytes is even and depends on neither. Raises
    OutputError if offsets are beyond what a TIFF that is no BigTIFF can hold.

    Examples:
        >>> directory_bytes([TiffTag(256, 3, 1, b"\7\0")], "<", False, 8, 0).hex(" ")
        '01 00 00 01 03 00 01 00 00 00 07 00 00 00 00 00 00 00'
    """
    counted, each, far, letter = (8, 20, 8, "Q") if big else (2, 12, 4, "I")
    at = start + counted + each * len(tags) + far
    entries, values = b"", b""
    for tag in tags:
        kind, count, value = tag.type, tag.count, tag.value
        behind = value if len(value) > far else b""
        place = value.ljust(far, b"\0") if not behind else b""
        if not kind:  # a directory
            kind, count = (LONG8, 1) if big else (LONG, 1)
            behind = directory_bytes(tag.directory, order, big, at, 0)
            place = b""
        if behind:
            place = _offset(at, order, letter)
            behind += bytes(len(behind) % 2)
            values += behind
            at += len(behind)
        entries += struct.pack(f"{order}HH{letter}", tag.tag, kind, count) + place
    number = struct.pack(f"{order}{'Q' if big else 'H'}", len(tags))
    return number + entries + _offset(following, order, letter) + values


def _offset(value: int, order: str, letter: str) -> bytes:
    if letter == "I" and value > LIMIT:
        raise OutputError("a TIFF of over 4 GiB must be a BigTIFF: choose NPY or PNM")
    return struct.pack(order + letter, value)


def needs_big(tags: Sequence[TiffTag]) -> bool:
    """Return whether tags have types that only a BigTIFF may hold.

    Examples:
        >>> needs_big([TiffTag(65000, 16, 1, bytes(8))])
        True
    """
    return any(tag.type in BIG_TYPES or needs_big(tag.directory) for tag in tags)


def shorts(tag: int, order: str, *values: int) -> TiffTag:
    r"""Return a tag of 16-bit numbers.

    Examples:
        >>> shorts(256, "<", 7).value
        b'\x07\x00'
    """
    return TiffTag(tag, 3, len(values), struct.pack(f"{order}{len(values)}H", *values))


def longs(tag: int, order: str, big: bool, *values: int) -> TiffTag:
    r"""Return a tag of 32-bit numbers, 64-bit ones in a BigTIFF.

    Examples:
        >>> longs(256, ">", False, 7).value
        b'\x00\x00\x00\x07'
    """
    kind, letter = (LONG8, "Q") if big else (LONG, "I")
    return TiffTag(tag, kind, len(values), struct.pack(f"{order}{len(values)}{letter}", *values))


def page_bytes(
    tags: Sequence[TiffTag],
    rows: bytes,
    order: str,
    big: bool,
    start: int,
    last: bool,
    strips: int = 1,
) -> bytes:
    """Return a page that is to stand at byte `start` of a file: its directory, and its pixels as
    strips of one size.

    tags: all of the page but those of the strips. last: whether no page follows. Raises
    OutputError as `directory_bytes` does.

    Examples:
        >>> len(page_bytes([], bytes(4), "<", False, 8, last=True))
        34
    """

    def directory(pixels: int, following: int) -> bytes:
        size = len(rows) // strips
        places = longs(STRIPS, order, big, *(pixels + size * n for n in range(strips)))
        sizes = longs(STRIP_BYTES, order, big, *(size,) * strips)
        everything = sorted((*tags, places, sizes), key=lambda tag: tag.tag)
        return directory_bytes(everything, order, big, start, following)

    pixels = start + len(directory(0, 0))
    padded = rows if last else rows + bytes(len(rows) % 2)
    following = 0 if last else pixels + len(padded)
    return directory(pixels, following) + padded
