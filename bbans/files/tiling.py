"""Images as grids of tiles: parallel coding of tiles, regions, previews, and decoding of damaged
files.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from bbans import container, tiles
from bbans.errors import FormatError, InputError
from bbans.execution.executor import Executor

TILE_SIDE = 1024
"""Rows and columns of a tile of a photograph."""
LARGE_PIXELS, LARGE_TILE_SIDE = 2**24, 512
"""Images of more than LARGE_PIXELS pixels have tiles of LARGE_TILE_SIDE rows and columns, which
take a quarter of the memory.
"""
GRAPHIC_TILE = (2048, 4096)
"""Rows and columns of a tile of a drawing: dictionary coders find repetitions within a tile."""
PREVIEW_LEVELS = 10
"""Highest level of a preview. Tiles start at multiples of 2^9 or more, and an image of one tile has
every level.
"""

Result = TypeVar("Result")
Pixels = NDArray[Any]
TilesDone: TypeAlias = Callable[[int, int], None]
"""Is called with the number of tiles that are done, and of all."""
CodedTile: TypeAlias = tuple[container.TileRecord | FormatError, tuple[int, int]]
"""The record of a tile, or the error that reading it raised, and the tile's `(rows, columns)`."""


@dataclass(frozen=True)
class Region:
    """A rectangle in pixels: column x and row y of its top left corner, width and height."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True)
class Damage:
    """A tile that could not be decoded: its number, its rectangle, and the reason."""

    tile: int
    region: Region
    reason: str


def encode(
    pixels: Pixels,
    pixel_format: container.PixelFormat,
    spread: Executor[tiles.Context],
    exhaustive: bool = False,
    progress: TilesDone | None = None,
) -> tuple[tuple[int, int], tuple[container.TileRecord, ...]]:
    """Code an image tile by tile: return `(rows, columns)` of a tile, and the tiles' records.

    pixels: uint8 or uint16, `(H, W)` or `(H, W, channels)`. spread: executor of the work on tiles;
    the records do not depend on it. exhaustive: try every orientation of a tile. progress: called
    with the number of tiles that are coded and of all.

    Examples:
        >>> from bbans.execution.executor import on_threads
        >>> pixels = np.zeros((4, 6), np.uint8)
        >>> shape, records = encode(pixels, container.FORMATS[0], on_threads(tiles.Context(), 1))
        >>> shape, len(records)
        ((4, 6), 1)
    """
    h, w = pixels.shape[:2]
    natural = TILE_SIDE if h * w <= LARGE_PIXELS else min(TILE_SIDE, LARGE_TILE_SIDE)
    whole = h <= natural and w <= natural
    drawn = not whole and tiles.is_drawn(pixels, pixel_format)
    rows, columns = GRAPHIC_TILE if drawn else (natural, natural)
    shape = min(h, rows), min(w, columns)
    rectangles = container.tile_rectangles(w, h, shape[1], shape[0])

    cuts = (
        pixels[top : top + height, left : left + width] for top, left, height, width in rectangles
    )
    records = spread(partial(_encode_tile, pixel_format=pixel_format, exhaustive=exhaustive), cuts)
    return shape, tuple(_counted(records, len(rectangles), progress))


def _counted(results: Iterable[Result], total: int, progress: TilesDone | None) -> Iterator[Result]:
    """Yield the results and say after each how many there were."""
    for done, result in enumerate(results, 1):
        if progress is not None:
            progress(done, total)
        yield result


def _encode_tile(
    context: tiles.Context,
    cut: Pixels,
    *,
    pixel_format: container.PixelFormat,
    exhaustive: bool,
) -> container.TileRecord:
    return tiles.encode_tile(cut, pixel_format, context, exhaustive)


def as_stored_tile(file: container.Container, pixels: Pixels) -> container.Container:
    """Return the file with its image as one uncompressed tile, which bounds a file's size.

    Examples:
        >>> pixels = np.zeros((2, 3), np.uint8)
        >>> file = container.Container(3, 2, 0, 3, 2, container.NO_MODEL, (), ())
        >>> len(as_stored_tile(file, pixels).tiles[0].parts[0].payload)
        6
    """
    pixel_format = container.FORMATS[file.pixel_format]
    raw = container.to_raw(pixels, pixel_format.bit_depth)
    tile = container.TileRecord(
        (container.TilePart(container.STORED, pixel_format.channels, raw),), zlib.crc32(raw)
    )
    return replace(
        file,
        tile_width=file.width,
        tile_height=file.height,
        model_id=container.NO_MODEL,
        tiles=(tile,),
    )


def decode(
    data: container.Buffer,
    index: container.Index,
    spread: Executor[tiles.Context],
    *,
    region: Region | None = None,
    level: int = 0,
    damaged: list[Damage] | None = None,
    progress: TilesDone | None = None,
) -> Pixels:
    """Decode a file, or a region of it, to pixels uint8 or uint16, `(H, W)` or `(H, W, channels)`.

    level: decode only every 2^level-th row and column. damaged: a list that receives the tiles that
    cannot be decoded, whose pixels are then 0; if None, the first such tile raises FormatError.
    progress: called with the number of tiles that are decoded and of all that are needed. Raises
    InputError on a region outside the image and on a level that the tiles do not have.

    Examples:
        >>> from bbans.execution.executor import on_threads
        >>> from bbans.files.encoder import compress
        >>> data = compress(np.array([[1, 2], [3, 4]], np.uint8), model="none")
        >>> executor = on_threads(tiles.Context(), 1)
        >>> decode(data, container.read_index(data), executor, region=Region(0, 1, 2, 1)).tolist()
        [[3, 4]]
    """
    header = index.header
    pixel_format = container.FORMATS[header.pixel_format]
    requested = _checked_region(header, region)
    step = _checked_step(header, level, region)
    rectangles = container.tile_rectangles(
        header.width, header.height, header.tile_width, header.tile_height
    )
    jobs = [
        (number, part)
        for number, rectangle in enumerate(rectangles)
        if (part := _overlap(rectangle, requested)) is not None
    ]
    dtype = np.uint16 if pixel_format.bit_depth == 16 else np.uint8
    shape = (-(-requested.height // step), -(-requested.width // step))
    pixels = np.zeros(
        shape if pixel_format.channels == 1 else (*shape, pixel_format.channels), dtype
    )

    def coded_tiles() -> Iterator[CodedTile]:
        """Yield the records of the tiles to decode, each read when an executor takes it."""
        for number, _ in jobs:
            try:
                record: container.TileRecord | FormatError = container.read_tile(
                    data, index, number
                )
            except FormatError as error:
                record = error
            yield record, rectangles[number][2:]

    with closing(
        spread(
            partial(
                _decode_tile, pixel_format=pixel_format, level=level, keep_going=damaged is not None
            ),
            coded_tiles(),
        )
    ) as results:
        counted = _counted(results, len(jobs), progress)
        for (number, part), result in zip(jobs, counted, strict=True):
            top, left, rows, columns = rectangles[number]
            if isinstance(result, FormatError):
                assert damaged is not None
                damaged.append(Damage(number, Region(left, top, columns, rows), str(result)))
                continue
            inside = (
                result
                if level
                else result[
                    part.y - top : part.y - top + part.height,
                    part.x - left : part.x - left + part.width,
                ]
            )
            y, x = (part.y - requested.y) // step, (part.x - requested.x) // step
            pixels[y : y + inside.shape[0], x : x + inside.shape[1]] = inside
    return pixels


def cut(pixels: Pixels, header: container.Header, region: Region | None, level: int) -> Pixels:
    """Return a region of the decoded pixels of a whole image, or every 2^level-th row and column.

    Raises InputError on a region outside the image, and on both a region and a level.

    Examples:
        >>> header = container.Header(3, 2, 0, 3, 2, container.NO_MODEL, has_metadata=False)
        >>> cut(np.arange(6).reshape(2, 3), header, Region(1, 0, 2, 1), level=0).tolist()
        [[1, 2]]
    """
    r, step = _checked_region(header, region), _checked_step(header, level, region)
    return np.ascontiguousarray(pixels[r.y : r.y + r.height : step, r.x : r.x + r.width : step])


def _decode_tile(
    context: tiles.Context,
    job: CodedTile,
    *,
    pixel_format: container.PixelFormat,
    level: int,
    keep_going: bool,
) -> Pixels | FormatError:
    """Return the pixels of a tile or, with `keep_going`, the error that decoding it raised."""
    record, shape = job
    try:
        if isinstance(record, FormatError):
            raise record
        if level:
            return tiles.preview_tile(record, shape, pixel_format, context, level)
        return tiles.decode_tile(record, shape, pixel_format, context, accounted=False)[0]
    except FormatError as error:
        if not keep_going:
            raise
        return error


def _checked_region(header: container.Header, region: Region | None) -> Region:
    """Return the region, by default the whole image. Raises InputError if it is not inside."""
    if region is None:
        return Region(0, 0, header.width, header.height)
    r = region
    inside = 0 <= r.x < r.x + r.width <= header.width and 0 <= r.y < r.y + r.height <= header.height
    if not inside:
        raise InputError(
            f"region {r.x},{r.y},{r.width},{r.height} does not lie in the image of {header.width} "
            f"x {header.height}; choose another"
        )
    return region


def _checked_step(header: container.Header, level: int, region: Region | None) -> int:
    """Return 2^level. Raises InputError unless every tile starts at a multiple of it."""
    if not 0 <= level <= PREVIEW_LEVELS:
        raise InputError(f"previews have levels 0 to {PREVIEW_LEVELS}; found {level}")
    if level and region is not None:
        raise InputError("a preview is of the whole image; ask for a region or for a preview")
    aligned = header.tile_width % 2**level == 0 or header.tile_width == header.width
    if not (
        aligned and (header.tile_height % 2**level == 0 or header.tile_height == header.height)
    ):
        raise InputError(
            f"tiles of {header.tile_width} x {header.tile_height} have no preview of level "
            f"{level}; choose a lower one"
        )
    return int(2**level)


def _overlap(rectangle: tuple[int, int, int, int], region: Region) -> Region | None:
    """Return the intersection with a tile's (top, left, rows, columns), None if it is empty."""
    top, left, rows, columns = rectangle
    x, y = max(left, region.x), max(top, region.y)
    right, bottom = (
        min(left + columns, region.x + region.width),
        min(top + rows, region.y + region.height),
    )
    return Region(x, y, right - x, bottom - y) if x < right and y < bottom else None
