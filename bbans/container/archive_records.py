"""The contents of an archive as values, and the rules of a valid archive.

The rules are implemented once, in `check_archive`. The writer and the reader both call it, so that
whatever can be written can be read.

Specification: `docs/archive.md`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from bbans.container import group_schedule, schemes
from bbans.container.binary import require
from bbans.container.file_records import MODEL_ID_SIZE, NO_MODEL
from bbans.container.group_schedule import Stretch
from bbans.container.metadata import MetadataChunk, check_metadata
from bbans.container.part_records import U32_MAX
from bbans.container.pixel_formats import FORMATS
from bbans.container.sample_record import record_of_samples
from bbans.container.schemes import Coding
from bbans.container.stack_record import Stack, check_stack
from bbans.errors import FormatError, VersionError

MAGIC = b"\xbbAR\x1a\r\n\x1a\n"
VERSION = 1
PLAIN_NAMES, PACKED_INDEX, STACK = 1, 2, 4  # flags of the header

FILES, CHAINED = 0, 1
KIND_NAMES = {FILES: "files", CHAINED: "chained"}
UNORDERED, PARTICLES, REFINED = 1, 2, 4  # flags of a chained group

MAX_ITEMS, MAX_MODELS = 2**20, 16
MAX_BODY = 2**26  # bytes of the index after decompression
MAX_MODEL_BYTES = 2**30
MAX_FILE_BYTES = 2**63 - 1
MAX_NAME, MAX_NAME_PART = 4096, 255  # bytes of UTF-8
MAX_GROUP_ITEMS, MAX_GROUP_SAMPLES = group_schedule.MAX_ITEMS, group_schedule.MAX_SAMPLES
MAX_BATCH_PARTICLES = 2**12  # items times particles that a decoder evaluates at once


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model that groups need: its id, and the size in bytes and CRC-32 of its file if that is
    embedded (size 0: it is not).
    """

    id: bytes
    size: int = 0
    crc: int = 0


@dataclass(frozen=True, slots=True)
class ChainedGroup:
    """Items of one shape and pixel format that are coded in one message, by the scheme `coding`.

    `schedule` lists the stretches in the order of pushing. `size` and `payload_crc` are those of
    the message; `pixels_crc` is over the raw pixels of all items, in order.
    """

    model: int
    coding: Coding
    unordered: bool
    pixel_format: int
    width: int
    height: int
    schedule: tuple[Stretch, ...]
    size: int
    payload_crc: int
    pixels_crc: int

    @property
    def samples(self) -> int:
        """Number of samples of an item."""
        return self.width * self.height * FORMATS[self.pixel_format].channels


@dataclass(frozen=True, slots=True)
class FilesGroup:
    """Items that are each a whole file of the format for single images."""


Group = ChainedGroup | FilesGroup


@dataclass(frozen=True, slots=True)
class Item:
    """An image: its name, and the number of its group, in which items have the order of the index.

    `metadata` is stored here for items of a chained group, whose pixel format and sides are the
    group's. For items of a group of files, `size` is the number of bytes of the file, and pixel
    format and sides are those of its header.
    """

    name: str
    group: int
    pixel_format: int
    width: int
    height: int
    metadata: tuple[MetadataChunk, ...] = ()
    size: int = 0


@dataclass(frozen=True, slots=True)
class Archive:
    """The contents of an archive without the payloads. Items are in the order of the images, which
    are put together again as `stack` says if they were one file.
    """

    models: tuple[ModelEntry, ...]
    groups: tuple[Group, ...]
    items: tuple[Item, ...]
    stack: Stack | None = None


def plain_name(position: int, items: int) -> str:
    """Returns the default name of an item: its position in decimal, with leading zeros so that all
    names have one length.

    Examples:
        >>> plain_name(7, 1000)
        '007'
    """
    return f"{position:0{len(str(items - 1))}d}"


