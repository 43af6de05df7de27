"""Compression of image files to .bbans files and decompression, by paths or URLs."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bbans import container, images
from bbans.container import stack_record
from bbans.container.archive_reader import is_archive, read_archive_index
from bbans.errors import FormatError, InputError, OutputError
from bbans.execution.executor import Execution
from bbans.files import jpeg, storage, tiling
from bbans.files.decoder import decompress_image, salvage
from bbans.files.encoder import CompressOptions, encoder
from bbans.files.metadata import kind_of_samples
from bbans.images.formats.registry import JPEG, format_of_suffix, written
from bbans.images.sample_kind import format_for
from bbans.models.library import ModelLike
from bbans.options import Progress, SchemeOptions

if TYPE_CHECKING:
    from bbans.execution.dask import Cluster

STACK_SUFFIXES = {
    stack_record.ARRAY: ".npy",
    stack_record.TIFF: ".tif",
    stack_record.PNM: ".pnm",
}


@dataclass(frozen=True)
class CompressResult:
    """Sizes in bytes, and what was left out.

    source_bytes: the image file. file_bytes: the compressed file. raw_bytes: the uncompressed
    samples in memory. left_out: in words, what of the image file the compressed file does not hold,
    a part each, such as the levels of a pyramid.
    """

    source_bytes: int
    file_bytes: int
    raw_bytes: int
    left_out: tuple[str, ...] = ()


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
    keep_going: bool = False,
    model_only: bool = False,
    threads: int | None = None,
    cluster: Cluster | None = None,
    progress: Progress | None = None,
) -> CompressResult:
    """Compress an image file and return the sizes, and what was left out. A JPEG is kept so that it
    comes back byte for byte, without a model.

    The permission bits of a local source are those of a local target. Files of several images are
    for `bbans.compress_stack`.

    source, target: paths or URLs. overwrite: replace an existing target. as_pixels: code the
    decoded pixels of a lossy file (JPEG, lossy WebP), although they need more bytes than it does.
    strip: drop all metadata but a palette or transparent colour. keep_going: leave out damaged
    parts of an image file that are no pixels (chunks of a PNG), and say so in the result.

    model: a model's name, file or value; "none" for the fixed predictor; None for the model of
    `effort` ("fast", "default" or "max"). scheme, particles and refine: how a latent model of whole
    images codes. verify: decode the result and compare it before it is written. model_only: code by
    the model even where a library is shorter. threads, cluster: where tiles are coded; the bytes do
    not depend on them. progress: called for every tile that is "coded" and "checked", of which a
    JPEG counts as one.

    Raises InputError on images that cannot be read or coded, of which JpegInputError on lossy ones
    other than JPEGs, and on a JPEG with `strip` unless `as_pixels`; ModelError,
    VerificationError, OutputExistsError and OutputError.

    Examples:
        >>> import tempfile, numpy as np
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     np.save(Path(folder, "a.npy"), np.zeros((64, 64), np.uint8))
        ...     compress_file(f"{folder}/a.npy", f"{folder}/a.bbans", model="none").raw_bytes
        4096
    """
    left_out: tuple[str, ...] = ()
    if keep_going:
        picture, source_bytes, left_out = storage.read_damaged_file(source, as_pixels)
    else:
        picture, source_bytes = storage.read_image_file(source, as_pixels)
    if isinstance(picture, images.JpegFile):
        if strip:
            raise InputError(
                f"{source}: a JPEG comes back byte for byte, with its metadata: leave out --strip, "
                "or ask for its pixels (--as-pixels)"
            )
        data = jpeg.compressed(picture)
        if progress is not None:
            for stage in ("coded", "checked") if verify else ("coded",):
                progress(stage, 1, 1)
        storage.write_file(target, data, overwrite, storage.mode_of(source))
        raw = jpeg.pixel_format_of(picture).raw_bytes(picture.height, picture.width)
        return CompressResult(source_bytes, len(data), raw, left_out)
    left_out += picture.left_out
    if strip:
        picture = images.without_metadata(picture)
    scheme_options = SchemeOptions(scheme, particles, refine)
    execution = Execution(threads, cluster)
    options = CompressOptions(
        model, effort, scheme_options, verify, execution, progress, model_only
    )
    data = encoder(options)(picture)
    storage.write_file(target, data, overwrite, storage.mode_of(source))
    return CompressResult(source_bytes, len(data), picture.pixels.nbytes, left_out)


def original_suffix(source: str | Path) -> str | None:
    """Return the suffix of the kind of file that a compressed file was made of, None if that is not
    known or the file cannot be read.

    source: a path or URL, of which only header and metadata, or the index, are read, but no pipe,
    which would be used up.

    Examples:
        >>> import tempfile, numpy as np
        >>> from bbans.files.encoder import compress
        >>> from bbans.images.formats.read import read_image
        >>> from bbans.images.formats.tiff import tiff_bytes
        >>> image = read_image(tiff_bytes(images.from_array(np.zeros((2, 3), np.uint8))))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = Path(folder, "a.bbans").write_bytes(compress(image, model="none"))
        ...     original_suffix(f"{folder}/a.bbans")
        '.tif'
    """
    try:
        with storage.open_buffer(source) as data:
            return _suffix_of(data)
    except (FormatError, InputError, OSError):
        return None


def _suffix_of(data: container.Buffer) -> str | None:
    """Return the suffix of what a compressed file was made of. Raises FormatError."""
    if is_archive(data[:8]):
        stack = read_archive_index(data, whole=False).archive.stack
        return None if stack is None else STACK_SUFFIXES[stack.kind]
    if _holds_jpeg(data, container.ANY_SIZE):
        return jpeg.SUFFIX
    metadata = container.read_metadata_only(data)
    return ".tif" if any(chunk.kind == container.TIFF_TAGS for chunk in metadata) else None


def default_kind(source: str | Path) -> str:
    """Return the kind of image file, in lower case, that a file is restored to if none is named:
    that of the file that it was made of if it is known, else one that holds its samples.

    It is "png" for a file that cannot be read, whose error comes when it is decompressed.

    Examples:
        >>> default_kind("nothing.bbans")
        'png'
    """
    if origin := format_of_suffix(original_suffix(source)):
        return origin.lower()
    try:
        with storage.open_buffer(source) as data:
            index = container.read_index(data, max_pixels=container.ANY_SIZE, whole=False)
            pixel_format = container.FORMATS[index.header.pixel_format]
            kind = kind_of_samples(index.metadata, pixel_format)
            described = any(chunk.kind != container.SAMPLES for chunk in index.metadata)
    except (FormatError, InputError):
        return "png"
    return format_for(kind, pixel_format.channels, described).lower()


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
    progress: Progress | None = None,
) -> tuple[tiling.Damage, ...]:
    """Decompress a file to an image file and return the missing tiles, if any.

    The permission bits of a local source are those of a local target. Tags of a TIFF are written to
    TIFF, with the whole image only.

    source, target: paths or URLs. format: the kind of image file to write: a name of
    `images.formats.registry.written`, or "jpeg" for the JPEG that the file holds, byte for byte.
    Default: by the suffix of the target, else the kind of file that was compressed if that is known
    (a JPEG as a whole only), else PNG, or a kind that holds what PNG does not, as signed samples
    (`default_kind`). overwrite: replace an existing target.

    model: tried before those of the search path if its id is the one in the file. region: `(x, y,
    width, height)` in pixels, to restore only this rectangle. preview: s from 0 to 10, to restore
    only every 2^s-th row and column. keep_going: restore a damaged file as far as possible, with
    missing tiles 0; region and preview are then ignored. progress: called for every tile that is
    "decoded", of which a JPEG counts as one.

    Raises FormatError on damage, of which LimitError if the image has more than `max_pixels`
    pixels, ModelNotFoundError, InputError on an impossible region or preview and on a JPEG whose
    pixels are not decoded, OutputExistsError and OutputError, also for "jpeg" from a file without.

    Examples:
        >>> import tempfile, numpy as np
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     np.save(Path(folder, "a.npy"), np.eye(64, dtype=np.uint8))
        ...     _ = compress_file(f"{folder}/a.npy", f"{folder}/a.bbans", model="none")
        ...     decompress_file(f"{folder}/a.bbans", f"{folder}/a.png")
        ()
    """
    damaged: tuple[tiling.Damage, ...] = ()
    with storage.open_buffer(source) as data:
        whole = region is None and not preview
        kind = format or format_of_suffix(Path(target).suffix)
        if kind is None and whole and _holds_jpeg(data, max_pixels):
            kind = JPEG
        if kind is not None and kind.lower() == JPEG:
            if not whole:
                raise OutputError("a region or preview of a JPEG is pixels: choose another format")
            original = _jpeg_of(data, max_pixels)
            if progress is not None:
                progress("decoded", 1, 1)
            storage.write_file(target, original, overwrite, storage.mode_of(source))
            return ()
        kind = kind or format_of_suffix(_suffix_of(data))
        if keep_going:
            picture, damaged = salvage(
                data, model=model, threads=threads, max_pixels=max_pixels, progress=progress
            )
        else:
            picture = decompress_image(
                data,
                model=model,
                threads=threads,
                max_pixels=max_pixels,
                region=region,
                preview=preview,
                progress=progress,
            )
    buffer = io.BytesIO()
    try:
        images.write_image(picture, buffer, format=kind or images.default_format(picture))
    except InputError as error:
        raise FormatError(f"the file carries metadata that no image may have: {error}") from error
    storage.write_file(target, buffer.getvalue(), overwrite, storage.mode_of(source))
    return damaged


def _holds_jpeg(data: container.Buffer, max_pixels: int) -> bool:
    return container.read_header(data, max_pixels).has_jpeg


def _jpeg_of(data: container.Buffer, max_pixels: int) -> bytes:
    """Return the JPEG of a file. Raises OutputError if it holds none."""
    if not _holds_jpeg(data, max_pixels):
        known = ", ".join(written()).upper()
        raise OutputError(f"the file holds an image and no JPEG: choose one of {known}")
    return jpeg.restore_jpeg(data, max_pixels=max_pixels)
