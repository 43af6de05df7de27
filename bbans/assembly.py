"""Whole images from tiles and back: the grid, parallel work over tiles, regions, previews, and what is left of a damaged file."""

from __future__ import annotations

import os
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from bbans import container as files
from bbans import tiles
from bbans.errors import FormatError, InputError

TILE_SIDE = 1024
LARGE_PIXELS, LARGE_TILE_SIDE = 2**24, 512  # larger images have smaller tiles, which take a quarter of the memory
GRAPHIC_TILE = (2048, 4096)  # rows, columns: fallback coders find repetitions over a whole tile
PREVIEW_LEVELS = 10  # tiles start at multiples of 2^9 or more; of one tile every level is there

Pixels = NDArray[Any]
Job = TypeVar("Job")
Result = TypeVar("Result")


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
    pixels: Pixels, pixel_format: files.PixelFormat, predictors: tiles.Predictors, threads: int | None, thorough: bool = False
) -> tuple[tuple[int, int], tuple[files.TileRecord, ...]]:
    """Sides `(height, width)` of the tiles of an image, and their records. The bytes do not depend on `threads`.

    `thorough` tries whatever may be shorter.
    """
    h, w = pixels.shape[:2]
    natural = TILE_SIDE if h * w <= LARGE_PIXELS else min(TILE_SIDE, LARGE_TILE_SIDE)
    rows, columns = GRAPHIC_TILE if _mostly_graphic(pixels, pixel_format) else (natural, natural)
    side = min(h, rows), min(w, columns)
    rectangles = files.tile_rectangles(w, h, side[1], side[0])

    def work(rectangle: tuple[int, int, int, int]) -> files.TileRecord:
        top, left, height, width = rectangle
        return tiles.encode_tile(pixels[top : top + height, left : left + width], pixel_format, predictors, thorough)

    return side, tuple(in_order(work, rectangles, threads))


def stored(container: files.Container, pixels: Pixels) -> files.Container:
    """The same image as one stored tile: what a file takes at most."""
    pixel_format = files.FORMATS[container.pixel_format]
    raw = files.to_raw(pixels, pixel_format.bit_depth)
    tile = files.TileRecord((files.TilePart(files.STORED, pixel_format.channels, raw),), zlib.crc32(raw))
    return replace(container, tile_width=container.width, tile_height=container.height, model_id=files.NO_MODEL, tiles=(tile,))


def _mostly_graphic(pixels: Pixels, pixel_format: files.PixelFormat) -> bool:
    """Whether at least half of the tiles look drawn."""
    if pixel_format.palette:
        return True
    h, w = pixels.shape[:2]
    rectangles = files.tile_rectangles(w, h, TILE_SIDE, TILE_SIDE)
    cuts = (pixels[top : top + rows, left : left + columns].reshape(rows, columns, -1) for top, left, rows, columns in rectangles)
    return 2 * sum(tiles.variety(cut) < np.inf for cut in cuts) >= len(rectangles)


def decode(
    data: files.Buffer,
    index: files.Index,
    predictors: tiles.Predictors,
    threads: int | None,
    *,
    region: Region | None = None,
    level: int = 0,
    damaged: list[Damage] | None = None,
) -> Pixels:
    """The pixels, `(H, W)` or `(H, W, channels)`, of a file or a region of it; with `level` every 2^level-th row and column.

    With `damaged`, tiles that cannot be decoded are noted there and their pixels are zeros; otherwise the first raises a
    FormatError. Raises InputError on a region outside the image or an impossible level.
    """
    header = index.header
    pixel_format = files.FORMATS[header.pixel_format]
    wanted = _checked_region(header, region)
    step = _checked_step(header, level, region)
    rectangles = files.tile_rectangles(header.width, header.height, header.tile_width, header.tile_height)
    jobs = [(number, part) for number, rectangle in enumerate(rectangles) if (part := _overlap(rectangle, wanted)) is not None]
    dtype = np.uint16 if pixel_format.bit_depth == 16 else np.uint8
    shape = (-(-wanted.height // step), -(-wanted.width // step))
    pixels = np.zeros(shape if pixel_format.channels == 1 else (*shape, pixel_format.channels), dtype)

    def work(job: tuple[int, Region]) -> Pixels | FormatError:
        number = job[0]
        rows, columns = rectangles[number][2:]
        try:
            record = files.read_tile(data, index, number)
            if level:
                return tiles.preview_tile(record, (rows, columns), pixel_format, predictors, level)
            return tiles.decode_tile(record, (rows, columns), pixel_format, predictors)[0]
        except FormatError as error:
            if damaged is None:
                raise
            return error

    for (number, part), result in zip(jobs, in_order(work, jobs, threads), strict=True):
        top, left, rows, columns = rectangles[number]
        if isinstance(result, FormatError):
            assert damaged is not None
            damaged.append(Damage(number, Region(left, top, columns, rows), str(result)))
            continue
        inside = result if level else result[part.y - top : part.y - top + part.height, part.x - left : part.x - left + part.width]
        y, x = (part.y - wanted.y) // step, (part.x - wanted.x) // step
        pixels[y : y + inside.shape[0], x : x + inside.shape[1]] = inside
    return pixels


def _checked_region(header: files.Header, region: Region | None) -> Region:
    if region is None:
        return Region(0, 0, header.width, header.height)
    r = region
    inside = 0 <= r.x < r.x + r.width <= header.width and 0 <= r.y < r.y + r.height <= header.height
    if not inside:
        raise InputError(
            f"region {r.x},{r.y},{r.width},{r.height} does not lie in the image of {header.width} x {header.height}; choose another"
        )
    return region


def _checked_step(header: files.Header, level: int, region: Region | None) -> int:
    if not 0 <= level <= PREVIEW_LEVELS:
        raise InputError(f"previews have levels 0 to {PREVIEW_LEVELS}; found {level}")
    if level and region is not None:
        raise InputError("a preview is of the whole image; ask for a region or for a preview")
    aligned = header.tile_width % 2**level == 0 or header.tile_width == header.width
    if not (aligned and (header.tile_height % 2**level == 0 or header.tile_height == header.height)):
        raise InputError(f"tiles of {header.tile_width} x {header.tile_height} have no preview of level {level}; choose a lower one")
    return int(2**level)


def _overlap(rectangle: tuple[int, int, int, int], region: Region) -> Region | None:
    top, left, rows, columns = rectangle
    x, y = max(left, region.x), max(top, region.y)
    right, bottom = min(left + columns, region.x + region.width), min(top + rows, region.y + region.height)
    return Region(x, y, right - x, bottom - y) if x < right and y < bottom else None


def in_order(function: Callable[[Job], Result], jobs: Iterable[Job], threads: int | None) -> Iterator[Result]:
    """Results in order, from up to `threads` threads (default: one a core), at most one waiting result a thread."""
    queue = list(jobs)
    workers = min(len(queue), threads or os.cpu_count() or 1)
    if workers <= 1:
        yield from map(function, queue)
        return
    with ThreadPoolExecutor(workers) as pool:
        pending: deque[Future[Result]] = deque()
        try:
            for job in queue:
                pending.append(pool.submit(function, job))
                if len(pending) > workers:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()
