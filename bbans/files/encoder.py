"""Pixels to the bytes of a file, which are decoded by other arithmetic and compared before they are
returned.

A file is tiles of one image (`container`), each coded by bits-back on its own (`tiles`). Every
function is deterministic and leaves the process's torch settings alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from bbans import container, images, tiles
from bbans.errors import FormatError, VerificationError
from bbans.execution.executor import Execution, Executor, on_threads
from bbans.files import tiling
from bbans.files.context import ContextRequest, build_context
from bbans.files.metadata import chunks_of, to_image
from bbans.models.library import ModelLike, load_model
from bbans.options import NO_MODEL, Progress, SchemeOptions, effort_named

if TYPE_CHECKING:
    from PIL import Image as PillowImage

    from bbans.execution.dask import Cluster

DEFAULT_SCHEME, LOCAL = SchemeOptions(), Execution()


@dataclass(frozen=True)
class CompressOptions:
    """Settings of the compression of any number of images.

    model: a model's name, file or value, "none" for the fixed predictor, or None for the model of
    `effort`. effort: a key of `options.EFFORTS`. verify: whether every file is decoded and compared
    with its image before it is returned. execution: threads, or the workers of a cluster. progress:
    called for every tile that is "coded" and "checked". model_only: whether tiles are coded by the
    model even where a library codes them shorter.
    """

    model: ModelLike = None
    effort: str = "default"
    scheme: SchemeOptions = DEFAULT_SCHEME
    verify: bool = True
    execution: Execution = LOCAL
    progress: Progress | None = None
    model_only: bool = False


def compress(
    image: NDArray[Any] | PillowImage.Image | images.Image,
    *,
    model: ModelLike = None,
    effort: str = "default",
    scheme: str | None = None,
    particles: int | None = None,
    refine: int | None = None,
    verify: bool = True,
    model_only: bool = False,
    threads: int | None = None,
    cluster: Cluster | None = None,
) -> bytes:
    """Compress an image losslessly and return the bytes of its file.

    image: array `(H, W)` or `(H, W, C)`, C from 2 to 4, of uint8, uint16, int8, int16 or bool, a
    Pillow image, or an `images.Image` with metadata.

    model: a model's name, file or value; "none" for the fixed predictor, whose files need no model.
    effort: the model to use if none is given: "fast" a small one, "default" and "max" the default
    one; "max" also tries every orientation of a tile, which takes eight times as long.

    scheme (one of `schemes.registry.NAMES`), particles (of a scheme with importance weights) and
    refine (steps of posterior refinement) are for latent models of whole images. By default such a
    model codes an image with latents that the encoder chooses, without initial bits. All schemes
    but two-part codes need initial bits in every file, so they make a file longer; many small
    images are shorter in an archive (`create_archive`).

    model_only: code by the model, or the fixed predictor, even where JPEG XL, WebP or LZMA is
    shorter, as to measure a model. verify: decode the result on other arithmetic and compare it
    with the image. threads: how many tiles, or bands of one tile, are coded in parallel. cluster:
    workers that code the tiles (`execution.dask.connected`). The bytes depend on none of the last
    three.

    Raises InputError on images and options that cannot be coded, ModelError, and VerificationError
    if the result does not decode to the image.

    Examples:
        >>> from bbans.files.decoder import decompress
        >>> import numpy as np
        >>> image = np.zeros((64, 64), np.uint8)
        >>> data = compress(image, model="none")
        >>> len(data) < image.nbytes, bool((decompress(data) == image).all())
        (True, True)
    """
    scheme_options = SchemeOptions(scheme, particles, refine)
    execution = Execution(threads, cluster)
    options = CompressOptions(
        model, effort, scheme_options, verify, execution, model_only=model_only
    )
    return encoder(options)(images.as_image(image))


def encoder(options: CompressOptions) -> Callable[[images.Image], bytes]:
    """Return the function from an image to the bytes of its file, with the model loaded once.

    Raises InputError and ModelError on options that cannot be used. The function raises InputError
    on images that cannot be coded, and VerificationError if a file does not decode to its image.

    Examples:
        >>> from bbans.files.decoder import decompress
        >>> import numpy as np
        >>> encode = encoder(CompressOptions(model="none"))
        >>> decompress(encode(images.from_array(np.eye(2, dtype=np.uint8)))).tolist()
        [[1, 0], [0, 1]]
    """
    effort = effort_named(options.effort)
    model = None if options.model == NO_MODEL else load_model(options.model or effort.model)
    request = ContextRequest(
        model,
        options.scheme,
        model_only=options.model_only,
        library_margin=effort.library_margin,
    )
    execution = options.execution
    context = build_context(request)
    if execution.cluster is None:
        executor = on_threads(context, execution.threads)
    else:
        request = request.serialised()
        executor = execution.executor(build_context, request)

    @cache
    def verifier() -> Executor[tiles.Context]:
        """Return the executor that decodes on other arithmetic, made on first use."""
        return execution.executor(build_context, replace(request, independent=True))

    def encode(image: images.Image) -> bytes:
        if context.image_model is not None:
            tiles.check_fit(context.image_model, images.coded_samples(image), image.palette)
        progress = options.progress
        coded = None if progress is None else partial(progress, "coded")
        data, modelled = _encode(image, context, executor, effort.exhaustive, coded)
        if options.verify:
            checked = None if progress is None else partial(progress, "checked")
            _verify(data, image, verifier() if modelled else executor, checked)
        return data

    return encode


def _encode(
    image: images.Image,
    context: tiles.Context,
    executor: Executor[tiles.Context],
    exhaustive: bool,
    progress: tiling.TilesDone | None,
) -> tuple[bytes, bool]:
    """Return the bytes of an image's file, and whether a trained model coded any part of it."""
    pixels = images.coded_samples(image)
    pixel_format = container.format_of(image.channels, image.bit_depth, image.palette)
    (tile_height, tile_width), records = tiling.encode(
        pixels, pixel_format, executor, exhaustive, progress
    )
    parts = (part for record in records for part in record.parts)
    modelled = context.model is not None and any(map(container.needs_model, parts))
    file = container.Container(
        width=pixels.shape[1],
        height=pixels.shape[0],
        pixel_format=pixel_format.code,
        tile_width=tile_width,
        tile_height=tile_height,
        model_id=context.model.id if context.model is not None and modelled else container.NO_MODEL,
        metadata=chunks_of(image),
        tiles=records,
    )
    data = container.write(file)
    if len(data) > pixel_format.raw_bytes(*pixels.shape[:2]) and context.coding is None:
        data = min(data, container.write(tiling.as_stored_tile(file, pixels)), key=len)
    return data, modelled


def _verify(
    data: bytes,
    image: images.Image,
    executor: Executor[tiles.Context],
    progress: tiling.TilesDone | None,
) -> None:
    """Raise VerificationError unless a file decodes to the image."""
    index = container.read_index(data)
    try:
        decoded = to_image(tiling.decode(data, index, executor, progress=progress), index)
    except FormatError as error:
        raise VerificationError(
            f"the file could not be decoded again ({error}): nothing was written; please report "
            "this"
        ) from error
    if not images.same_image(decoded, image):
        raise VerificationError(
            "the file decoded to another image than was given: nothing was written; please report "
            "this"
        )
