"""Directories of a TIFF (Adobe, revision 6.0) and BigTIFF: the chain of pages, and the bytes of
their tags.

Pillow parses values; here they stay bytes, so that tags of any kind come back as they were. Nothing
is trusted: every offset is checked, and a chain that comes back to itself, or directories that
overlap, are damage.
"""

from __future__ import annotations

import struct
from typing import NamedTuple, Protocol

from bbans.errors import InputError

TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
TYPE_BYTES |= {16: 8, 17: 8}
"""Bytes of a value by the number of its type."""
LONG, IFD, LONG8, IFD8 = 4, 13, 16, 18
SUBFILE = 254
MAX_ENTRIES = 2**12
MAX_PAGES = 2**20


class Source(Protocol):
    """Bytes, or a file that can be sliced and measured like bytes."""

    def __len__(self) -> int: ...
    def __getitem__(self, part: slice, /) -> bytes: ...


class Head(NamedTuple):
    """The start of a file: byte order as in `struct`, whether it is a BigTIFF, and the offset of
    the first directory.
    """

    order: str
    big: bool
    first: int


class Entry(NamedTuple):
    """An entry of a directory: a tag with a number of `values` of a type, which are at byte `place`
    of the file.
    """

    tag: int
    type: int
    values: int
    place: int


class Directory(NamedTuple):
    """A directory of the chain: its entries and its bit flags (tag 254)."""

    entries: tuple[Entry, ...]
    subfile: int


def head_of(data: Source) -> Head:
    r"""Parse the start of a file. Raises InputError on damage.

    Examples:
        >>> head_of(b"II*\0\x08\0\0\0")
        Head(order='<', big=False, first=8)
    """
    order, big = "<" if data[:1] == b"I" else ">", data[2:4] in (b"+\0", b"\0+")
    start = data[: 16 if big else 8]
    if len(start) < (16 if big else 8):
        raise InputError("damaged TIFF: it ends in its header")
    return Head(
        order, big, struct.unpack(f"{order}{'Q' if big else 'I'}", start[8 if big else 4 :])[0]
    )


def read_entries(data: Source, head: Head, offset: int) -> tuple[tuple[Entry, ...], int]:
    r"""Return the entries of a directory and the offset of the next, 0 after the last.

    Raises InputError on damage.

    Examples:
        >>> read_entries(b"II*\0\x08\0\0\0" + bytes(6), Head("<", False, 8), 8)
        ((), 0)
    """
    counted, each, far, layout = (8, 20, 8, "HHQ8s") if head.big else (2, 12, 4, "HHI4s")
    start = data[offset : offset + counted]
    if offset < 8 or len(start) < counted:
        raise InputError(f"damaged TIFF: no directory at byte {offset}")
    (count,) = struct.unpack(f"{head.order}{'Q' if head.big else 'H'}", start)
    if count > MAX_ENTRIES:
        raise InputError(f"damaged TIFF: a directory of {count} tags, up to {MAX_ENTRIES} are read")
    size = each * count + far
    body = data[offset + counted : offset + counted + size]
    if len(body) < size:
        raise InputError("damaged TIFF: its tags are incomplete")
    entries = []
    for number in range(count):
        at = each * number
        tag, kind, values, raw = struct.unpack_from(head.order + layout, body, at)
        place = offset + counted + at + each - far
        if values * TYPE_BYTES.get(kind, far) > far:
            (place,) = struct.unpack(f"{head.order}{'Q' if head.big else 'I'}", raw)
        entries.append(Entry(tag, kind, values, place))
    (following,) = struct.unpack(f"{head.order}{'Q' if head.big else 'I'}", body[-far:])
    return tuple(entries), following


def value_of(data: Source, entry: Entry) -> bytes:
    """Return the bytes of an entry's value. Raises InputError if the file does not hold them.

    Examples:
        >>> value_of(b"0123", Entry(305, 2, 2, 1))
        b'12'
    """
    size = entry.values * TYPE_BYTES[entry.type]
    if entry.place + size > len(data):
        raise InputError(
            f"damaged TIFF: the value of tag {entry.tag} is beyond the end of the file"
        )
    return data[entry.place : entry.place + size]


def numbers_of(data: Source, head: Head, entry: Entry) -> tuple[int, ...]:
    r"""Return the values of an entry of whole numbers. Raises InputError on other types.

    Examples:
        >>> numbers_of(b"..\7\0", Head("<", False, 8), Entry(254, 3, 1, 2))
        (7,)
    """
    letter = {1: "B", 3: "H", LONG: "I", LONG8: "Q"}.get(entry.type)
    if letter is None:
        raise InputError(f"damaged TIFF: tag {entry.tag} has type {entry.type}, no whole numbers")
    return struct.unpack(f"{head.order}{entry.values}{letter}", value_of(data, entry))


def chain(data: Source) -> list[Directory]:
    r"""Return the directories of a file, in order.

    Raises InputError on damage: a chain without an end, or directories that overlap.

    Examples:
        >>> chain(b"II*\0\x08\0\0\0" + bytes(6))
        [Directory(entries=(), subfile=0)]
    """
    head = head_of(data)
    found: list[Directory] = []
    seen: set[int] = set()
    offset, spent = head.first, 0
    while offset:
        if offset in seen:
            raise InputError("damaged TIFF: its directories go round in a circle")
        if len(found) == MAX_PAGES:
            raise InputError(f"a TIFF of more than {MAX_PAGES} pages is not read: split it")
        seen.add(offset)
        entries, offset = read_entries(data, head, offset)
        spent += 6 + 12 * len(entries)
        if spent > len(data):
            raise InputError("damaged TIFF: its directories overlap")
        kinds = [entry for entry in entries if entry.tag == SUBFILE and entry.values == 1]
        found.append(Directory(entries, numbers_of(data, head, kinds[0])[0] if kinds else 0))
    return found
