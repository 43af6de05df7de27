"""The public functions for archives: many images in one file, of which a chain model's share a message so that only the first pays.

Images that the model was not made for (other sizes, photographs) become complete single files inside the same archive.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from bbans import api, archive, images, places, urls
from bbans import archives_models as models
from bbans import container as files
from bbans.archive import Lost
from bbans.archives_info import ArchiveInfo, describe_archive
from bbans.archives_members import Members, Reading, Source, named_images
from bbans.archives_models import ArchiveModel
from bbans.container import archive_reader as reader
from bbans.container.archive_records import MAX_ITEMS
from bbans.container.archive_writer import write_index
from bbans.errors import FormatError, InputError, OutputError, OutputExistsError
from bbans.spread import on_threads

if TYPE_CHECKING:
    from bbans.cluster import Cluster

COPIED_AT_ONCE = 2**20
NOT_IN_WINDOWS_NAMES = ':*?"<>|'


@dataclass(frozen=True)
class CreateResult:
    """Counts and sizes in bytes. `restart_bytes` is what the groups' first images and ends cost: it grows as groups get smaller."""

    items: int
    chained: int
    groups: int
    skipped: tuple[str, ...]
    raw_bytes: int
    file_bytes: int
    index_bytes: int
    model_bytes: int
    restart_bytes: float


@dataclass(frozen=True)
class ExtractResult:
    """The files written, and the images of a damaged archive that are missing."""

    written: tuple[Path, ...]
    lost: tuple[Lost, ...]


def create_archive(
    output: Source,
    members: Members,
    *,
    model: ArchiveModel = None,
    file_model: api.ModelLike = None,
    group: int = 1000,
    unordered: bool = False,
    embed_model: bool = False,
    scheme: str | None = None,
    particles: int | None = None,
    refine: int | None = None,
    verify: bool = True,
    overwrite: bool = False,
    as_pixels: bool = False,
    shape: tuple[int, int] | None = None,
    threads: int | None = None,
    cluster: Cluster | None = None,
) -> CreateResult:
    """Write an archive of images and say what it cost.

    output and members are paths or URLs (`urls`).
    members: a folder, image, `.npy`, `.npz` or idx file, or several of them (`images.open_set`; `shape` and `as_pixels` are its),
    or `(name, image)` pairs, each image what `compress` takes. `model` with a latent chain (a model's name, file or value)
    chains the images of its shape, `group` to a group: to get at one of them its group is decoded. Other images are coded one by
    one with `file_model`, or with `model` if that is no chain. `unordered` gives up their
    order within a group, and what it cost. `embed_model` puts the models into the archive, which then needs nothing else.
    `scheme` is one of `schemes.names.NAMES` for the chain, of `particles` particles where it weights them, and
    `refine` steps of search for every image's posterior (`schemes.refined`); the archive says all three, decoding needs none.
    With `verify` every group is decoded by other arithmetic and compared.
    `threads` groups and files are coded at once. The workers of a `cluster` (`cluster.connected`) code groups and files at once,
    of which twice as many as they have threads are in memory here; the bytes are the same. Raises InputError, OutputError,
    VerificationError.
    """
    place = urls.located(output)
    if not isinstance(place, Path):
        urls.check(place, overwrite)
    elif not overwrite and os.path.lexists(place):
        raise OutputExistsError(f"{place}: exists already: ask for overwriting (-f) or choose another name")
    chain, single = models.to_write(model, file_model)
    if scheme is not None or particles is not None or refine:
        if chain is None:
            raise InputError("a scheme, particles and refinement are for a latent chain; name a model of one with --model")
        chain = archive.with_scheme(chain, scheme, particles, refine)

    @cache
    def compressor() -> Callable[[images.Image], bytes]:
        return api.compressor(single(), verify=verify, threads=threads)

    def to_file(image: images.Image) -> bytes:
        return compressor()(image)

    def embedded(model_id: bytes) -> bytes:
        if chain is not None and chain.id == model_id:
            if chain.file is None:
                raise InputError("the model was given without its file, so it cannot be embedded; leave embed_model out")
            return chain.file()
        return archive.model_file(api.load_model(single()))

    with tempfile.TemporaryDirectory(prefix="bbans-") as folder, tempfile.TemporaryFile() as spool:
        named, skipped = named_images(members, Reading(shape, as_pixels, Path(folder)))
        settings = archive.Settings(to_file, chain, group, unordered, verify)
        spread = on_threads(settings, threads)
        if cluster is not None:
            spread = cluster.spread(models.settings_of, models.recipe(chain, single(), unordered, verify))
        built = archive.build(named, spool, settings, embedded if embed_model else None, spread)
        index = write_index(built.archive)
        file_bytes = len(index) + sum(map(len, built.models)) + spool.tell()
        spool.seek(0)
        images.atomic_write(local := _here(place, folder), _pieces((index, *built.models), spool), overwrite)
        if not isinstance(place, Path):
            urls.write(place, local, overwrite)
    chained = sum(item.size == 0 for item in built.archive.items)
    return CreateResult(
        items=len(built.archive.items),
        chained=chained,
        groups=len(built.archive.groups),
        skipped=skipped,
        raw_bytes=built.raw_bytes,
        file_bytes=file_bytes,
        index_bytes=len(index),
        model_bytes=sum(map(len, built.models)),
        restart_bytes=built.restart_bits / 8,
    )


