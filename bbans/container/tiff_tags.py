"""Tags of the TIFF that an image came from, as the payload of a metadata chunk: all that describe
the picture, none that say where and how its pixels are stored.

Values are the bytes of the file, in its byte order, so that a TIFF with the same tags can be
written.

Specification: `docs/format.md`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bbans.container.binary import Cursor, require, varint
from bbans.errors import FormatError

MAX_TAG, MAX_TAGS = 2**16 - 1, 2**12
MAX_VALUE = 2**26
DIRECTORY, ELSEWHERE = 0, 0x80
TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
TYPE_BYTES |= {16: 8, 17: 8}
"""Bytes of a value by the number of its type. Types 13 and 18 are offsets and are not carried."""
EXIF, GPS, INTEROPERABILITY = 34665, 34853, 40965
DIRECTORIES = {None: (EXIF, GPS), EXIF: (INTEROPERABILITY,), GPS: (), INTEROPERABILITY: ()}
"""The tags that are directories, by the tag of the directory that they are in."""
XMP, ICC = 700, 34675
IN_CHUNKS = (XMP, ICC)
"""Tags whose value may be that of a PNG chunk beside them."""
PHOTOMETRIC, SHORT, WHITE_IS_ZERO = 262, 3, b"\0\0"
"""The one tag of storage that may be there, of samples that were inverted: white was zero."""
STORAGE = frozenset(
    {256, 257, 258, 259, 262, 266, 273, 274, 277, 278, 279, 284, 288, 289, 292, 293, 317, 320}
    | {322, 323, 324, 325, 330, 338, 339, 347, *range(512, 522), 529, 530, 531, 532}
)
"""Tags that say where and how pixels are stored: sizes, strips and tiles, compression, colours."""


@dataclass(frozen=True, slots=True)
class TiffTag:
    """A tag: its number, the number of its type, how many values it has, and their bytes.

    type 0: a directory, whose tags are in `directory`. elsewhere: the value is not here, but in the
    PNG chunk that holds a profile (tag 34675) or an XMP packet (700).
    """

    tag: int
    type: int
    count: int = 0
    value: bytes = b""
    directory: tuple[TiffTag, ...] = ()
    elsewhere: bool = False


def check_tags(tags: Sequence[TiffTag], parent: int | None = None) -> None:
    r"""Raises FormatError unless the tags of a directory keep the rules; `parent` is the tag of the
    directory, None for a page's own.

    Examples:
        >>> check_tags([TiffTag(305, 2, 3, b"me\0")])
    """
    require("number of TIFF tags", len(tags), 0, MAX_TAGS)
    last = -1
    for tag in tags:
        require("TIFF tag", tag.tag, last + 1, MAX_TAG)
        last = tag.tag
        if (tag.type == DIRECTORY) != (tag.tag in DIRECTORIES[parent]):
            raise FormatError(f"TIFF tag {tag.tag} is no directory, or one in the wrong place")
        if tag.type == DIRECTORY:
            if tag.elsewhere:
                raise FormatError(
                    f"TIFF tag {tag.tag} is a directory, whose value is not elsewhere"
                )
            check_tags(tag.directory, tag.tag)
            continue
        if tag.type not in TYPE_BYTES:
            raise FormatError(f"TIFF tag {tag.tag} is of unknown type {tag.type}")
        if parent is None and tag.tag == PHOTOMETRIC:
            if (tag.type, tag.count, tag.value) != (SHORT, 1, WHITE_IS_ZERO):
                raise FormatError("TIFF tag 262 is there only where white is zero")
            continue
        if parent is None and tag.tag in STORAGE:
            raise FormatError(f"TIFF tag {tag.tag} describes how pixels are stored: leave it out")
        size = tag.count * TYPE_BYTES[tag.type]
        require(f"bytes of TIFF tag {tag.tag}", size, 0, MAX_VALUE)
        if tag.elsewhere and (parent is not None or tag.tag not in IN_CHUNKS or size != tag.count):
            raise FormatError(f"the value of TIFF tag {tag.tag} cannot be in another chunk")
        if len(tag.value) != (0 if tag.elsewhere else size):
            raise FormatError(f"TIFF tag {tag.tag} has {size} bytes, found {len(tag.value)}")


def tags_payload(big_endian: bool, tags: tuple[TiffTag, ...]) -> bytes:
    r"""Encodes the tags of a page, whose values are in the given byte order.

    Raises FormatError if they break a rule.

    Examples:
        >>> tags_payload(False, (TiffTag(305, 2, 3, b"me\0"),)).hex(" ")
        '00 01 b1 02 02 03 6d 65 00'
    """
    check_tags(tags)
    return bytes([big_endian]) + _directory(tags)


def _directory(tags: tuple[TiffTag, ...]) -> bytes:
    return varint(len(tags)) + b"".join(map(_tag, tags))


def _tag(tag: TiffTag) -> bytes:
    start = varint(tag.tag) + bytes([tag.type | ELSEWHERE * tag.elsewhere])
    if tag.type == DIRECTORY:
        return start + _directory(tag.directory)
    return start + varint(tag.count) + tag.value


def read_tags(payload: bytes) -> tuple[bool, tuple[TiffTag, ...]]:
    r"""Decodes a payload and checks it, the inverse of `tags_payload`: whether values are
    big-endian, and the tags.

    Raises FormatError.

    Examples:
        >>> read_tags(tags_payload(True, (TiffTag(305, 2, 3, b"me\0"),)))[1][0].value
        b'me\x00'
    """
    cursor = Cursor(payload, "TIFF tags")
    order = cursor.u8()
    require("byte order of TIFF tags", order, 0, 1)
    tags = _read_directory(cursor, None)
    if cursor.remaining:
        raise FormatError(f"{cursor.remaining} bytes follow the last TIFF tag")
    check_tags(tags)
    return bool(order), tags


def _read_directory(cursor: Cursor, parent: int | None) -> tuple[TiffTag, ...]:
    count = cursor.varint("number of TIFF tags", MAX_TAGS)
    return tuple(_read_tag(cursor, parent) for _ in range(count))


def _read_tag(cursor: Cursor, parent: int | None) -> TiffTag:
    number, kind = cursor.varint("TIFF tag", MAX_TAG), cursor.u8()
    elsewhere, kind = bool(kind & ELSEWHERE), kind & ~ELSEWHERE
    if kind == DIRECTORY:
        # the nesting is bounded before it is followed
        if number not in DIRECTORIES[parent] or elsewhere:
            raise FormatError(f"TIFF tag {number} is a directory in the wrong place")
        return TiffTag(number, kind, directory=_read_directory(cursor, number))
    if kind not in TYPE_BYTES:
        raise FormatError(f"TIFF tag {number} is of unknown type {kind}")
    count = cursor.varint("values of a TIFF tag", MAX_VALUE)
    value = b"" if elsewhere else cursor.take(count * TYPE_BYTES[kind])
    return TiffTag(number, kind, count, value, elsewhere=elsewhere)
