"""The public functions: pixels to bytes and back, files to files, what a file holds, and training.

A file is tiles of one image (`container`), each coded by bits-back on its own (`tiles`). Every function is deterministic and
leaves the process's torch settings alone.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bbans import container as files
from bbans import images, tiles
from bbans.carried import from_chunks, to_chunk
from bbans.errors import FormatError, InputError, VerificationError
from bbans.info import FileInfo, describe
from bbans.models.store import DEFAULT_MODEL, NO_MODEL, Model, find_by_id, find_by_name

if TYPE_CHECKING:
    from PIL import Image as PillowImage

Pixels = NDArray[np.uint8]
ModelLike = str | Path | Model | None


def load_model(model: ModelLike = None) -> Model:
    """A model by name, by file path, or the default one. Raises ModelNotFoundError and ModelFormatError."""
    return model if isinstance(model, Model) else find_by_name(str(model or DEFAULT_MODEL))


def compress(
    image: NDArray[Any] | PillowImage.Image | images.Image, *, model: ModelLike = None, verify: bool = True, threads: int | None = None
) -> bytes:
    """A file's bytes. image: uint8 array `(H, W)` or `(H, W, 3)`, a Pillow image, or an `images.Image` with metadata.

    With `verify` the result is decoded and compared before it is returned. `threads` tiles are coded at once; the bytes do not
    depend on it. The model "none" stands for the fixed predictor, whose files need no model.
    Raises InputError on images that cannot be coded, VerificationError on a failed comparison.
    """
    picture = _to_image(image)
    chosen = None if model == NO_MODEL else load_model(model)
    net = None if chosen is None else chosen.network(tiles.fastest_ops())
    pixels = picture.pixels
    h, w = pixels.shape[:2]
    side_h, side_w = min(h, tiles.TILE_SIDE), min(w, tiles.TILE_SIDE)
    rectangles = files.tile_rectangles(w, h, side_w, side_h)
    cuts = [pixels[top : top + rows, left : left + columns] for top, left, rows, columns in rectangles]
    records = tuple(_map(lambda cut: tiles.encode_tile(cut, net), cuts, threads))
    coded_by_model = any(r.codec == files.BITS_BACK for r in records)
    data = files.write(
        files.Container(
            width=w,
            height=h,
            pixel_format=files.GREY8 if pixels.ndim == 2 else files.RGB8,
            tile_width=side_w,
            tile_height=side_h,
            model_id=chosen.id if chosen is not None and coded_by_model else files.NO_MODEL,
            metadata=tuple(to_chunk(c) for c in picture.metadata),
            tiles=records,
        )
    )
    if verify:
        back = decompress_image(data, model=chosen, threads=threads)
        if not np.array_equal(back.pixels, pixels) or back.metadata != picture.metadata:
            raise VerificationError("the file decoded to another image than was given: nothing was written; please report this")
    return data


def decompress_image(
    data: bytes, *, model: ModelLike = None, threads: int | None = None, max_pixels: int = files.DEFAULT_MAX_PIXELS
) -> images.Image:
    """The image in a file, with its metadata. Raises FormatError, ModelNotFoundError."""
    content = files.read(data, max_pixels=max_pixels)
    pixels = _assemble(content, model, threads)
    return images.from_array(pixels, from_chunks(content.metadata))


def decompress(data: bytes, *, model: ModelLike = None, threads: int | None = None, max_pixels: int = files.DEFAULT_MAX_PIXELS) -> Pixels:
    """The pixels in a file, uint8 `(H, W)` or `(H, W, 3)`. Raises FormatError, ModelNotFoundError."""
    return decompress_image(data, model=model, threads=threads, max_pixels=max_pixels).pixels


def open(path: str | Path, *, model: ModelLike = None) -> PillowImage.Image:
    """A file as a Pillow image."""
    return images.to_pillow(decompress_image(_read(path), model=model))


def verify(data: bytes, *, model: ModelLike = None, threads: int | None = None) -> None:
    """Decode a file and check everything it can be checked by. Raises FormatError, ModelNotFoundError."""
    decompress_image(data, model=model, threads=threads)


def info(data: bytes, *, model: ModelLike = None, account: bool = True) -> FileInfo:
    """What a file holds and, with `account`, where its bits went (the file is decoded for that)."""
    content = files.read(data)
    if not account:
        return describe(data, content, None, None, with_account=False)
    return describe(data, content, *_model_of(content, model))


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
    verify: bool = True,
    overwrite: bool = False,
    as_pixels: bool = False,
    strip: bool = False,
    threads: int | None = None,
) -> CompressResult:
    """Compress an image file. `strip` drops metadata; `as_pixels` takes a JPEG's pixels. Raises InputError, OutputError."""
    picture = images.read_image(Path(source), as_pixels=as_pixels)
    if strip:
        picture = images.from_array(picture.pixels)
    data = compress(picture, model=model, verify=verify, threads=threads)
    images.atomic_write(Path(target), data, overwrite=overwrite)
    return CompressResult(os.path.getsize(source), len(data), picture.pixels.nbytes)


