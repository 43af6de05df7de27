"""What an archive holds, as values, and the rules that a valid one keeps.

Specification: `docs/archive.md`.

The rules are written once, in `check_archive`: the writer and the reader both call it, so whatever
can be written can be read.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from bbans.container import schemes
from bbans.container.binary import require
from bbans.container.file_records import (
    MODEL_ID_SIZE,
    NO_MODEL,
    U32_MAX,
)
from bbans.container.metadata import MetadataChunk, check_metadata
from bbans.container.pixel_formats import FORMATS
from bbans.container.schemes import Coding
from bbans.errors import FormatError, VersionError

MAGIC = b"\xbbAR\x1a\r\n\x1a\n"
VERSION = 1
PLAIN_NAMES, PACKED_INDEX = 1, 2  # flags of the header

FILES, CHAINED = 0, 1
KIND_NAMES = {FILES: "files", CHAINED: "chained"}
UNORDERED, PARTICLES, REFINED = 1, 2, 4  # flags of a chained group
STRETCH_KINDS = 3  # starters, chained, drawn
RUNGS = (1, 8, 64, 512, 4096, 32768)

MAX_ITEMS, MAX_MODELS = 2**20, 16
MAX_BODY = 2**26  # bytes of the index after decompression
MAX_MODEL_BYTES = 2**30
MAX_FILE_BYTES = 2**63 - 1
MAX_NAME, MAX_NAME_PART = 4096, 255  # bytes of UTF-8
MAX_GROUP_ITEMS, MAX_GROUP_SAMPLES = 2**16, 2**26
MAX_STRETCHES = 255
MAX_BATCH, MAX_BATCH_SAMPLES = 256, 2**20
MAX_ROWS = 2**18
MAX_BATCH_PARTICLES = 2**12  # what a decoder evaluates at once


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model that groups need: its id, and of an embedded one the size in bytes and checksum of
    its file (0: not embedded).
    """

    id: bytes
    size: int = 0
    crc: int = 0


@dataclass(frozen=True, slots=True)
class Stretch:
    """`batches` batches of `batch` items each over `lanes` lanes; kind 0: starters, 1: chained, 2:
    drawn.
    """

    batches: int
    batch: int
    lanes: int
    kind: int


@dataclass(frozen=True, slots=True)
class ChainedGroup:
    """Items of one shape and pixel format in one message, coded as `coding` says.

    `pixels_crc` is over the raw pixels of all, in order.
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
        """Samples of an item."""
        return self.width * self.height * FORMATS[self.pixel_format].channels


@dataclass(frozen=True, slots=True)
class FilesGroup:
    """Items each of which is a whole file of the format for single images."""


Group = ChainedGroup | FilesGroup


@dataclass(frozen=True, slots=True)
class Item:
    """An image: its name, and the number of its group, where it comes after the items of that group
    that are listed before it.

    Metadata is that of an item of a chained group; `size` is the bytes of the file of one in a
    group of files, whose pixel format and sides are those of its header, repeated here. In a
    chained group all three are the group's.
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
    """Everything of an archive but its payloads.

    Items are in the order in which they were given.
    """

    models: tuple[ModelEntry, ...]
    groups: tuple[Group, ...]
    items: tuple[Item, ...]


def plain_name(position: int, items: int) -> str:
    """The name of an item that has no other: its position in decimal, with zeros in front so that
    all are of one length.
    """
    return f"{position:0{len(str(items - 1))}d}"


def has_plain_names(items: Sequence[Item]) -> bool:
    """Whether every item is named by its position."""
    return all(item.name == plain_name(i, len(items)) for i, item in enumerate(items))


