"""The bytes of a file to pixels, whole, in part or in small; what is left of a damaged one."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from bbans import container, images
from bbans.execution.executor import on_threads
from bbans.files import jpeg, storage, tiling
from bbans.files.context import context_of_file
from bbans.files.metadata import kind_of_samples, to_image
from bbans.models.library import ModelLike
from bbans.options import Progress

if TYPE_CHECKING:
    from PIL import Image as PillowImage

Pixels = NDArray[Any]


def decompress_image(
    data: container.Buffer,
    *,
    model: ModelLike = None,
    threads: int | None = None,
    max_pixels: int = container.DEFAULT_MAX_PIXELS,
    region: tuple[int, int, int, int] | None = None,
    preview: int = 0,
    progress: Progress | None = None,
) -> images.Image:
    """Decompress a file and return its image with the metadata; of a file that holds a JPEG, the
    decoded pixels (`restore_jpeg` returns the JPEG).

    data: bytes, or a `container.FileBuffer` of which only the needed parts are read. model: tried
    before those of the search path if its id is the one in the file. threads: how many tiles are
    decoded in parallel.

    region: `(x, y, width, height)` in pixels; only the tiles that meet this rectangle are decoded.
    The tags of a TIFF come with the whole image only. preview: s from 0 to 10 returns every 2^s-th
    row and column, where possible from the coarse levels of the pyramid alone, whose checksum
    cannot be verified. progress: called for every tile that is "decoded", of which a JPEG counts as
    one.

    Raises FormatError on damage, of which LimitError if the image has more than `max_pixels`
    pixels, ModelNotFoundError, and InputError on a region outside the image, on a preview that the
    tiles do not have, and on a JPEG whose pixels are not decoded (CMYK, cut, of 12 bits).

    Examples:
        >>> from bbans.files.encoder import compress
        >>> import numpy as np
        >>> data = compress(np.zeros((64, 48), np.uint8), model="none")
        >>> decompress_image(data, region=(8, 0, 4, 2)).pixels.shape
        (2, 4)
        >>> decompress_image(data, preview=3).pixels.shape
        (8, 6)
    """
    index = container.read_index(data, max_pixels)
    rectangle = None if region is None else tiling.Region(*region)
    if index.jpeg is not None:
        image = jpeg.decoded(data, index)
        _jpeg_done(progress)
        return replace(image, pixels=tiling.cut(image.pixels, index.header, rectangle, preview))
    pixels = tiling.decode(
        data,
        index,
        on_threads(context_of_file(index, model), threads),
        region=rectangle,
        level=preview,
        progress=_decoded(progress),
    )
    image = to_image(pixels, index)
    return image if region is None and not preview else replace(image, tiff=None)


def _decoded(progress: Progress | None) -> tiling.TilesDone | None:
    return None if progress is None else partial(progress, "decoded")


def _jpeg_done(progress: Progress | None) -> None:
    if progress is not None:
        progress("decoded", 1, 1)


def decompress(
    data: container.Buffer,
    *,
    model: ModelLike = None,
    threads: int | None = None,
    max_pixels: int = container.DEFAULT_MAX_PIXELS,
    region: tuple[int, int, int, int] | None = None,
    preview: int = 0,
) -> Pixels:
    """Decompress a file and return its samples, `(H, W)` or `(H, W, channels)`: uint8 or uint16,
    int8 or int16 if they are signed, bool if they were.

    Palette indices and samples of fewer bits are returned unscaled. Of a file that holds a JPEG,
    the decoded pixels are returned.

    model: tried before those of the search path if its id is the one in the file. threads: how many
    tiles are decoded in parallel. region: `(x, y, width, height)` in pixels, to decode only this
    rectangle. preview: s from 0 to 10, to decode only every 2^s-th row and column.

    Raises FormatError on damage, of which LimitError if the image has more than `max_pixels`
    pixels, ModelNotFoundError, and InputError on a region outside the image, on a preview that the
    tiles do not have, and on a JPEG whose pixels are not decoded (CMYK, cut, of 12 bits).

    Examples:
        >>> from bbans.files.encoder import compress
        >>> import numpy as np
        >>> decompress(compress(np.array([[1, 2], [3, 4]], np.uint8), model="none")).tolist()
        [[1, 2], [3, 4]]
    """
    image = decompress_image(
        data, model=model, threads=threads, max_pixels=max_pixels, region=region, preview=preview
    )
    return image.pixels


def salvage(
    data: container.Buffer,
    *,
    model: ModelLike = None,
    threads: int | None = None,
    max_pixels: int = container.DEFAULT_MAX_PIXELS,
    progress: Progress | None = None,
) -> tuple[images.Image, tuple[tiling.Damage, ...]]:
    """Restore a damaged or truncated file as far as possible: the image, and the missing tiles.

    Pixels of missing tiles are 0. model: tried before those of the search path if its id is the one
    in the file. progress: called for every tile that is "decoded" or lost, of which a JPEG counts
    as one.

    Raises FormatError if the damage is in the header, the metadata or the table of contents, or
    anywhere in a file that holds a JPEG, which has no tiles; LimitError if the image has more than
    `max_pixels` pixels; ModelNotFoundError; and InputError on a JPEG whose pixels are not decoded.

    Examples:
        >>> from bbans.files.encoder import compress
        >>> import numpy as np
        >>> pixels = np.random.default_rng(0).integers(0, 256, (8, 8), np.uint8)
        >>> data = compress(pixels, model="none")
        >>> image, damage = salvage(data[:-9])
        >>> image.pixels.shape, len(damage)
        ((8, 8), 1)
    """
    index = container.read_index(data, max_pixels, whole=False)
    if index.jpeg is not None:
        image = jpeg.decoded(data, index)
        _jpeg_done(progress)
        return image, ()
    damaged: list[tiling.Damage] = []
    pixels = tiling.decode(
        data,
        index,
        on_threads(context_of_file(index, model), threads),
        damaged=damaged,
        progress=_decoded(progress),
    )
    pixel_format = container.FORMATS[index.header.pixel_format]
    if kind_of_samples(index.metadata, pixel_format).signed:
        for damage in damaged:
            r = damage.region
            zero = 1 << (pixel_format.bit_depth - 1)  # 0 would be the smallest sample
            pixels[r.y : r.y + r.height, r.x : r.x + r.width] = zero
    return to_image(pixels, index), tuple(damaged)


def open(path: str | Path, *, model: ModelLike = None) -> PillowImage.Image:
    """Read a file by its path or URL and return it as a Pillow image.

    Raises InputError if it cannot be read, Pillow has no mode for its samples or the pixels of its
    JPEG are not decoded; FormatError on damage; and ModelNotFoundError.

    Examples:
        >>> from bbans.files.encoder import compress
        >>> import tempfile, numpy as np
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "grey.bbans")
        ...     _ = path.write_bytes(compress(np.zeros((2, 3), np.uint8), model="none"))
        ...     open(path).size
        (3, 2)
    """
    with storage.open_buffer(path) as data:
        return images.to_pillow(decompress_image(data, model=model))


def verify(
    data: container.Buffer,
    *,
    model: ModelLike = None,
    threads: int | None = None,
    max_pixels: int = container.DEFAULT_MAX_PIXELS,
    progress: Progress | None = None,
) -> None:
    """Decode a file and verify its structure and all its checksums. A JPEG is restored; its pixels
    are not decoded.

    progress: called for every tile that is "decoded", of which a JPEG counts as one.

    Raises FormatError on damage, of which LimitError if the image has more than `max_pixels`
    pixels, and ModelNotFoundError.

    Examples:
        >>> from bbans.files.encoder import compress
        >>> import numpy as np
        >>> data = compress(np.zeros((8, 8), np.uint8), model="none")
        >>> verify(data)
        >>> verify(data[:-1])
        Traceback (most recent call last):
        bbans.errors.TruncatedError: ...
    """
    index = container.read_index(data, max_pixels)
    if index.jpeg is not None:
        jpeg.restored(data, index)
        _jpeg_done(progress)
        return
    decompress_image(data, model=model, threads=threads, max_pixels=max_pixels, progress=progress)
