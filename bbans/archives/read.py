"""Reading of archives: their index, their images by name, and extraction to files."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from bbans import container, images
from bbans.archives import models
from bbans.archives.info import ArchiveInfo, describe_archive
from bbans.archives.members import Source
from bbans.archives.models import ArchiveModel
from bbans.archives.restore import Lost, Sources, restore
from bbans.container import archive_reader as reader
from bbans.container.archive_records import MAX_ITEMS, FilesGroup
from bbans.errors import FormatError, InputError, OutputError, OutputExistsError
from bbans.files import storage, urls
from bbans.files.jpeg import ImageOrJpeg, restored_file
from bbans.images.formats.registry import FORMATS

HEADER_BYTES = 67
"""Bytes of a file that hold its header."""
NOT_IN_WINDOWS_NAMES = ':*?"<>|'


@dataclass(frozen=True)
class ExtractResult:
    """Paths of the written files, and the missing images of a damaged archive."""

    written: tuple[Path, ...]
    lost: tuple[Lost, ...]


def list_archive(path: Source | bytes, *, max_items: int = MAX_ITEMS) -> ArchiveInfo:
    """Return the properties of an archive, read from its index without decoding or a model.

    path: a path or URL, or bytes. Raises InputError if it cannot be read, and FormatError on
    damage, of which LimitError if it claims more than `max_items` images.

    Examples:
        >>> import bbans, tempfile, numpy as np
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     named_images = [("a", np.zeros((4, 4), np.uint8))]
        ...     _ = bbans.create_archive(f"{folder}/a.bbar", named_images, model="none")
        ...     [item.name for item in list_archive(f"{folder}/a.bbar").items]
        ['a']
    """
    with storage.open_buffer(_opened(path)) as data:
        return describe_archive(reader.read_archive_index(data, max_items), len(data))


def read_archive(
    path: Source | bytes,
    names: Collection[str] | None = None,
    *,
    model: ArchiveModel = None,
    lost: list[Lost] | None = None,
    threads: int | None = None,
    max_pixels: int = container.DEFAULT_MAX_PIXELS,
    max_items: int = MAX_ITEMS,
) -> Iterator[tuple[str, images.Image]]:
    """Yield `(name, image)` of all images of an archive, or of those in `names`, group by group.

    path: a path or URL, of which only the needed groups are read. model: looked up by its id before
    embedded models and those of the search path. threads: how many tiles of a single-image file are
    decoded in parallel. lost: a list that receives the images that cannot be decoded; if None, the
    first such image raises FormatError.

    Raises InputError on names that the archive does not have, FormatError on damage, of which
    LimitError if it claims more than `max_items` images or an image of more than `max_pixels`
    pixels, and ModelNotFoundError.

    Examples:
        >>> import bbans, tempfile, numpy as np
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     named_images = [("a", np.zeros((4, 4), np.uint8)), ("b", np.ones((1, 2), np.uint8))]
        ...     _ = bbans.create_archive(f"{folder}/two.bbar", named_images, model="none")
        ...     [image.pixels.tolist() for _, image in read_archive(f"{folder}/two.bbar", ["b"])]
        [[[1, 1]]]
    """
    with storage.open_buffer(_opened(path)) as data:
        index = reader.read_archive_index(data, max_items, whole=lost is None)
        requested = _requested(index, names)
        for number, image in restore(
            data,
            index,
            models.models_for_reading(data, index, model, threads, max_pixels),
            requested,
            lost,
        ):
            yield index.archive.items[number].name, image


def verify_archive(
    path: Source | bytes,
    *,
    model: ArchiveModel = None,
    threads: int | None = None,
    max_pixels: int = container.DEFAULT_MAX_PIXELS,
    max_items: int = MAX_ITEMS,
) -> None:
    """Decode every image of an archive and verify its structure and all its checksums.

    path: a path or URL, or bytes. Raises as `read_archive` does.

    Examples:
        >>> import bbans, tempfile, numpy as np
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     named_images = [("a", np.zeros((4, 4), np.uint8))]
        ...     _ = bbans.create_archive(f"{folder}/a.bbar", named_images, model="none")
        ...     verify_archive(f"{folder}/a.bbar")
    """
    for _ in read_archive(
        path, model=model, threads=threads, max_pixels=max_pixels, max_items=max_items
    ):
        pass


def _opened(path: Source | bytes) -> str | bytes:
    return path if isinstance(path, bytes) else os.fspath(path)


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
    """Extract all images of an archive, or those in `names`, to files below the folder `output`.

    path: a path or URL; output: a local folder. format: the kind of image files, whose suffix is
    appended to names that lack it; by default images become PNG, or for what it cannot hold
    `images.default_format`, and a JPEG comes back as it was. overwrite: replace existing files.
    Files have the permission bits of a local archive. model: looked up by its id before embedded
    models and those of the search path. keep_going: leave out images that cannot be decoded and
    return them.

    Raises OutputExistsError before anything is written, OutputError, InputError on names that the
    archive does not have, FormatError on damage, of which LimitError if it claims more than
    `max_items` images or an image of more than `max_pixels` pixels, and ModelNotFoundError.

    Examples:
        >>> import bbans, tempfile, numpy as np
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     named_images = [("a", np.zeros((4, 4), np.uint8))]
        ...     _ = bbans.create_archive(f"{folder}/a.bbar", named_images, model="none")
        ...     [path.name for path in extract_archive(f"{folder}/a.bbar", output=folder).written]
        ['a.png']
    """
    if not isinstance(urls.located(output), Path):
        raise OutputError(f"{output}: images are extracted to a folder of this machine; choose one")
    root, lost, written = Path(urls.located(output)), list[Lost](), list[Path]()
    mode = storage.mode_of(os.fspath(path))
    with storage.open_buffer(os.fspath(path)) as data:
        index = reader.read_archive_index(data, max_items, whole=not keep_going)
        requested = _requested(index, names)
        targets = _targets(data, index, requested, root, format, overwrite)
        _check_kept(path, targets.values())
        sources = models.models_for_reading(data, index, model, threads, max_pixels)
        files = _with_jpegs(sources, max_pixels, as_they_were=format is None)
        for number, image in restore(data, index, files, requested, lost if keep_going else None):
            target = targets[number]
            _make_folder(root, target.parent)
            kind = format
            if kind is None and not isinstance(image, images.JpegFile):
                kind = images.default_format(image)
                if kind != "PNG":
                    target = _named_by_kind(root, index.archive.items[number].name, kind, written)
            images.atomic_write(target, _file_bytes(image, target, kind), overwrite, mode)
            written.append(target)
    return ExtractResult(tuple(written), tuple(lost))


def _file_bytes(image: ImageOrJpeg, target: Path, format: str | None) -> bytes:
    """Return the bytes of the file of an image."""
    if isinstance(image, images.JpegFile):
        return image.data
    buffer = BytesIO()
    try:
        images.write_image(image, buffer, format=format or "PNG")
    except InputError as error:
        raise FormatError(
            f"{target}: the archive carries metadata that no image may have: {error}"
        ) from error
    return buffer.getvalue()


def _with_jpegs(
    sources: Sources[images.Image], max_pixels: int, as_they_were: bool
) -> Sources[ImageOrJpeg]:
    """Return sources that restore a JPEG as the file that it was, if `as_they_were`."""

    def file(raw: bytes) -> ImageOrJpeg:
        if as_they_were and container.read_header(raw, max_pixels).has_jpeg:
            return restored_file(raw, container.read_index(raw, max_pixels))
        return sources.image(raw)

    return Sources(sources.model, file)


def _holds_jpeg(data: container.Buffer, index: reader.ArchiveIndex, number: int) -> bool:
    """Return whether the file of an item holds a JPEG; of a damaged one that is found out later."""
    item, start = index.archive.items[number], index.items[number]
    if not isinstance(index.archive.groups[item.group], FilesGroup):
        return False
    try:
        return container.read_header(
            data[start : start + HEADER_BYTES], container.ANY_SIZE
        ).has_jpeg
    except FormatError:
        return False


def _requested(index: reader.ArchiveIndex, names: Collection[str] | None) -> frozenset[int] | None:
    """Return the numbers of the named items, None for all. Raises InputError on unknown names."""
    if names is None:
        return None
    numbers = {item.name: number for number, item in enumerate(index.archive.items)}
    if missing := [name for name in names if name not in numbers]:
        more = f" and {len(missing) - 1} others" if len(missing) > 1 else ""
        raise InputError(f"the archive has no {missing[0]!a}{more}; list its names")
    return frozenset(numbers[name] for name in names)


def _targets(
    data: container.Buffer,
    index: reader.ArchiveIndex,
    requested: Collection[int] | None,
    root: Path,
    format: str | None,
    overwrite: bool,
) -> dict[int, Path]:
    """Return the path of every image by its number, checked before anything is written."""
    asked = (f".{(format or 'PNG').lower()}",)
    targets: dict[int, Path] = {}
    used: set[Path] = set()
    for number in range(len(index.archive.items)) if requested is None else sorted(requested):
        name = index.archive.items[number].name
        if os.sep == "\\" and set(name) & set(NOT_IN_WINDOWS_NAMES):
            raise OutputError(f"{name!a} cannot be a file's name here; read it with read_archive")
        jpeg = format is None and _holds_jpeg(data, index, number)
        suffixes = FORMATS["JPEG"].suffixes if jpeg else asked
        target = root / _with_suffix(name, suffixes)
        if target in used:
            raise OutputError(
                f"two images would be written to {target}: extract them by name, one after the "
                "other"
            )
        if not overwrite and os.path.lexists(target):
            raise OutputExistsError(
                f"{target}: exists already: ask for overwriting (-f) or choose another folder"
            )
        used.add(target)
        targets[number] = target
    return targets


def _with_suffix(name: str, suffixes: tuple[str, ...]) -> str:
    """Return a name with the first of the suffixes unless it has one of them."""
    return name if name.lower().endswith(suffixes) else name + suffixes[0]


def _named_by_kind(root: Path, name: str, kind: str, written: Collection[Path]) -> Path:
    """Return the path of an image that PNG cannot hold."""
    target = root / _with_suffix(name, FORMATS[kind].suffixes)
    if target in written:
        raise OutputError(
            f"two images would be written to {target}: extract them by name, one after the other"
        )
    return target


def _check_kept(archive: Source, targets: Iterable[Path]) -> None:
    """Raise OutputError if an image would be written over the archive."""
    place = urls.located(archive)
    if isinstance(place, Path) and os.path.realpath(place) in map(os.path.realpath, targets):
        raise OutputError(f"{place}: is the archive, which is kept: choose another folder")


def _make_folder(root: Path, folder: Path) -> None:
    """Make a folder below the root. Raises OutputError if an existing link leads out of it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        inside = folder.resolve().is_relative_to(root.resolve())
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made: {error.strerror}") from error
    if not inside:
        raise OutputError(f"{folder} leads out of {root}: remove the link or choose another folder")
