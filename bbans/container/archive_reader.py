"""Decodes bytes to the index of an archive, and reads its payloads one by one.

Hostile input is expected: every length is bounded before memory is allocated for it. Memory beyond
the file: the index twice, and the objects of its items, some hundred bytes each.

Specification: `docs/archive.md`.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from itertools import accumulate

from bbans.container.archive_records import (
    FILES,
    KIND_NAMES,
    MAGIC,
    MAX_BODY,
    MAX_FILE_BYTES,
    MAX_GROUP_ITEMS,
    MAX_ITEMS,
    MAX_MODEL_BYTES,
    MAX_MODELS,
    MAX_NAME,
    PACKED_INDEX,
    PARTICLES,
    PLAIN_NAMES,
    REFINED,
    STACK,
    UNORDERED,
    VERSION,
    Archive,
    ChainedGroup,
    FilesGroup,
    Group,
    Item,
    ModelEntry,
    check_archive,
    has_plain_names,
    plain_name,
)
from bbans.container.binary import Buffer, Cursor, check_crc, inflate
from bbans.container.file_records import MODEL_ID_SIZE
from bbans.container.group_schedule import RUNGS, Stretch
from bbans.container.metadata import MAX_METADATA_BYTES, read_chunks
from bbans.container.part_records import U32_MAX
from bbans.container.schemes import MAX_PARTICLES, MAX_REFINEMENT, SCHEMES, Coding
from bbans.container.stack_record import read_stack
from bbans.errors import (
    ChecksumError,
    FormatError,
    LimitError,
    NotBbansError,
    TrailingDataError,
    TruncatedError,
    VersionError,
)

MIN_ITEM = 2  # bytes of an item's entry: group, length of the metadata


@dataclass(frozen=True, slots=True)
class ArchiveIndex:
    """An archive, and the offsets of its payloads: of every model, of every group, and of every
    item (for an item of a chained group, the offset of the group). `end` is the offset of the end.
    """

    archive: Archive
    models: tuple[int, ...]
    groups: tuple[int, ...]
    items: tuple[int, ...]
    end: int

    def members(self) -> tuple[tuple[int, ...], ...]:
        """Returns the numbers of each group's items, in the order of the group."""
        members: list[list[int]] = [[] for _ in self.archive.groups]
        for number, item in enumerate(self.archive.items):
            members[item.group].append(number)
        return tuple(map(tuple, members))


def is_archive(start: bytes) -> bool:
    """Whether a file that starts with these bytes is an archive; 8 bytes are enough.

    Examples:
        >>> is_archive(MAGIC)
        True
    """
    return start[: len(MAGIC)] == MAGIC


def read_archive_index(
    data: Buffer, max_items: int = MAX_ITEMS, whole: bool = True
) -> ArchiveIndex:
    """Decodes header and index, and verifies their checksums; payloads are not read.

    If `whole`, a file that ends early or has more bytes is refused too. Raises a FormatError:
    NotBbansError, VersionError, TruncatedError, ChecksumError, TrailingDataError, or LimitError for
    more than `max_items` items.

    Examples:
        >>> from bbans.container.archive_writer import write_index
        >>> archive = Archive((), (FilesGroup(),), (Item("a", 0, 0, 30, 20, size=4),))
        >>> read_archive_index(write_index(archive) + b"file").archive == archive
        True
    """
    start = data[: len(MAGIC)]
    if len(start) < len(MAGIC) and MAGIC.startswith(start):
        raise TruncatedError(
            f"the file ends in its magic bytes: {len(MAGIC)} expected, {len(start)} found"
        )
    if not is_archive(start):
        raise NotBbansError(
            f"not a bbans archive: it starts with {start.hex(' ')}, expected {MAGIC.hex(' ')}"
        )
    cursor = Cursor(data, "header", len(MAGIC))
    if (version := cursor.u8()) != VERSION:
        raise VersionError(
            f"archive version {version} is unknown to this release (it reads version {VERSION}): "
            "use another bbans"
        )
    flags = cursor.u8()
    count = cursor.varint("number of items", MAX_ITEMS)
    size = cursor.varint("size of the index", MAX_BODY)
    stored = (
        cursor.varint("compressed size of the index", MAX_BODY) if flags & PACKED_INDEX else size
    )
    check_crc(cursor, 0)
    if flags & ~(PLAIN_NAMES | PACKED_INDEX | STACK):
        raise VersionError(
            f"flags {flags:#04x} of the header are unknown to this release: use a newer bbans"
        )
    if flags & PACKED_INDEX and stored >= size:
        raise FormatError(
            f"a compressed index is smaller than the {size} bytes it stands for, found {stored}"
        )
    if size < MIN_ITEM * count:
        raise FormatError(f"the index has {size} bytes, too few for {count} items")
    if count > max_items:
        raise LimitError(
            f"the archive has {count} items, more than the limit of {max_items}: raise the limit "
            "to read it"
        )
    cursor.section = "index"
    first = cursor.position
    body = cursor.take(stored)
    check_crc(cursor, first)
    if flags & PACKED_INDEX:
        body = inflate(body, size, "index")
    archive = _archive(body, count, flags)
    index = _placed(archive, cursor.position)
    if whole and index.end > len(data):
        raise TruncatedError(
            f"the file ends in its payloads: {index.end - cursor.position} bytes expected, "
            f"{cursor.remaining} found"
        )
    if whole and index.end < len(data):
        raise TrailingDataError(
            f"{len(data) - index.end} bytes follow the end of the archive: remove them"
        )
    return index


