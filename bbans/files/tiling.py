"""Whole images from tiles and back: the grid, parallel work over tiles, regions, previews, and what
is left of a damaged file.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bbans import container, tiles
from bbans.errors import FormatError, InputError
from bbans.execution.executor import Executor

TILE_SIDE = 1024
LARGE_PIXELS, LARGE_TILE_SIDE = (
    2**24,
    512,
)  # larger images have smaller tiles, which take a quarter of the memory
GRAPHIC_TILE = (2048, 4096)  # rows, columns: fallback coders find repetitions over a whole tile
PREVIEW_LEVELS = 10  # tiles start at multiples of 2^9 or more; of one tile every level is there

Pixels = NDArray[Any]
Coded: TypeAlias = tuple[
    container.TileRecord | FormatError, tuple[int, int]
]  # a tile, or why it cannot be read, and its sides


@dataclass(frozen=True)
class Region:
    """A rectangle of pixels: column and row of its top left corner, columns and rows."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True)
class Damage:
    """A tile that could not be decoded: its number, its rectangle, and why."""

    tile: int
    region: Region
    reason: str


def encode(
    pixels: Pixels,
    pixel_format: container.PixelFormat,
    spread: Executor[tiles.Context],
    exhaustive: bool = False,
) -> tuple[tuple[int, int], tuple[container.TileRecord, ...]]:
    """Sides `(height, width)` of the tiles of an image, and their records.

    The bytes do not depend on how the work is spread.

    `exhaustive` tries whatever may be shorter.
    """
    h, w = pixels.shape[:2]
    natural = TILE_SIDE if h * w <= LARGE_PIXELS else min(TILE_SIDE, LARGE_TILE_SIDE)
    rows, columns = GRAPHIC_TILE if _mostly_graphic(pixels, pixel_format) else (natural, natural)
    side = min(h, rows), min(w, columns)
    rectangles = container.tile_rectangles(w, h, side[1], side[0])

    cuts = (
        pixels[top : top + height, left : left + width] for top, left, height, width in rectangles
    )
    return side, tuple(
        spread(partial(_encoded, pixel_format=pixel_format, exhaustive=exhaustive), cuts)
    )


def _encoded(
    context: tiles.Context,
    cut: Pixels,
    *,
    pixel_format: container.PixelFormat,
    exhaustive: bool,
) -> container.TileRecord:
    return tiles.encode_tile(cut, pixel_format, context, exhaustive)


def as_stored_tile(file: container.Container, pixels: Pixels) -> container.Container:
    """The same image as one stored tile: what a file takes at most."""
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


def _mostly_graphic(pixels: Pixels, pixel_format: container.PixelFormat) -> bool:
    """Whether at least half of the tiles look drawn."""
    if pixel_format.palette:
        return True
    h, w = pixels.shape[:2]
    rectangles = container.tile_rectangles(w, h, TILE_SIDE, TILE_SIDE)
    cuts = (
        pixels[top : top + rows, left : left + columns].reshape(rows, columns, -1)
        for top, left, rows, columns in rectangles
    )
    return 2 * sum(tiles.palette_ratio(cut) < np.inf for cut in cuts) >= len(rectangles)


def decode(
    data: container.Buffer,
    index: container.Index,
    spread: Executor[tiles.Context],
    *,
    region: Region | None = None,
    level: int = 0,
    damaged: list[Damage] | None = None,
) -> Pixels:
    """The pixels, `(H, W)` or `(H, W, channels)`, of a file or a region of it; with `level` every
    2^level-th row and column.

    With `damaged`, tiles that cannot be decoded are noted there and their pixels are zeros;
    otherwise the first raises a FormatError. Raises InputError on a region outside the image or an
    impossible level.
    """
    header = index.header
    pixel_format = container.FORMATS[header.pixel_format]
    wanted = _checked_region(header, region)
    step = _checked_step(header, level, region)
    rectangles = container.tile_rectangles(
        header.width, header.height, header.tile_width, header.tile_height
    )
    jobs = [
        (number, part)
        for number, rectangle in enumerate(rectangles)
        if (part := _overlap(rectangle, wanted)) is not None
    ]
    dtype = np.uint16 if pixel_format.bit_depth == 16 else np.uint8
    shape = (-(-wanted.height // step), -(-wanted.width // step))
    pixels = np.zeros(
        shape if pixel_format.channels == 1 else (*shape, pixel_format.channels), dtype
    )

    def coded() -> Iterator[Coded]:
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
                _decoded, pixel_format=pixel_format, level=level, keep_going=damaged is not None
            ),
            coded(),
        )
    ) as results:
        for (number, part), result in zip(jobs, results, strict=True):
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
            y, x = (part.y - wanted.y) // step, (part.x - wanted.x) // step
            pixels[y : y + inside.shape[0], x : x + inside.shape[1]] = inside
    return pixels


def _decoded(
    context: tiles.Context,
    job: Coded,
    *,
    pixel_format: container.PixelFormat,
    level: int,
    keep_going: bool,
) -> Pixels | FormatError:
    """The pixels of a tile; with `keep_going`, or why there are none."""
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
    top, left, rows, columns = rectangle
    x, y = max(left, region.x), max(top, region.y)
    right, bottom = (
        min(left + columns, region.x + region.width),
        min(top + rows, region.y + region.height),
    )
    return Region(x, y, right - x, bottom - y) if x < right and y < bottom else None