def list_archive(path: Source, *, max_items: int = MAX_ITEMS) -> ArchiveInfo:
    """What an archive holds, from its index alone: no image is decoded and no model needed.

    Raises FormatError, of which LimitError where it claims more than `max_items` images, and InputError.
    """
    with places.opened(os.fspath(path)) as data:
        return describe_archive(reader.read_archive_index(data, max_items), len(data))


def read_archive(
    path: Source,
    names: Collection[str] | None = None,
    *,
    model: ArchiveModel = None,
    lost: list[Lost] | None = None,
    threads: int | None = None,
    max_pixels: int = files.DEFAULT_MAX_PIXELS,
    max_items: int = MAX_ITEMS,
) -> Iterator[tuple[str, images.Image]]:
    """`(name, image)` of all images or of those named, group by group; other groups are not read.

    Raises InputError on names that are not there, FormatError on damage, LimitError before memory is taken for more than `max_items`
    images or an image of more than `max_pixels`, ModelNotFoundError. With `lost` images of damaged groups are added to it instead,
    and the others go on.
    """
    with places.opened(os.fspath(path)) as data:
        index = reader.read_archive_index(data, max_items, whole=lost is None)
        wanted = _wanted(index, names)
        for number, image in archive.restore(data, index, models.to_read(data, index, model, threads, max_pixels), wanted, lost):
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
    max_pixels: int = files.DEFAULT_MAX_PIXELS,
    max_items: int = MAX_ITEMS,
) -> ExtractResult:
    """Restore all images or those named below the folder `output`, as PNG unless `format` says otherwise.

    A name without the format's suffix gets it appended. With `keep_going` images of damaged groups are left out and returned.
    Raises OutputExistsError before anything is written, OutputError, and what `read_archive` raises.
    """
    kind = format or "PNG"
    if not isinstance(urls.located(output), Path):
        raise OutputError(f"{output}: images are extracted to a folder of this machine; choose one")
    root, lost, written = Path(urls.located(output)), list[Lost](), list[Path]()
    with places.opened(os.fspath(path)) as data:
        index = reader.read_archive_index(data, max_items, whole=not keep_going)
        wanted = _wanted(index, names)
        targets = _targets(index, wanted, root, kind, overwrite)
        sources = models.to_read(data, index, model, threads, max_pixels)
        for number, image in archive.restore(data, index, sources, wanted, lost if keep_going else None):
            target = targets[number]
            _make_folder(root, target.parent)
            buffer = BytesIO()
            try:
                images.write_image(image, buffer, format=kind)
            except InputError as error:
                raise FormatError(f"{target}: the archive carries metadata that no image may have: {error}") from error
            images.atomic_write(target, buffer.getvalue(), overwrite)
            written.append(target)
    return ExtractResult(tuple(written), tuple(lost))


def _here(place: Path | str, folder: str) -> Path:
    """Where a file is written on this machine before it goes to its URL."""
    return place if isinstance(place, Path) else Path(folder, "archive")


def _pieces(first: Iterable[bytes], spool: BinaryIO) -> Iterator[bytes]:
    yield from first
    while piece := spool.read(COPIED_AT_ONCE):
        yield piece


def _wanted(index: reader.ArchiveIndex, names: Collection[str] | None) -> frozenset[int] | None:
    if names is None:
        return None
    numbers = {item.name: number for number, item in enumerate(index.archive.items)}
    if missing := [name for name in names if name not in numbers]:
        more = f" and {len(missing) - 1} others" if len(missing) > 1 else ""
        raise InputError(f"the archive has no {missing[0]!a}{more}; list its names")
    return frozenset(numbers[name] for name in names)


def _targets(index: reader.ArchiveIndex, wanted: Collection[int] | None, root: Path, kind: str, overwrite: bool) -> dict[int, Path]:
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
            raise OutputError(f"two images would be written to {target}: extract them by name, one after the other")
        if not overwrite and os.path.lexists(target):
            raise OutputExistsError(f"{target}: exists already: ask for overwriting (-f) or choose another folder")
        taken.add(target)
        targets[number] = target
    return targets


def _make_folder(root: Path, folder: Path) -> None:
    """Make a folder below the root. Raises OutputError if a link that is there already leads out of it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        inside = folder.resolve().is_relative_to(root.resolve())
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made: {error.strerror}") from error
    if not inside:
        raise OutputError(f"{folder} leads out of {root}: remove the link or choose another folder")
