"""Views of a tile: its samples after invertible transforms that may make them shorter to code.

phases or equal channels (`planes`), then values that occur (`renumber`), then differences
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbans.container import tile_codecs
from bbans.container.part_records import (
    DIFFERENCES,
    MERGED,
    PHASES,
    RENUMBERED,
    TilePart,
    Transform,
)
from bbans.container.pixel_formats import FORMATS, PixelFormat, format_of
from bbans.tiles.transforms import planes, renumber

Samples = NDArray[Any]
PLANAR_ROWS = 64
"""Rows on which differences are examined."""


@dataclass(frozen=True, eq=False)
class View:
    """samples: `(h, w, channels)` of `pixel_format` after the transform `steps`; the tile itself
    where steps is 0. merged and table: as in `container.Transform`, with the table's bytes.
    """

    samples: Samples
    pixel_format: PixelFormat
    steps: int = 0
    merged: tuple[int, ...] = ()
    table: bytes = b""

    def parts_of_tile(self, channels: int, parts: Sequence[TilePart]) -> tuple[TilePart, ...]:
        """Return parts of the view as parts of a tile of `channels` channels."""
        if not self.steps:
            return tuple(parts)
        transform = Transform(
            self.steps,
            self.pixel_format.code,
            tuple(replace(part, payload=b"") for part in parts),
            tuple(len(part.payload) for part in parts),
            len(self.table),
            self.merged,
        )
        payload = self.table + b"".join(part.payload for part in parts)
        return (TilePart(tile_codecs.TRANSFORMED, channels, payload, transform=transform),)


def views(samples: Samples, pixel_format: PixelFormat) -> Iterator[View]:
    """Yield the views of a tile `(h, w, channels)` that may be shorter to code, itself first.

    Examples:
        >>> x = np.zeros((4, 6, 1), np.uint8)
        >>> x[1:3] = 255
        >>> [view.steps for view in views(x, FORMATS[0])]
        [0, 4, 12]
    """
    tile = View(samples, pixel_format)
    yield tile
    base = tile
    if merged := planes.equal_channels(samples):
        fewer = planes.merge(samples, merged)
        base = View(fewer, _format(fewer, pixel_format.bit_depth), MERGED, merged)
    if (shorter := renumbered(base) or base).steps:
        yield shorter
    if planes.is_mosaic(samples):
        phases = planes.split_phases(samples)
        split = View(phases, _format(phases, max(8, pixel_format.bit_depth)), PHASES)
        if split.pixel_format.bit_depth == pixel_format.bit_depth:
            yield renumbered(split) or split
    if _nearly_planar(shorter):
        depth = shorter.pixel_format.bit_depth
        yield replace(
            shorter,
            samples=planes.differences(shorter.samples, depth),
            steps=shorter.steps | DIFFERENCES,
        )


def renumbered(view: View) -> View | None:
    """Return the view with its samples renumbered, None where that saves too little.

    Examples:
        >>> renumbered(View(np.zeros((4, 6, 1), np.uint8), FORMATS[0])) is None
        True
    """
    table = renumber.find_table(view.samples, view.pixel_format.bit_depth)
    if table is None:
        return None
    numbers = renumber.apply(view.samples, table)
    return View(
        numbers,
        _format(numbers, table.result_depth),
        view.steps | RENUMBERED,
        view.merged,
        renumber.encode_table(table),
    )


def invert(
    result: Samples, transform: Transform, table: bytes, channels: int, bit_depth: int
) -> Samples:
    """Return the samples `(h, w, channels)` of a tile of which `result` is the transform.

    Raises FormatError on a damaged table and on samples beyond it.

    Examples:
        >>> x = np.arange(24, dtype=np.uint8).reshape(4, 6, 1).repeat(3, 2)
        >>> view = list(views(x, FORMATS[1]))[1]
        >>> stored = TilePart(tile_codecs.STORED, 1, view.samples.tobytes())
        >>> (part,) = view.parts_of_tile(3, [stored])
        >>> np.array_equal(invert(view.samples, part.transform, view.table, 3, 8), x)
        True
    """
    steps = transform.steps
    if steps & DIFFERENCES:
        result = planes.sums(result, FORMATS[transform.pixel_format].bit_depth)
    if steps & RENUMBERED:
        result = renumber.invert(result, renumber.decode_table(table, result.shape[2], bit_depth))
    if steps & PHASES:
        return planes.join_phases(result)
    return result[:, :, list(transform.merged)] if steps & MERGED else result


def reapply(samples: Samples, transform: Transform, table: bytes, bit_depth: int) -> Samples:
    """Return the transform of samples `(h, w, channels)`.

    Examples:
        >>> x = np.arange(24, dtype=np.uint8).reshape(4, 6, 1)
        >>> reapply(x, Transform(PHASES, 3, (), ()), b"", 8).shape
        (2, 3, 4)
    """
    steps = transform.steps
    if steps & PHASES:
        samples = planes.split_phases(samples)
    if steps & MERGED:
        samples = planes.merge(samples, transform.merged)
    if steps & RENUMBERED:
        samples = renumber.apply(samples, renumber.decode_table(table, samples.shape[2], bit_depth))
    if steps & DIFFERENCES:
        samples = planes.differences(samples, FORMATS[transform.pixel_format].bit_depth)
    return samples


def _format(samples: Samples, bit_depth: int) -> PixelFormat:
    return format_of(samples.shape[2], bit_depth, palette=False)


def _nearly_planar(view: View) -> bool:
    """Return whether samples differ by at most one from the plane through their neighbours."""
    rows = view.samples[:PLANAR_ROWS].astype(np.int64)
    if len(rows) < 2 or rows.shape[1] < 2:
        return False
    return int(np.abs(np.diff(np.diff(rows, axis=0), axis=1)).max()) <= 1
