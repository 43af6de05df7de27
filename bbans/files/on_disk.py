"""Image files to files of ours and back, by their paths or URLs."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bbans import container, images
from bbans.errors import FormatError, InputError
from bbans.execution.executor import Execution
from bbans.files import storage, tiling
from bbans.files.codec import CompressOptions, decompress_image, encoder, salvage
from bbans.models.library import ModelLike
from bbans.options import SchemeOptions

if TYPE_CHECKING:
    from bbans.execution.dask import Cluster


@dataclass(frozen=True)
class CompressResult:
    """Sizes in bytes: of the input file, of the output file, of the raw pixels."""

    source_bytes: int
    file_bytes: int
    raw_bytes: int


def compress_file(
    source: str | Path,
    target: str | Path,
    *,
    model: ModelLike = None,
    effort: str = "default",
    scheme: str | None = None,
    particles: int | None = None,
    refine: int | None = None,
    verify: bool = True,
    overwrite: bool = False,
    as_pixels: bool = False,
    strip: bool = False,
    threads: int | None = None,
    cluster: Cluster | None = None,
) -> CompressResult:
    """Compress an image file.

    Source and target are paths or URLs (`urls`). Raises InputError, OutputError.

    The options of `compress` are the same; `strip` drops metadata other than a palette or
    transparent colour; `as_pixels` takes a JPEG's pixels.
    """
    picture, source_bytes = storage.read_image_file(source, as_pixels)
    if strip:
        picture = images.without_metadata(picture)
    scheme_options = SchemeOptions(scheme, particles, refine)
    execution = Execution(threads, cluster)
    data = encoder(CompressOptions(model, effort, scheme_options, verify, execution))(picture)
    storage.write_file(target, data, overwrite)
    return CompressResult(source_bytes, len(data), picture.pixels.nbytes)


def decompress_file(
    source: str | Path,
    target: str | Path,
    *,
    model: ModelLike = None,
    overwrite: bool = False,
    threads: int | None = None,
    format: str | None = None,
    max_pixels: int = container.DEFAULT_MAX_PIXELS,
    region: tuple[int, int, int, int] | None = None,
    preview: int = 0,
    keep_going: bool = False,
) -> tuple[tiling.Damage, ...]:
    """Restore an image file, PNG unless `format` says otherwise; paths or URLs.

    Raises FormatError, ModelNotFoundError, OutputError.

    With `keep_going` a damaged file is restored as far as it can be; the tiles that are missing are
    returned.
    """
    damaged: tuple[tiling.Damage, ...] = ()
    with storage.open_buffer(source) as data:
        if keep_going:
            picture, damaged = salvage(data, model=model, threads=threads, max_pixels=max_pixels)
        else:
            picture = decompress_image(
                data,
                model=model,
                threads=threads,
                max_pixels=max_pixels,
                region=region,
                preview=preview,
            )
    buffer = io.BytesIO()
    try:
        images.write_image(picture, buffer, format=format or "PNG")
    except InputError as error:
        raise FormatError(f"the file carries metadata that no image may have: {error}") from error
    storage.write_file(target, buffer.getvalue(), overwrite)
    return damaged