def check_name(name: str) -> None:
    """Raise FormatError unless a name can be a file's below any folder: parts with `/` between,
    none of them `.` or `..`.
    """
    try:
        size = len(name.encode("utf-8"))
    except UnicodeEncodeError:
        raise FormatError(f"the name {name!a} is no text in Unicode: rename the image") from None
    if not 1 <= size <= MAX_NAME:
        raise FormatError(f"a name has 1 to {MAX_NAME} bytes, found {size}")
    if "\\" in name or any(ord(c) < 32 or ord(c) == 127 for c in name):
        raise FormatError(f"a name has no backslash and no control character, found {name[:80]!a}")
    for part in name.split("/"):
        if part in ("", ".", "..") or len(part.encode("utf-8")) > MAX_NAME_PART:
            raise FormatError(
                f"a name is a relative path without '.', '..' and long parts, found {name[:80]!a}"
            )


def check_names(names: Iterable[str]) -> None:
    """Raise FormatError unless all names are good, no two are the same, and none is a folder in
    another.
    """
    found = sorted(name.split("/") for name in names)
    for parts in found:
        check_name("/".join(parts))
    for a, b in pairwise(found):
        if b[: len(a)] == a:
            raise FormatError(
                f"names differ and none is a folder in another, found {'/'.join(a)!a} and "
                f"{'/'.join(b)!a}"
            )


def check_geometry(where: str, pixel_format: int, width: int, height: int) -> None:
    """Raise FormatError, or VersionError on an unknown pixel format."""
    if pixel_format not in FORMATS:
        raise VersionError(
            f"{where}: pixel format {pixel_format} is unknown to this release: use a newer bbans"
        )
    require(f"{where}: width", width, 1, U32_MAX)
    require(f"{where}: height", height, 1, U32_MAX)


def check_group(where: str, group: ChainedGroup, models: int) -> None:
    """What of a chained group can be checked without its items."""
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
    """Raise FormatError unless a group of so many items may have its schedule."""
    require(f"{where}: items", items, 1, MAX_GROUP_ITEMS)
    require(f"{where}: samples", items * group.samples, 1, MAX_GROUP_SAMPLES)
    require(
        f"{where}: samples of all evaluations",
        items * group.samples * group.coding.evaluations,
        1,
        schemes.MAX_WEIGHTED_SAMPLES,
    )
    require(f"{where}: stretches", len(group.schedule), 1, MAX_STRETCHES)
    largest = max(
        1,
        min(
            MAX_BATCH,
            MAX_BATCH_SAMPLES // group.samples,
            MAX_BATCH_PARTICLES // group.coding.particles,
        ),
    )
    for s in group.schedule:
        require(f"{where}: batches", s.batches, 1, items)
        require(f"{where}: items of a batch", s.batch, 1, largest)
        require(
            f"{where}: kind of a stretch",
            s.kind,
            0,
            STRETCH_KINDS - 1 if group.unordered else STRETCH_KINDS - 2,
        )
        if s.lanes not in RUNGS:
            raise FormatError(f"{where}: lanes are one of {RUNGS}, found {s.lanes}")
    for a, b in pairwise(group.schedule):
        if b.lanes < a.lanes or (a.batch, a.lanes, a.kind) == (b.batch, b.lanes, b.kind):
            raise FormatError(
                f"{where}: a stretch differs from the one before it and has no fewer lanes, found "
                "another"
            )
    if (found := sum(s.batches * s.batch for s in group.schedule)) != items:
        raise FormatError(f"{where}: its stretches hold {found} items, the index lists {items}")
    rows = sum(s.batches * -(-s.batch * group.samples // s.lanes) for s in group.schedule)
    require(f"{where}: rows of symbols", rows, 1, MAX_ROWS)


def check_item(number: int, item: Item, groups: Sequence[Group]) -> None:
    """Raise FormatError unless an item keeps the rules; its name is left to `check_names`."""
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


def check_archive(archive: Archive) -> None:
    """Raise FormatError, or VersionError on what a newer release may know, unless the archive keeps
    the rules.
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
    default_latent = [
        n for n, model in enumerate(archive.models) if n not in needed and not model.size
    ]
    if default_latent:
        raise FormatError(
            f"a model is needed by a chained group or embedded, found {default_latent} that are "
            "neither"
        )
    check_names(item.name for item in archive.items)