def has_plain_names(items: Sequence[Item]) -> bool:
    """Whether every item has its default name.

    Examples:
        >>> has_plain_names([Item("0", 0, 0, 1, 1), Item("1", 0, 0, 1, 1)])
        True
    """
    return all(item.name == plain_name(i, len(items)) for i, item in enumerate(items))


def check_name(name: str) -> None:
    """Raises FormatError unless a name is a relative path that is valid below any folder: parts
    separated by `/`, none of them empty, `.` or `..`, of bounded length.

    Examples:
        >>> check_name("holiday/1.png")
    """
    try:
        size = len(name.encode("utf-8"))
    except UnicodeEncodeError:
        raise FormatError(f"the name {name!a} is no text in Unicode: rename the image") from None
    if not 1 <= size <= MAX_NAME:
        raise FormatError(f"a name has 1 to {MAX_NAME} bytes, found {size}")
    if "\\" in name or any(ord(c) < 32 or ord(c) == 127 for c in name):
        raise FormatError(
            f"a name has no backslash and no control character, found {name[:80]!a}: rename the "
            "image"
        )
    for part in name.split("/"):
        if part in ("", ".", "..") or len(part.encode("utf-8")) > MAX_NAME_PART:
            raise FormatError(
                f"a name is a relative path without '.', '..' and long parts, found {name[:80]!a}"
            )


def check_names(names: Iterable[str]) -> None:
    """Raises FormatError unless all names are valid, no two are equal, and none is a folder of
    another.

    Examples:
        >>> check_names(["a/1.png", "a/2.png"])
    """
    paths = sorted(name.split("/") for name in names)
    for path in paths:
        check_name("/".join(path))
    for a, b in pairwise(paths):
        if b[: len(a)] == a:
            raise FormatError(
                f"names differ and none is a folder in another, found {'/'.join(a)!a} and "
                f"{'/'.join(b)!a}"
            )


def check_geometry(where: str, pixel_format: int, width: int, height: int) -> None:
    """Raises FormatError unless width and height are in range, and VersionError on an unknown pixel
    format; `where` names the place in errors.

    Examples:
        >>> check_geometry("item 0", 0, 30, 20)
    """
    if pixel_format not in FORMATS:
        raise VersionError(
            f"{where}: pixel format {pixel_format} is unknown to this release: use a newer bbans"
        )
    require(f"{where}: width", width, 1, U32_MAX)
    require(f"{where}: height", height, 1, U32_MAX)


def check_group(where: str, group: ChainedGroup, models: int) -> None:
    """Raises FormatError, or VersionError on what is unknown, unless a chained group keeps the
    rules that do not depend on its items; `models` is the number of models.

    Examples:
        >>> group = ChainedGroup(0, Coding(0), False, 0, 8, 8, (), 8, payload_crc=0, pixels_crc=0)
        >>> check_group("group 0", group, models=1)
    """
    check_geometry(where, group.pixel_format, group.width, group.height)
    require(f"{where}: model", group.model, 0, models - 1)
    if FORMATS[group.pixel_format].palette:
        raise FormatError(f"{where}: palette indices are not chained")
    schemes.check_coding(where, group.coding, in_files=False)
    require(f"{where}: payload size", group.size, 8, MAX_FILE_BYTES)
    if group.size % 4:
        raise FormatError(f"{where}: a message is whole words of 4 bytes, found {group.size} bytes")
    require(f"{where}: payload checksum", group.payload_crc, 0, U32_MAX)
    require(f"{where}: pixel checksum", group.pixels_crc, 0, U32_MAX)


