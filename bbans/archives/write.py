"""Writing of an archive's file: models, groups on threads or a cluster, index and payloads."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from bbans import images
from bbans.archives import models
from bbans.archives.build import Built, Settings, build
from bbans.archives.members import Named, Source
from bbans.archives.models import ArchiveModel
from bbans.container.archive_writer import write_index
from bbans.container.schemes import PLAIN
from bbans.container.stack_record import Stack
from bbans.errors import InputError
from bbans.execution.executor import Execution, on_threads
from bbans.files import encoder, urls
from bbans.files.jpeg import with_jpegs
from bbans.images.atomic import check_free
from bbans.models.library import ModelLike, load_model
from bbans.options import SchemeOptions
from bbans.schemes import registry

if TYPE_CHECKING:
    from bbans.execution.dask import Cluster

COPIED_AT_ONCE = 2**20
"""Bytes of a piece in which payloads are copied from the spool."""


@dataclass(frozen=True)
class Writing:
    """How an archive is written: the options of `archives.create.create_archive`.

    effort, model_only: of single-image files. mode: permission bits of a local file; None: those of
    the umask. progress: called with the number of images that are coded.
    """

    model: ArchiveModel = None
    file_model: ModelLike = None
    group: int = 1000
    unordered: bool = False
    embed_model: bool = False
    scheme: SchemeOptions = encoder.DEFAULT_SCHEME
    verify: bool = True
    overwrite: bool = False
    threads: int | None = None
    cluster: Cluster | None = None
    effort: str = "default"
    model_only: bool = False
    mode: int | None = None
    progress: Callable[[int], None] | None = None


@dataclass(frozen=True)
class Written:
    """An archive that was written, and the bytes of its file and of what stands before payloads."""

    built: Built
    file_bytes: int
    index_bytes: int


def write_archive(
    output: Source,
    read: Callable[[Path], Named],
    writing: Writing,
    stack: Callable[[], Stack] | None = None,
) -> Written:
    """Write the images that `read` yields, by name, given a temporary folder, to a path or URL.

    stack: returns the record of the stack that the images are, after the last of them. Raises as
    `create_archive` does.

    Examples:
        >>> import numpy as np
        >>> image = images.from_array(np.zeros((4, 4), np.uint8))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "a.bbar")
        ...     write_archive(path, lambda _: iter([("a", image)]), Writing("none")).index_bytes
        30
    """
    place = urls.located(output)
    if not isinstance(place, Path):
        urls.check(place, writing.overwrite)
    else:
        check_free(place, writing.overwrite)
    latent_model, file_model_of = models.models_for_writing(writing.model, writing.file_model)
    if latent_model is None and writing.scheme.given:
        raise InputError(
            "a scheme, particles and refinement are for a latent chain; name a model of one "
            "with --model"
        )
    coding = (
        PLAIN
        if latent_model is None
        else registry.resolve_scheme(
            latent_model.capabilities,
            writing.scheme.scheme,
            writing.scheme.particles,
            writing.scheme.refine,
        )
    )

    @cache
    def compressor() -> Callable[[images.Image], bytes]:
        """Return the encoder of single-image files, whose model is loaded on first use."""
        return encoder.encoder(
            encoder.CompressOptions(
                file_model_of(),
                writing.effort,
                verify=writing.verify,
                execution=Execution(writing.threads),
                model_only=writing.model_only,
            )
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
        named = read(Path(folder))
        settings = Settings(
            to_file, latent_model, coding, writing.group, writing.unordered, writing.verify
        )
        spread = on_threads(settings, writing.threads)
        if writing.cluster is not None:
            spread = writing.cluster.spread(
                models.settings_of,
                models.worker_request(
                    latent_model,
                    coding,
                    file_model_of(),
                    writing.unordered,
                    writing.verify,
                    writing.effort,
                    writing.model_only,
                ),
            )
        built = build(
            named,
            spool,
            settings,
            embedded if writing.embed_model else None,
            spread,
            stack,
            writing.progress,
        )
        index = write_index(built.archive)
        file_bytes = len(index) + sum(map(len, built.models)) + spool.tell()
        spool.seek(0)
        images.atomic_write(
            local := _local_path(place, folder),
            _pieces((index, *built.models), spool),
            writing.overwrite,
            writing.mode,
        )
        if not isinstance(place, Path):
            urls.write(place, local, writing.overwrite)
    return Written(built, file_bytes, len(index))


def _local_path(place: Path | str, folder: str) -> Path:
    """Return the local path of an output: itself, or a temporary file that is copied to its URL."""
    return place if isinstance(place, Path) else Path(folder, "archive")


def _pieces(first: Iterable[bytes], spool: BinaryIO) -> Iterator[bytes]:
    yield from first
    while piece := spool.read(COPIED_AT_ONCE):
        yield piece
