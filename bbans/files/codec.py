"""Pixels to the bytes of a file and back, and what a file holds.

A file is tiles of one image (`container`), each coded by bits-back on its own (`tiles`). Every
function is deterministic and leaves the process's torch settings alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from bbans import container, images, tiles
from bbans.errors import FormatError, VerificationError
from bbans.execution.executor import Execution, Executor, all_threads, on_threads
from bbans.files import storage, tiling
from bbans.files.context import ContextRequest, build_context, context_of_file
from bbans.files.info import FileInfo, describe
from bbans.files.metadata import to_chunk, to_image
from bbans.models.library import ModelLike, load_model
from bbans.options import NO_MODEL, SchemeOptions, effort_named

if TYPE_CHECKING:
    from PIL import Image as PillowImage

    from bbans.execution.dask import Cluster

Pixels = NDArray[Any]


AS_SUITS, HERE = SchemeOptions(), Execution()


@dataclass(frozen=True)
class CompressOptions:
    """How images are compressed: what the keywords of `compress` say."""

    model: ModelLike = None
    effort: str = "default"
    scheme: SchemeOptions = AS_SUITS
    verify: bool = True
    execution: Execution = HERE


def compress(
    image: NDArray[Any] | PillowImage.Image | images.Image,
    *,
    model: ModelLike = None,
    effort: str = "default",
    scheme: str | None = None,
    particles: int | None = None,
    refine: int | None = None,
    verify: bool = True,
    threads: int | None = None,
    cluster: Cluster | None = None,
) -> bytes:
    """A file's bytes. image: uint8 or uint16 array `(H, W)` or `(H, W, 2 to 4)`, a Pillow image, or
    an `images.Image` with metadata.

    With `verify` the result is decoded by other arithmetic and compared before it is returned.
    `threads` tiles, or bands of one tile, are coded at once, or tiles are coded by the workers of a
    `cluster` (`cluster.connected`); the bytes depend on neither. `effort` picks the model where
    none is named: "fast" a small one, "default" and "max" the default one. With "max" every
    orientation of a tile is tried, which takes eight times as long. The model "none" stands for the
    fixed predictor, whose files need no model. A model of small images (a latent chain) codes one
    of its shape under latents that are chosen for it; many are shorter in an archive. `scheme` (one
    of `schemes.registry.NAMES`), `particles` and `refine`, steps of search for the posterior, are
    for such a model: bits that come back are paid for first, in every file, so that they make a
    file longer, except for two-part codes. Raises InputError on images that cannot be coded so,
    VerificationError on a failed comparison.
    """
    scheme_options = SchemeOptions(scheme, particles, refine)
    execution = Execution(threads, cluster)
    return encoder(CompressOptions(model, effort, scheme_options, verify, execution))(
        images.as_image(image)
    )


def encoder(options: CompressOptions) -> Callable[[images.Image], bytes]:
    """What makes the files of many images, whose model is made ready once.

    Raises what `compress` raises.
    """
    effort = effort_named(options.effort)
    model = None if options.model == NO_MODEL else load_model(options.model or effort.model)
    request, execution = ContextRequest(model, options.scheme), options.execution
    context = build_context(request)
    if execution.cluster is None:
        executor = on_threads(context, execution.threads)
    else:
        request = request.serialised()
        executor = execution.executor(build_context, request)

    @cache
    def checking() -> Executor[tiles.Context]:
        return execution.executor(build_context, replace(request, independent=True))

    def encode(image: images.Image) -> bytes:
        if context.image_model is not None:
            tiles.check_fit(context.image_model, image.pixels, image.palette)
        data, modelled = _encode(image, context, executor, effort.exhaustive)
        if options.verify:
            _verify(data, image, checking() if modelled else executor)
        return data

    return encode


def _encode(
    image: images.Image,
    context: tiles.Context,
    executor: Executor[tiles.Context],
    exhaustive: bool,
) -> tuple[bytes, bool]:
    """An image's file, and whether a model coded any of it."""
    pixels = image.pixels
    pixel_format = container.format_of(
        1 if pixels.ndim == 2 else pixels.shape[2], image.bit_depth, image.palette
    )
    (tile_height, tile_width), records = tiling.encode(pixels, pixel_format, executor, exhaustive)
    codecs = (container.CODECS[part.codec] for record in records for part in record.parts)
    modelled = context.model is not None and any(codec.modelled for codec in codecs)
    file = container.Container(
        width=pixels.shape[1],
        height=pixels.shape[0],
        pixel_format=pixel_format.code,
        tile_width=tile_width,
        tile_height=tile_height,
        model_id=context.model.id if context.model is not None and modelled else container.NO_MODEL,
        metadata=tuple(to_chunk(c) for c in image.metadata),
        tiles=records,
    )
    data = container.write(file)
    if len(data) > pixel_format.raw_bytes(*pixels.shape[:2]) and context.coding is None:
        data = min(data, container.write(tiling.as_stored_tile(file, pixels)), key=len)
    return data, modelled