def decompress_file(
    source: str | Path,
    target: str | Path,
    *,
    model: ModelLike = None,
    overwrite: bool = False,
    threads: int | None = None,
    format: str | None = None,
) -> None:
    """Restore an image file, PNG unless `format` says otherwise. Raises FormatError, ModelNotFoundError, OutputError."""
    picture = decompress_image(_read(source), model=model, threads=threads)
    buffer = io.BytesIO()
    try:
        images.write_image(picture, buffer, format=format or "PNG")
    except InputError as error:
        raise FormatError(f"the file carries metadata that no image may have: {error}") from error
    images.atomic_write(Path(target), buffer.getvalue(), overwrite=overwrite)


def train_model(
    images: Path,
    output: Path,
    *,
    recipe: Path | None,
    checkpoint: Path | None,
    float_weights: Path | None = None,
    threads: int | None,
    report: Callable[[dict[str, float]], None],
    overwrite: bool,
) -> None:
    """Train a model on a folder of images and write its file. See `inference.photo_run`."""
    from bbans.inference.photo_run import run

    run(
        images,
        output,
        recipe=recipe,
        checkpoint=checkpoint,
        float_weights=float_weights,
        threads=threads,
        report=report,
        overwrite=overwrite,
    )


def _read(path: str | Path) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); check the path") from error


def _to_image(image: Any) -> images.Image:
    if isinstance(image, images.Image):
        return image
    return images.from_array(image) if isinstance(image, np.ndarray) else images.from_pillow(image)


def _model_of(content: files.Container, model: ModelLike) -> tuple[Model | None, Any]:
    """The model that a file needs, with its network; none when every tile is stored."""
    if content.model_id == files.NO_MODEL:
        return None, None
    chosen = None if model in (None, NO_MODEL) else load_model(model)
    if chosen is None or chosen.id != content.model_id:
        chosen = find_by_id(content.model_id)
    return chosen, chosen.network(tiles.fastest_ops())


def _assemble(content: files.Container, model: ModelLike, threads: int | None) -> Pixels:
    channels = 1 if content.pixel_format == files.GREY8 else 3
    chosen, net = _model_of(content, model)
    rectangles = files.tile_rectangles(content.width, content.height, content.tile_width, content.tile_height)
    pixels = np.empty((content.height, content.width) if channels == 1 else (content.height, content.width, 3), np.uint8)
    jobs = list(zip(content.tiles, rectangles, strict=True))

    def decode(job: tuple[files.TileRecord, tuple[int, int, int, int]]) -> Pixels:
        record, (_, _, rows, columns) = job
        return tiles.decode_tile(record, (rows, columns), channels, chosen, net)[0]

    for (_, (top, left, rows, columns)), tile in zip(jobs, _map(decode, jobs, threads), strict=True):
        pixels[top : top + rows, left : left + columns] = tile
    return pixels


def _map(function: Callable[[Any], Any], jobs: list[Any], threads: int | None) -> Iterator[Any]:
    """Results in order, from up to `threads` threads (default: one a core)."""
    workers = min(len(jobs), threads or os.cpu_count() or 1)
    if workers <= 1:
        yield from map(function, jobs)
        return
    with ThreadPoolExecutor(workers) as pool:
        yield from pool.map(function, jobs)
