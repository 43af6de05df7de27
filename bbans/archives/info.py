"""What an archive holds, as values, as JSON and as lines for people."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from bbans.container import FORMATS
from bbans.container import archive_reader as reader
from bbans.container import archive_records as records


@dataclass(frozen=True)
class ItemInfo:
    """An image. `bytes` are those of its file, None in a chained group, whose images have no bytes
    of their own.
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
    """A group: `starters` are the images that pay for those after them; the last six are None in a
    group of files.
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
    """Facts of an archive. `models` are ids and the bytes of the embedded ones (0: not
    embedded).
    """

    version: int
    file_bytes: int
    raw_bytes: int
    index_bytes: int
    models: tuple[tuple[str, int], ...]
    groups: tuple[GroupInfo, ...]
    items: tuple[ItemInfo, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            **asdict(self),
            "models": [{"id": model_id, "embedded_bytes": size} for model_id, size in self.models],
        }

    def lines(self, each_item: bool = False) -> list[str]:
        """The same for people; with `each_item` also a line for every image."""
        share = self.file_bytes / self.raw_bytes
        lines = [
            f"{len(self.items)} images in {len(self.groups)} groups; format version "
            f"{self.version}; index {self.index_bytes} bytes"
        ]
        lines.append(f"total {self.file_bytes} bytes, {share:.1%} of the raw pixels")
        lines += [
            f"model {model_id[:16]}: {f'embedded, {size} bytes' if size else 'not embedded'}"
            for model_id, size in self.models
        ]
        for number, g in enumerate(self.groups):
            many = f" of {g.particles} particles" if g.particles and g.particles > 1 else ""
            many += f", refined by {g.refinement} steps" if g.refinement else ""
            more = (
                f", {g.scheme}{many}, {'unordered, ' if g.unordered else ''}{g.starters} starters"
                if g.scheme
                else ""
            )
            lines.append(f"group {number}: {g.kind}, {g.items} images, {g.bytes} bytes{more}")
        if each_item:
            lines += [
                f"{i.name}  {i.width} x {i.height} {i.pixel_format}, group {i.group}, number "
                f"{i.position}"
                for i in self.items
            ]
        return lines


def describe_archive(index: reader.ArchiveIndex, file_bytes: int) -> ArchiveInfo:
    """Facts of an archive of so many bytes."""
    archive = index.archive
    members = index.members()
    position = {number: at for group in members for at, number in enumerate(group)}
    ends = [*index.groups[1:], index.end]
    groups = [
        _group(group, len(inside), end - start, archive.models)
        for group, inside, start, end in zip(
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
            position[number],
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
    )


def _group(
    group: records.Group, items: int, size: int, models: tuple[records.ModelEntry, ...]
) -> GroupInfo:
    if not isinstance(group, records.ChainedGroup):
        return GroupInfo(records.KIND_NAMES[records.FILES], items, size)
    starters = sum(s.batches * s.batch for s in group.schedule if s.kind == 0)
    name, coding = records.KIND_NAMES[records.CHAINED], group.coding
    facts = (
        group.unordered,
        starters,
        models[group.model].id.hex(),
        coding.particles,
        coding.refinement,
    )
    return GroupInfo(name, items, size, coding.format.label, *facts)