def _verify(data: bytes, image: images.Image, executor: Executor[tiles.Context]) -> None:
    """Raise VerificationError unless a file decodes to the image."""
    index = container.read_index(data)
    try:
        back = to_image(tiling.decode(data, index, executor), index)
    except FormatError as error:
        raise VerificationError(
            f"the file could not be decoded again ({error}): nothing was written; please report "
            "this"
        ) from error
    if not images.same_image(back, image):
        raise VerificationError(
            "the file decoded to another image than was given: nothing was written; please report "
            "this"
        )


def decompress_image(
    data: container.Buffer,
    *,
    model: ModelLike = None,
    threads: int | None = None,
    max_pixels: int = container.DEFAULT_MAX_PIXELS,
    region: tuple[int, int, int, int] | None = None,
    preview: int = 0,
) -> images.Image:
    """The image in a file, with its metadata. Raises FormatError, ModelNotFoundError.

    `region` `(x, y, width, height)`: only that rectangle, of which only the tiles it meets are
    decoded. `preview` s: every 2^s-th row and column, from the coarse levels of the pyramid alone
    (their checksum cannot be verified).
    """
    index = container.read_index(data, max_pixels)
    rectangle = None if region is None else tiling.Region(*region)
    pixels = tiling.decode(
        data,
        index,
        on_threads(context_of_file(index, model), threads),
        region=rectangle,
        level=preview,
    )
    return to_image(pixels, index)


def decompress(
    data: container.Buffer,
    *,
    model: ModelLike = None,
    threads: int | None = None,
    max_pixels: int = container.DEFAULT_MAX_PIXELS,
    region: tuple[int, int, int, int] | None = None,
    preview: int = 0,
) -> Pixels:
    """The samples in a file, uint8 or uint16, `(H, W)` or `(H, W, channels)`: palette indices and
    samples of few bits as they are.

    Arguments and errors as of `decompress_image`.
    """
    options: dict[str, Any] = {
        "model": model,
        "threads": threads,
        "max_pixels": max_pixels,
        "region": region,
        "preview": preview,
    }
    return decompress_image(data, **options).pixels


def salvage(
    data: container.Buffer,
    *,
    model: ModelLike = None,
    threads: int | None = None,
    max_pixels: int = container.DEFAULT_MAX_PIXELS,
) -> tuple[images.Image, tuple[tiling.Damage, ...]]:
    """What can be restored of a damaged or truncated file, zeros elsewhere, and the tiles that are
    missing.

    Raises FormatError when the damage is in the header, the metadata or the table of contents.
    """
    index = container.read_index(data, max_pixels, whole=False)
    damaged: list[tiling.Damage] = []
    pixels = tiling.decode(
        data, index, on_threads(context_of_file(index, model), threads), damaged=damaged
    )
    return to_image(pixels, index), tuple(damaged)


def open(path: str | Path, *, model: ModelLike = None) -> PillowImage.Image:
    """A file as a Pillow image."""
    with storage.open_buffer(path) as data:
        return images.to_pillow(decompress_image(data, model=model))


def verify(
    data: container.Buffer,
    *,
    model: ModelLike = None,
    threads: int | None = None,
    max_pixels: int = container.DEFAULT_MAX_PIXELS,
) -> None:
    """Decode a file and check everything it can be checked by.

    Raises FormatError, ModelNotFoundError.
    """
    decompress_image(data, model=model, threads=threads, max_pixels=max_pixels)


def info(
    data: container.Buffer,
    *,
    model: ModelLike = None,
    account: bool = True,
    costs: bool = False,
    max_pixels: int = container.DEFAULT_MAX_PIXELS,
) -> FileInfo:
    """What a file holds and, with `account`, where its bits went (the file is decoded for that);
    with `costs` also pixel by pixel.
    """
    index = container.read_index(data, max_pixels)
    with all_threads():
        return describe(
            data,
            index,
            context_of_file(index, model) if account else tiles.Context(),
            account,
            costs and account,
        )
