"""Encodes header and index of an archive; payloads follow them in the order of the index.

Specification: `docs/archive.md`.
"""

from __future__ import annotations

import zlib

from bbans.container.archive_records import (
    CHAINED,
    FILES,
    MAGIC,
    MAX_BODY,
    PACKED_INDEX,
    PARTICLES,
    PLAIN_NAMES,
    REFINED,
    STACK,
    UNORDERED,
    VERSION,
    Archive,
    ChainedGroup,
    Group,
    Item,
    check_archive,
    has_plain_names,
)
from bbans.container.binary import u32, varint, with_crc
from bbans.container.metadata import chunks_body
from bbans.container.stack_record import stack_bytes
from bbans.errors import FormatError


def write_index(archive: Archive) -> bytes:
    """Encodes everything of an archive before its payloads.

    Raises FormatError if the archive breaks a rule for which a reader would refuse it.

    Examples:
        >>> from bbans.container.archive_records import FilesGroup
        >>> len(write_index(Archive((), (FilesGroup(),), (Item("a", 0, 0, 30, 20, size=4),))))
        30
    """
    check_archive(archive)
    plain = has_plain_names(archive.items)
    models = b"".join(
        model.id + varint(model.size) + (u32(model.crc) if model.size else b"")
        for model in archive.models
    )
    groups = b"".join(map(_group, archive.groups))
    items = b"".join(_item(item, archive.groups[item.group], plain) for item in archive.items)
    body = varint(len(archive.models)) + models + varint(len(archive.groups)) + groups + items
    if archive.stack is not None:
        body += stack_bytes(archive.stack, archive.items)
    if len(body) > MAX_BODY:
        raise FormatError(
            f"an index may have {MAX_BODY} bytes, found {len(body)}: make several archives"
        )
    packed = zlib.compress(body, 9)
    smaller = len(packed) < len(body)
    flags = PLAIN_NAMES * plain + PACKED_INDEX * smaller + STACK * (archive.stack is not None)
    sizes = varint(len(body)) + (varint(len(packed)) if smaller else b"")
    header = MAGIC + bytes([VERSION, flags]) + varint(len(archive.items)) + sizes
    return with_crc(header) + with_crc(packed if smaller else body)


def _group(group: Group) -> bytes:
    """An entry of a group."""
    if not isinstance(group, ChainedGroup):
        return bytes([FILES])
    coding = group.coding
    weighted = coding.format.weighted
    flags = UNORDERED * group.unordered + PARTICLES * weighted + REFINED * bool(coding.refinement)
    fields = (
        bytes([CHAINED]) + varint(group.model) + bytes([coding.scheme, flags, group.pixel_format])
    )
    fields += (varint(coding.particles) if weighted else b"") + (
        varint(coding.refinement) if coding.refinement else b""
    )
    stretches = b"".join(
        varint(s.batches) + varint(s.batch) + varint(s.lanes) + bytes([s.kind])
        for s in group.schedule
    )
    sizes = (
        varint(group.width)
        + varint(group.height)
        + bytes([len(group.schedule)])
        + stretches
        + varint(group.size)
    )
    return fields + sizes + u32(group.payload_crc) + u32(group.pixels_crc)


def _item(item: Item, group: Group, plain: bool) -> bytes:
    """An entry of an item; its name is left out if `plain`."""
    name = item.name.encode("utf-8")
    named = varint(item.group) + (b"" if plain else varint(len(name)) + name)
    if isinstance(group, ChainedGroup):
        body = chunks_body(item.metadata)
        return named + varint(len(body)) + body
    return (
        named
        + bytes([item.pixel_format])
        + varint(item.width)
        + varint(item.height)
        + varint(item.size)
    )
