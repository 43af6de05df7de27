"""Read an archive: what it holds, its images by name, its images as files."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from bbans import container, images
from bbans.archives import models
from bbans.archives.info import ArchiveInfo, describe_archive
from bbans.archives.members import Source
from bbans.archives.models import ArchiveModel
from bbans.archives.restore import Lost, restore
from bbans.container import archive_reader as reader
from bbans.container.archive_records import MAX_ITEMS
from bbans.errors import FormatError, InputError, OutputError, OutputExistsError
from bbans.files import storage, urls

NOT_IN_WINDOWS_NAMES = ':*?"<>|'


@dataclass(frozen=True)
class ExtractResult:
    """The files written, and the images of a damaged archive that are missing."""

    written: tuple[Path, ...]
    lost: tuple[Lost, ...]


def list_archive(path: Source, *, max_items: int = MAX_ITEMS) -> ArchiveInfo:
    """What an archive holds, from its index alone: no image is decoded and no model needed.

    Raises FormatError, of which LimitError where it claims more than `max_items` images, and
    InputError.
    """
    with storage.open_buffer(os.fspath(path)) as data:
        return describe_archive(reader.read_archive_index(data, max_items), len(data))


def read_archive(
    path: Source,
    names: Collection[str] | None = None,
    *,
    model: ArchiveModel = None,
    lost: list[Lost] | None = None,
    threads: int | None = None,
    max_pixels: int = container.DEFAULT_MAX_PIXELS,
    max_items: int = MAX_ITEMS,
) -> Iterator[tuple[str, images.Image]]:
    """`(name, image)` of all images or of those named, group by group; other groups are not read.

    Raises InputError on names that are not there, FormatError on damage, LimitError before memory
    is taken for more than `max_items` images or an image of more than `max_pixels`,
    ModelNotFoundError. With `lost` images of damaged groups are added to it instead, and the others
    go on.
    """
    with storage.open_buffer(os.fspath(path)) as data:
        index = reader.read_archive_index(data, max_items, whole=lost is None)
        wanted = _wanted(index, names)
        for number, image in restore(
            data, index, models.models_for_reading(data, index, model, threads, max_pixels), wanted, lost
        ):
            yield index.archive.items[number].name, image


def extract_archive(
    path: Source,
    names: Collection[str] | None = None,
    *,
    output: Source = ".",
    model: ArchiveModel = None,
    overwrite: bool = False,
    format: str | None = None,
    keep_going: bool = False,
    threads: int | None = None,
    max_pixels: int = container.DEFAULT_MAX_PIXELS,
    max_items: int = MAX_ITEMS,
) -> ExtractResult:
    """Restore all images or those named below the folder `output`, as PNG unless `format` says
    otherwise.

    A name without the format's suffix gets it appended. With `keep_going` images of damaged groups
    are left out and returned. Raises OutputExistsError before anything is written, OutputError, and
    what `read_archive` raises.
    """
    kind = format or "PNG"
    if not isinstance(urls.located(output), Path):
        raise OutputError(f"{output}: images are extracted to a folder of this machine; choose one")
    root, lost, written = Path(urls.located(output)), list[Lost](), list[Path]()
    with storage.open_buffer(os.fspath(path)) as data:
        index = reader.read_archive_index(data, max_items, whole=not keep_going)
        wanted = _wanted(index, names)
        targets = _targets(index, wanted, root, kind, overwrite)
        sources = models.models_for_reading(data, index, model, threads, max_pixels)
        for number, image in restore(data, index, sources, wanted, lost if keep_going else None):
            target = targets[number]
            _make_folder(root, target.parent)
            buffer = BytesIO()
            try:
                images.write_image(image, buffer, format=kind)
            except InputError as error:
                raise FormatError(
                    f"{target}: the archive carries metadata that no image may have: {error}"
                ) from error
            images.atomic_write(target, buffer.getvalue(), overwrite)
            written.append(target)
    return ExtractResult(tuple(written), tuple(lost))


def _wanted(index: reader.ArchiveIndex, names: Collection[str] | None) -> frozenset[int] | None:
    if names is None:
        return None
    numbers = {item.name: number for number, item in enumerate(index.archive.items)}
    if missing := [name for name in names if name not in numbers]:
        more = f" and {len(missing) - 1} others" if len(missing) > 1 else ""
        raise InputError(f"the archive has no {missing[0]!a}{more}; list its names")
    return frozenset(numbers[name] for name in names)


def _targets(
    index: reader.ArchiveIndex,
    wanted: Collection[int] | None,
    root: Path,
    kind: str,
    overwrite: bool,
) -> dict[int, Path]:
    """Where every image goes, checked before the first is written."""
    suffix = f".{kind.lower()}"
    targets: dict[int, Path] = {}
    taken: set[Path] = set()
    for number in range(len(index.archive.items)) if wanted is None else sorted(wanted):
        name = index.archive.items[number].name
        if os.sep == "\\" and set(name) & set(NOT_IN_WINDOWS_NAMES):
            raise OutputError(f"{name!a} cannot be a file's name here; read it with read_archive")
        target = root / (name if name.lower().endswith(suffix) else name + suffix)
        if target in taken:
            raise OutputError(
                f"two images would be written to {target}: extract them by name, one after the "
                "other"
            )
        if not overwrite and os.path.lexists(target):
            raise OutputExistsError(
                f"{target}: exists already: ask for overwriting (-f) or choose another folder"
            )
        taken.add(target)
        targets[number] = target
    return targets


def _make_folder(root: Path, folder: Path) -> None:
    """Make a folder below the root.

    Raises OutputError if a link that is there already leads out of it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        inside = folder.resolve().is_relative_to(root.resolve())
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made: {error.strerror}") from error
    if not inside:
        raise OutputError(f"{folder} leads out of {root}: remove the link or choose another folder")