def read_model_file(data: Buffer, index: ArchiveIndex, number: int) -> bytes:
    """Reads the file of an embedded model. Raises TruncatedError or ChecksumError.

    Examples:
        >>> from bbans.container.archive_writer import write_index
        >>> entry = ModelEntry(bytes(range(32)), size=5, crc=zlib.crc32(b"model"))
        >>> archive = Archive((entry,), (FilesGroup(),), (Item("a", 0, 0, 30, 20, size=4),))
        >>> data = write_index(archive) + b"model" + b"file"
        >>> read_model_file(data, read_archive_index(data), 0)
        b'model'
    """
    model = index.archive.models[number]
    return _checked(data, index.models[number], model.size, model.crc, f"embedded model {number}")


def read_message(data: Buffer, index: ArchiveIndex, number: int) -> bytes:
    """Reads the message of a chained group.

    Raises TruncatedError or ChecksumError, and ValueError if the group is not chained.

    Examples:
        >>> from bbans.container.archive_writer import write_index
        >>> crc = zlib.crc32(b"8 bytes.")
        >>> group = ChainedGroup(0, Coding(0), False, 0, 30, 20, (Stretch(1, 1, 1, 0),), 8, crc, 0)
        >>> archive = Archive((ModelEntry(bytes(range(32))),), (group,), (Item("a", 0, 0, 30, 20),))
        >>> data = write_index(archive) + b"8 bytes."
        >>> read_message(data, read_archive_index(data), 0)
        b'8 bytes.'
    """
    group = index.archive.groups[number]
    if not isinstance(group, ChainedGroup):
        raise ValueError(f"group {number} is not chained")
    return _checked(data, index.groups[number], group.size, group.payload_crc, f"group {number}")


def read_item_file(data: Buffer, index: ArchiveIndex, number: int) -> bytes:
    """Reads the file of an item in a group of files; the file has checksums of its own.

    Raises TruncatedError.

    Examples:
        >>> from bbans.container.archive_writer import write_index
        >>> archive = Archive((), (FilesGroup(),), (Item("a", 0, 0, 30, 20, size=4),))
        >>> data = write_index(archive) + b"file"
        >>> read_item_file(data, read_archive_index(data), 0)
        b'file'
    """
    cursor = Cursor(data, "payloads", min(index.items[number], len(data)))
    return cursor.take(index.archive.items[number].size)


def _checked(data: Buffer, offset: int, size: int, crc: int, what: str) -> bytes:
    """Reads a payload and compares its checksum. Raises TruncatedError or ChecksumError."""
    payload = Cursor(data, "payloads", min(offset, len(data))).take(size)
    if zlib.crc32(payload) != crc:
        raise ChecksumError(f"{what} is damaged: the checksum of its payload does not match")
    return payload


def _archive(body: bytes, count: int, flags: int) -> Archive:
    """The archive whose index is `body`; `flags` are those of the header."""
    plain = bool(flags & PLAIN_NAMES)
    cursor = Cursor(body, "index")
    models = tuple(_model(cursor) for _ in range(cursor.varint("number of models", MAX_MODELS)))
    groups = tuple(_group(cursor) for _ in range(cursor.varint("number of groups", count)))
    items = tuple(
        _item(cursor, groups, None if not plain else plain_name(i, count)) for i in range(count)
    )
    stack = read_stack(cursor, items) if flags & STACK else None
    if cursor.remaining:
        raise FormatError(f"the index has {cursor.remaining} bytes after its end")
    if not plain and has_plain_names(items):
        raise FormatError(
            "the index spells names that are the items' positions, which are left out"
        )
    archive = Archive(models, groups, items, stack)
    check_archive(archive)
    return archive