def check_schedule(where: str, group: ChainedGroup, items: int) -> None:
    """Raises FormatError unless a chained group with this number of items may have its schedule.

    Examples:
        >>> schedule = (Stretch(batches=1, batch=1, lanes=1, kind=0),)
        >>> group = ChainedGroup(0, Coding(0), False, 0, 8, 8, schedule, 8, 0, 0)
        >>> check_schedule("group 0", group, items=1)
    """
    require(f"{where}: items", items, 1, MAX_GROUP_ITEMS)
    require(f"{where}: samples", items * group.samples, 1, MAX_GROUP_SAMPLES)
    require(
        f"{where}: samples of all evaluations",
        items * group.samples * group.coding.evaluations,
        1,
        schemes.MAX_WEIGHTED_SAMPLES,
    )
    limit = MAX_BATCH_PARTICLES // group.coding.particles
    try:
        group_schedule.check_schedule(group.schedule, items, group.samples, group.unordered, limit)
    except FormatError as error:
        raise FormatError(f"{where}: {error}") from None


def check_item(number: int, item: Item, groups: Sequence[Group]) -> None:
    """Raises FormatError, or VersionError on an unknown pixel format, unless an item keeps the
    rules; names are checked by `check_names`.

    Examples:
        >>> check_item(0, Item("a", 0, 0, 30, 20, size=100), [FilesGroup()])
    """
    where = f"item {number}"
    require(f"{where}: group", item.group, 0, len(groups) - 1)
    check_geometry(where, item.pixel_format, item.width, item.height)
    group = groups[item.group]
    if isinstance(group, FilesGroup):
        require(f"{where}: file size", item.size, 1, MAX_FILE_BYTES)
        if item.metadata:
            raise FormatError(f"{where}: its metadata belongs into its file")
        return
    if (item.pixel_format, item.width, item.height) != (
        group.pixel_format,
        group.width,
        group.height,
    ) or item.size:
        raise FormatError(f"{where}: its pixel format and sides must be those of its chained group")
    check_metadata(item.metadata)
    record_of_samples(item.metadata, FORMATS[item.pixel_format])


def check_archive(archive: Archive) -> None:
    """Raises FormatError unless the archive keeps the rules, and VersionError on what a newer
    release may know.

    Examples:
        >>> check_archive(Archive((), (FilesGroup(),), (Item("a", 0, 0, 30, 20, size=100),)))
    """
    require("number of models", len(archive.models), 0, MAX_MODELS)
    require("number of items", len(archive.items), 1, MAX_ITEMS)
    require("number of groups", len(archive.groups), 1, len(archive.items))
    if len({model.id for model in archive.models}) != len(archive.models):
        raise FormatError("models have different ids, found two alike")
    for model in archive.models:
        if len(model.id) != MODEL_ID_SIZE or model.id == NO_MODEL:
            raise FormatError(
                f"a model id has {MODEL_ID_SIZE} bytes that are not all zeros, found "
                f"{model.id.hex()}"
            )
        require("size of a model file", model.size, 0, MAX_MODEL_BYTES)
        require("checksum of a model file", model.crc, 0, U32_MAX if model.size else 0)
    for number, group in enumerate(archive.groups):
        if isinstance(group, ChainedGroup):
            check_group(f"group {number}", group, len(archive.models))
    counts = [0] * len(archive.groups)
    for number, item in enumerate(archive.items):
        check_item(number, item, archive.groups)
        counts[item.group] += 1
    for number, (group, count) in enumerate(zip(archive.groups, counts, strict=True)):
        if not count:
            raise FormatError(f"group {number}: a group has items, found none")
        if isinstance(group, ChainedGroup):
            check_schedule(f"group {number}", group, count)
    needed = {group.model for group in archive.groups if isinstance(group, ChainedGroup)}
    unused = [n for n, model in enumerate(archive.models) if n not in needed and not model.size]
    if unused:
        raise FormatError(
            f"a model is needed by a chained group or embedded, found {unused} that are neither"
        )
    check_names(item.name for item in archive.items)
    if archive.stack is not None:
        if not has_plain_names(archive.items):
            raise FormatError("the images of a stack are named by their positions")
        if any(isinstance(group, ChainedGroup) and group.unordered for group in archive.groups):
            raise FormatError("the images of a stack have an order, found an unordered group")
        check_stack(archive.stack, archive.items)
