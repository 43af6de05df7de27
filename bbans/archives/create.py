"""Writing of archives: many images in one file. Images that fit a latent model share messages, so
that only the first images of a group pay initial bits.

Images that do not fit the model (other sizes, photographs) become complete single-image files
inside the same archive.
"""

from __future__ import annotations

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
from bbans.archives.taking import check_all, check_kept, read_members
from bbans.container.archive_writer import write_index
from bbans.container.schemes import PLAIN
from bbans.errors import InputError
from bbans.execution.executor import Execution, on_threads
from bbans.files import encoder, urls
from bbans.files.jpeg import with_jpegs
from bbans.images.atomic import check_free
from bbans.models.library import ModelLike, load_model
from bbans.options import Progress, SchemeOptions
from bbans.schemes import registry

if TYPE_CHECKING:
    from bbans.execution.dask import Cluster

COPIED_AT_ONCE = 2**20
"""Bytes of a piece in which payloads are copied from the spool."""


@dataclass(frozen=True)
class CreateResult:
    """Counts of images and groups, and sizes in bytes.

    items: all images; chained: those in chained groups. not_taken: files that are not in the
    archive, each with the reason. raw_bytes: size of all uncompressed samples. index_bytes,
    model_bytes: parts of file_bytes.
    restart_bytes: extra bytes of the groups' first images and of their ends; more with smaller
    groups.
    """

    items: int
    chained: int
    groups: int
    not_taken: tuple[images.NotTaken, ...]
    raw_bytes: int
    file_bytes: int
    index_bytes: int
    model_bytes: int
    restart_bytes: float

    @property
    def skipped(self) -> tuple[str, ...]:
        """The names of the files that are left out.

        Examples:
            >>> others = (images.NotTaken("a", "in/a", "not an image", False),)
            >>> CreateResult(1, 0, 1, others, 6, 80, 40, 0, 0.0).skipped
            ('a',)
        """
        return tuple(other.name for other in self.not_taken)


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
    strict: bool = False,
    shape: tuple[int, int] | None = None,
    threads: int | None = None,
    cluster: Cluster | None = None,
    progress: Progress | None = None,
) -> CreateResult:
    """Write an archive of images and return counts and sizes.

    output: a path or URL. members: a folder, an image, `.npy`, `.npz` or idx file, or several of
    them, by paths or URLs; or pairs `(name, image)`, where image is an array, a Pillow image, an
    `images.Image` or an `images.JpegFile`. A JPEG is kept so that it comes back byte for byte.
    shape `(H, W)`: of images that arrays hold flat. as_pixels: code the decoded pixels of lossy
    files, JPEGs among them.

    Files that cannot be read, are no images or have a name that an archive cannot hold are left out
    and returned, each with its reason, unless none is left. strict: read all files before any work,
    and raise InputError on the first of these. Values in pairs are never left out.

    model: name, file or value. A latent model of whole images codes those of its shape in chained
    groups of up to `group` images, which are decoded together; other images are coded one by one
    with `file_model` (default: the photograph model). Any other model codes all images one by one.

    scheme (one of `schemes.registry.NAMES`), particles (of a scheme with importance weights) and
    refine (steps of posterior refinement) say how the latent model codes; the archive records them.
    unordered: give up the order within groups, which saves log2 n! bits for n images. embed_model:
    put the needed models into the archive. verify: decode every group and file on other arithmetic
    and compare. threads: how many groups and files are coded in parallel. cluster: workers that
    code them (`execution.dask.connected`), with twice as many in memory here as they have threads.
    The bytes do not depend on the last three. progress: called with "coded", the number of images
    done, and that of all, if members are files.

    Raises InputError on values, names and options that cannot be coded, ModelError,
    VerificationError, OutputExistsError unless `overwrite`, and OutputError.

    Examples:
        >>> import tempfile, numpy as np
        >>> named_images = [("a", np.zeros((4, 4), np.uint8)), ("b", np.ones((2, 3), np.uint8))]
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     create_archive(f"{folder}/two.bbar", named_images, model="none").items
        2
    """
    place = urls.located(output)
    if not isinstance(place, Path):
        urls.check(place, overwrite)
    else:
        check_free(place, overwrite)
    latent_model, file_model_of = models.models_for_writing(model, file_model)
    if latent_model is None and SchemeOptions(scheme, particles, refine).given:
        raise InputError(
            "a scheme, particles and refinement are for a latent chain; name a model of one "
            "with --model"
        )
    coding = (
        PLAIN
        if latent_model is None
        else registry.resolve_scheme(latent_model.capabilities, scheme, particles, refine)
    )

    @cache
    def compressor() -> Callable[[images.Image], bytes]:
        """Return the encoder of single-image files, whose model is loaded on first use."""
        return encoder.encoder(
            encoder.CompressOptions(file_model_of(), verify=verify, execution=Execution(threads))
        )

    to_file = with_jpegs(lambda image: compressor()(image))

    def embedded(model_id: bytes) -> bytes:
        """Return the file of the model with this id."""
        if latent_model is not None and latent_model.id == model_id:
            if latent_model.to_bytes is None:
                raise InputError(
                    "the model was given without its file, so it cannot be embedded; leave "
                    "embed_model out"
                )
            return latent_model.to_bytes()
        return load_model(file_model_of()).to_bytes()

    with tempfile.TemporaryDirectory(prefix="bbans-") as folder, tempfile.TemporaryFile() as spool:
        found, others = named_images(members, Reading(shape, as_pixels, Path(folder)))
        check_kept(place, found)
        if strict:
            check_all(found, others)
        not_taken = list(others)
        named = read_members(found, not_taken)
        settings = Settings(to_file, latent_model, coding, group, unordered, verify)
        spread = on_threads(settings, threads)
        if cluster is not None:
            spread = cluster.spread(
                models.settings_of,
                models.worker_request(latent_model, coding, file_model_of(), unordered, verify),
            )
        count = len(found) if isinstance(found, list) else None

        def report(coded: int) -> None:
            if progress is not None and count is not None:
                progress("coded", coded + len(not_taken) - len(others), count)

        built = build(named, spool, settings, embedded if embed_model else None, spread, report)
        index = write_index(built.archive)
        file_bytes = len(index) + sum(map(len, built.models)) + spool.tell()
        spool.seek(0)
        images.atomic_write(
            local := _local_path(place, folder), _pieces((index, *built.models), spool), overwrite
        )
        if not isinstance(place, Path):
            urls.write(place, local, overwrite)
    chained = sum(item.size == 0 for item in built.archive.items)
    return CreateResult(
        items=len(built.archive.items),
        chained=chained,
        groups=len(built.archive.groups),
        not_taken=tuple(not_taken),
        raw_bytes=built.raw_bytes,
        file_bytes=file_bytes,
        index_bytes=len(index),
        model_bytes=sum(map(len, built.models)),
        restart_bytes=built.restart_bits / 8,
    )


def _local_path(place: Path | str, folder: str) -> Path:
    """Return the local path of an output: itself, or a temporary file that is copied to its URL."""
    return place if isinstance(place, Path) else Path(folder, "archive")


def _pieces(first: Iterable[bytes], spool: BinaryIO) -> Iterator[bytes]:
    yield from first
    while piece := spool.read(COPIED_AT_ONCE):
        yield piece
