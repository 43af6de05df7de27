"""Properties of an archive as values, as JSON and as lines of text."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from bbans.container import FORMATS, stack_record
from bbans.container import archive_reader as reader
from bbans.container import archive_records as records


@dataclass(frozen=True)
class ItemInfo:
    """An image of an archive: name, size in pixels, pixel format, group, and position in the group.

    bytes: the size of its file; None in a chained group, whose images share one message.
    """

    name: str
    width: int
    height: int
    pixel_format: str
    group: int
    position: int
    metadata_chunks: int
    bytes: int | None


@dataclass(frozen=True)
class GroupInfo:
    """A group of an archive: its kind, number of images and size in bytes.

    starters: images that are coded first, with the default latents, so that the message holds the
    initial bits of the others. The fields from `scheme` on are None in a group of files.
    """

    kind: str
    items: int
    bytes: int
    scheme: str | None = None
    unordered: bool | None = None
    starters: int | None = None
    model_id: str | None = None
    particles: int | None = None
    refinement: int | None = None


@dataclass(frozen=True)
class ArchiveInfo:
    """Properties of an archive.

    stack: in words, the file that the images were, None if they were files of their own. models:
    pairs of a model's id in hexadecimal and the size of its embedded file in bytes, 0 if it
    is not embedded. index_bytes: size of everything before the models and groups.
    """

    version: int
    file_bytes: int
    raw_bytes: int
    index_bytes: int
    models: tuple[tuple[str, int], ...]
    groups: tuple[GroupInfo, ...]
    items: tuple[ItemInfo, ...]
    stack: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            **asdict(self),
            "models": [{"id": model_id, "embedded_bytes": size} for model_id, size in self.models],
        }

    def lines(self, each_item: bool = False) -> list[str]:
        """Return lines of text; with `each_item` also one for every image."""
        share = self.file_bytes / self.raw_bytes
        lines = [
            f"{len(self.items)} images in {len(self.groups)} groups; format version "
            f"{self.version}; index {self.index_bytes} bytes"
        ]
        if self.stack is not None:
            lines.insert(0, f"stack: {self.stack}")
        lines.append(f"total {self.file_bytes} bytes, {share:.1%} of the raw pixels")
        lines += [
            f"model {model_id[:16]}: {f'embedded, {size} bytes' if size else 'not embedded'}"
            for model_id, size in self.models
        ]
        for number, g in enumerate(self.groups):
            details = f" of {g.particles} particles" if g.particles and g.particles > 1 else ""
            details += f", refined by {g.refinement} steps" if g.refinement else ""
            coding = (
                f", {g.scheme}{details}, {'unordered, ' if g.unordered else ''}"
                f"{g.starters} starters"
                if g.scheme
                else ""
            )
            lines.append(f"group {number}: {g.kind}, {g.items} images, {g.bytes} bytes{coding}")
        if each_item:
            lines += [
                f"{i.name}  {i.width} x {i.height} {i.pixel_format}, group {i.group}, number "
                f"{i.position}"
                for i in self.items
            ]
        return lines


def describe_archive(index: reader.ArchiveIndex, file_bytes: int) -> ArchiveInfo:
    """Return the properties of an archive from its index and its size in bytes.

    Examples:
        >>> import pathlib, tempfile, numpy as np
        >>> from bbans.archives.create import create_archive
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     named_images = [("a", np.zeros((4, 4), np.uint8))]
        ...     _ = create_archive(f"{folder}/a.bbar", named_images, model="none")
        ...     data = pathlib.Path(folder, "a.bbar").read_bytes()
        >>> describe_archive(reader.read_archive_index(data), len(data)).items[0].name
        'a'
    """
    archive = index.archive
    members = index.members()
    positions = {number: position for group in members for position, number in enumerate(group)}
    ends = [*index.groups[1:], index.end]
    groups = [
        _group(group, len(numbers), end - start, archive.models)
        for group, numbers, start, end in zip(
            archive.groups, members, index.groups, ends, strict=True
        )
    ]
    items = tuple(
        ItemInfo(
            i.name,
            i.width,
            i.height,
            FORMATS[i.pixel_format].name,
            i.group,
            positions[number],
            len(i.metadata),
            i.size or None,
        )
        for number, i in enumerate(archive.items)
    )
    raw = sum(FORMATS[i.pixel_format].raw_bytes(i.height, i.width) for i in archive.items)
    models = tuple((model.id.hex(), model.size) for model in archive.models)
    return ArchiveInfo(
        records.VERSION,
        file_bytes,
        raw,
        (index.models or index.groups)[0],
        models,
        tuple(groups),
        items,
        None if archive.stack is None else _stack(archive),
    )


def _stack(archive: records.Archive) -> str:
    """Return what the images of a stack were."""
    stack = archive.stack
    assert stack is not None
    if stack.kind == stack_record.ARRAY:
        depth = FORMATS[archive.items[0].pixel_format].bit_depth
        return f"an array of {'bool' if depth == 1 else f'uint{depth}'} {stack.axes}"
    pages = len(stack_record.items_of_images(stack, archive.items))
    several = sum(len(page.extra) > 0 for page in stack.pages)
    more = f", {several} of more samples than an image has" if several else ""
    return f"a {stack_record.KINDS[stack.kind]} of {pages} pages{more}"


def _group(
    group: records.Group, items: int, size: int, models: tuple[records.ModelEntry, ...]
) -> GroupInfo:
    if not isinstance(group, records.ChainedGroup):
        return GroupInfo(records.KIND_NAMES[records.FILES], items, size)
    starters = sum(s.batches * s.batch for s in group.schedule if s.kind == 0)
    name, coding = records.KIND_NAMES[records.CHAINED], group.coding
    properties = (
        group.unordered,
        starters,
        models[group.model].id.hex(),
        coding.particles,
        coding.refinement,
    )
    return GroupInfo(name, items, size, coding.format.label, *properties)