def _model(cursor: Cursor) -> ModelEntry:
    """An entry of a model."""
    model_id = cursor.take(MODEL_ID_SIZE)
    size = cursor.varint("size of a model file", MAX_MODEL_BYTES)
    return ModelEntry(model_id, size, cursor.u32() if size else 0)


def _group(cursor: Cursor) -> Group:
    """An entry of a group. Raises VersionError on what is unknown."""
    kind = cursor.u8()
    if kind not in KIND_NAMES:
        raise VersionError(f"a group is of kind {kind}, unknown to this release: use a newer bbans")
    if kind == FILES:
        return FilesGroup()
    model = cursor.varint("model", MAX_MODELS)
    scheme, flags, pixel_format = cursor.u8(), cursor.u8(), cursor.u8()
    if flags & ~(UNORDERED | PARTICLES | REFINED):
        raise VersionError(
            f"flags {flags:#04x} of a group are unknown to this release: use a newer bbans"
        )
    known = SCHEMES.get(scheme)
    if known is not None and bool(flags & PARTICLES) != known.weighted:
        raise FormatError(
            f"scheme {known.label} of a group "
            f"{'says no' if known.weighted else 'has no'} number of particles"
        )
    particles = cursor.varint("particles", MAX_PARTICLES) if flags & PARTICLES else 1
    refinement = cursor.varint("refinement", MAX_REFINEMENT) if flags & REFINED else 0
    if flags & REFINED and not refinement:
        raise FormatError("a group says that it is refined by 0 steps, which is left out")
    width, height = cursor.varint("width", U32_MAX), cursor.varint("height", U32_MAX)
    schedule = tuple(_stretch(cursor) for _ in range(cursor.u8()))
    size = cursor.varint("payload size", MAX_FILE_BYTES)
    sums = cursor.u32(), cursor.u32()
    coding = Coding(scheme, particles, refinement)
    return ChainedGroup(
        model, coding, bool(flags & UNORDERED), pixel_format, width, height, schedule, size, *sums
    )


def _stretch(cursor: Cursor) -> Stretch:
    """A stretch of a group's schedule."""
    batches, batch = (
        cursor.varint("batches", MAX_GROUP_ITEMS),
        cursor.varint("items of a batch", MAX_GROUP_ITEMS),
    )
    return Stretch(batches, batch, cursor.varint("lanes", RUNGS[-1]), cursor.u8())


def _item(cursor: Cursor, groups: tuple[Group, ...], name: str | None) -> Item:
    """An entry of an item; `name` is None if its name is stored."""
    number = cursor.varint("group", max(0, len(groups) - 1))
    if number >= len(groups):
        raise FormatError("the index has items but no groups")
    group = groups[number]
    if name is None:
        try:
            name = cursor.take(cursor.varint("length of a name", MAX_NAME)).decode("utf-8")
        except UnicodeDecodeError:
            raise FormatError("a name in the index is not UTF-8") from None
    if isinstance(group, ChainedGroup):
        size = cursor.varint("length of the metadata", MAX_METADATA_BYTES)
        metadata = read_chunks(cursor.take(size)) if size else ()
        return Item(name, number, group.pixel_format, group.width, group.height, metadata)
    pixel_format = cursor.u8()
    width, height = cursor.varint("width", U32_MAX), cursor.varint("height", U32_MAX)
    return Item(
        name, number, pixel_format, width, height, (), cursor.varint("file size", MAX_FILE_BYTES)
    )


def _placed(archive: Archive, start: int) -> ArchiveIndex:
    """The index with the offsets of payloads: models, then groups; the files of a group are in the
    order of its items.
    """
    models = list(accumulate((model.size for model in archive.models), initial=start))
    sizes = [group.size if isinstance(group, ChainedGroup) else 0 for group in archive.groups]
    offsets = []
    for item in archive.items:
        offsets.append(
            sizes[item.group] if isinstance(archive.groups[item.group], FilesGroup) else 0
        )
        sizes[item.group] += item.size
    groups = list(accumulate(sizes, initial=models[-1]))
    items = tuple(
        groups[item.group] + offset for item, offset in zip(archive.items, offsets, strict=True)
    )
    return ArchiveIndex(archive, tuple(models[:-1]), tuple(groups[:-1]), items, groups[-1])
