"""Write an archive: many images in one file, of which a latent chain's share a message so that only
the first pays.

Images that the model was not made for (other sizes, photographs) become complete single files
inside the same archive.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from bbans import images
from bbans.archives import models
from bbans.archives.build import Settings, build
from bbans.archives.members import Members, Reading, Source, named_images
from bbans.archives.models import ArchiveModel
from bbans.container.archive_writer import write_index
from bbans.container.schemes import PLAIN
from bbans.errors import InputError, OutputExistsError
from bbans.execution.executor import Execution, on_threads
from bbans.files import codec, urls
from bbans.models.library import ModelLike, load_model
from bbans.options import SchemeOptions
from bbans.schemes import registry

if TYPE_CHECKING:
    from bbans.execution.dask import Cluster

COPIED_AT_ONCE = 2**20


@dataclass(frozen=True)
class CreateResult:
    """Counts and sizes in bytes.

    `restart_bytes` is what the groups' first images and ends cost: it grows as groups get smaller.
    """

    items: int
    chained: int
    groups: int
    skipped: tuple[str, ...]
    raw_bytes: int
    file_bytes: int
    index_bytes: int
    model_bytes: int
    restart_bytes: float


def create_archive(
    output: Source,
    members: Members,
    *,
    model: ArchiveModel = None,
    file_model: ModelLike = None,
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

    output and members are paths or URLs (`urls`). members: a folder, image, `.npy`, `.npz` or idx
    file, or several of them (`images.open_set`; `shape` and `as_pixels` are its), or `(name,
    image)` pairs, each image what `compress` takes. `model` with a latent chain (a model's name,
    file or value) chains the images of its shape, `group` to a group: to get at one of them its
    group is decoded. Other images are coded one by one with `file_model`, or with `model` if that
    is no chain. `unordered` gives up their order within a group, and what it cost. `embed_model`
    puts the models into the archive, which then needs nothing else. `scheme` is one of
    `schemes.registry.NAMES` for the chain, of `particles` particles where it weights them, and
    `refine` steps of search for every image's posterior (`schemes.posterior_refinement`); the
    archive says all three, decoding needs none. With `verify` every group is decoded by other
    arithmetic and compared. `threads` groups and files are coded at once. The workers of a
    `cluster` (`cluster.connected`) code groups and files at once, of which twice as many as they
    have threads are in memory here; the bytes are the same. Raises InputError, OutputError,
    VerificationError.
    """
    place = urls.located(output)
    if not isinstance(place, Path):
        urls.check(place, overwrite)
    elif not overwrite and os.path.lexists(place):
        raise OutputExistsError(
            f"{place}: exists already: ask for overwriting (-f) or choose another name"
        )
    chain, single = models.models_for_writing(model, file_model)
    if chain is None and SchemeOptions(scheme, particles, refine).given:
        raise InputError(
            "a scheme, particles and refinement are for a latent chain; name a model of one "
            "with --model"
        )
    coding = (
        PLAIN
        if chain is None
        else registry.resolve_scheme(chain.capabilities, scheme, particles, refine)
    )

    @cache
    def compressor() -> Callable[[images.Image], bytes]:
        return codec.encoder(
            codec.CompressOptions(single(), verify=verify, execution=Execution(threads))
        )

    def to_file(image: images.Image) -> bytes:
        return compressor()(image)

    def embedded(model_id: bytes) -> bytes:
        if chain is not None and chain.id == model_id:
            if chain.to_bytes is None:
                raise InputError(
                    "the model was given without its file, so it cannot be embedded; leave "
                    "embed_model out"
                )
            return chain.to_bytes()
        return load_model(single()).to_bytes()

    with tempfile.TemporaryDirectory(prefix="bbans-") as folder, tempfile.TemporaryFile() as spool:
        named, skipped = named_images(members, Reading(shape, as_pixels, Path(folder)))
        settings = Settings(to_file, chain, coding, group, unordered, verify)
        spread = on_threads(settings, threads)
        if cluster is not None:
            spread = cluster.spread(
                models.settings_of,
                models.worker_request(chain, coding, single(), unordered, verify),
            )
        built = build(named, spool, settings, embedded if embed_model else None, spread)
        index = write_index(built.archive)
        file_bytes = len(index) + sum(map(len, built.models)) + spool.tell()
        spool.seek(0)
        images.atomic_write(
            local := _here(place, folder), _pieces((index, *built.models), spool), overwrite
        )
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


def _here(place: Path | str, folder: str) -> Path:
    """Where a file is written on this machine before it goes to its URL."""
    return place if isinstance(place, Path) else Path(folder, "archive")


def _pieces(first: Iterable[bytes], spool: BinaryIO) -> Iterator[bytes]:
    yield from first
    while piece := spool.read(COPIED_AT_ONCE):
        yield piece
