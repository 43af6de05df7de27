"""Whether a reversible JPEG 2000 codestream was cut to a rate, read from the headers of its packets
(ISO/IEC 15444-1, annex B), without decoding a sample.

An encoder codes the bit-planes of a block from the top; to meet a rate it leaves out the last
coding passes. A block of a subband with M bit-planes, of which P are zero, has 3 (M - P) - 2 passes
when nothing was left out. Fewer passes than that, or packets that are missing, mean that samples
were lost. Blocks that were left out altogether look like blocks of zeros, and cannot be told from
them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from bbans.images.formats.jpeg2000_packets import (
    Band,
    MissingError,
    UndecidedError,
    read_packet,
)

SIZ, COD, COC, QCD, QCC, SOT, SOD = (
    0xFF51,
    0xFF52,
    0xFF53,
    0xFF5C,
    0xFF5D,
    0xFF90,
    0xFF93,
)
UNREAD = (0xFF50, 0xFF5E, 0xFF5F, 0xFF60, 0xFF61)
"""Markers of what is not followed here: high throughput, regions of interest, changes of the
progression, packed packet headers.
"""
NO_QUANTISATION = 0
MAX_WORK = 2**21
"""Largest number of blocks times layers that are looked at."""
MAX_LEVELS = 32
Rectangle = tuple[int, int, int, int]
"""x0, y0, x1, y1."""


class _Style(NamedTuple):
    """Coding style of a component: decomposition levels, exponents of a block's sides, flags of the
    passes, and exponents of the precincts' sides by resolution.
    """

    levels: int
    block: tuple[int, int]
    flags: int
    precincts: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class _Header:
    """What the main header, or a tile's, says about packets. styles and planes (bit-planes by
    subband) are by component; those for all components have the key -1.
    """

    progression: int = 0
    layers: int = 1
    styles: dict[int, _Style] = field(default_factory=dict)
    planes: dict[int, tuple[int, ...]] = field(default_factory=dict)

    def style(self, component: int) -> _Style:
        return self.styles.get(component) or self.styles[-1]

    def planes_of(self, component: int) -> tuple[int, ...]:
        return self.planes.get(component) or self.planes[-1]


def _style(body: bytes, own_precincts: bool) -> _Style:
    """Parse the part that COD and COC have in common."""
    levels, width, height, flags = body[0], body[1] + 2, body[2] + 2, body[3]
    if levels > MAX_LEVELS or width + height > 12:
        raise UndecidedError
    sizes = body[5 : 6 + levels] if own_precincts else bytes([0xFF] * (levels + 1))
    if len(sizes) <= levels:
        raise UndecidedError
    precincts = tuple((size & 15, size >> 4) for size in sizes)
    if any(0 in pair for pair in precincts[1:]):
        raise UndecidedError
    return _Style(levels, (width, height), flags, precincts)


def _planes(body: bytes) -> tuple[int, ...]:
    """Parse the part that QCD and QCC have in common: bit-planes of every subband."""
    if body[0] & 31 != NO_QUANTISATION:
        raise UndecidedError
    return tuple((body[0] >> 5) + (value >> 3) - 1 for value in body[1:])


def _with_segment(header: _Header, marker: int, body: bytes) -> _Header:
    """Return the header with a marker segment taken into account."""
    if marker in UNREAD:
        raise UndecidedError
    if marker == COD:
        layers = struct.unpack_from(">H", body, 2)[0]
        styles = {**header.styles, -1: _style(body[5:], bool(body[0] & 1))}
        return replace(header, progression=body[1], layers=layers, styles=styles)
    if marker == COC:
        style = _style(body[2:], bool(body[1] & 1))
        return replace(header, styles={**header.styles, body[0]: style})
    if marker == QCD:
        return replace(header, planes={**header.planes, -1: _planes(body)})
    if marker == QCC:
        return replace(header, planes={**header.planes, body[0]: _planes(body[1:])})
    return header


def _up(value: int, shift: int) -> int:
    return -(-value >> shift)


class _Precinct(NamedTuple):
    """A precinct: component, resolution, number in raster order, place on the reference grid."""

    component: int
    resolution: int
    number: int
    y: int
    x: int
    column: int
    row: int


def _precincts(header: _Header, tile: Rectangle, component: int) -> Iterator[_Precinct]:
    """Yield the precincts of a component of a tile. Raises UndecidedError if they are too many."""
    style = header.style(component)
    for r, (wide, high) in enumerate(style.precincts):
        shift = style.levels - r
        x0, y0, x1, y1 = (_up(side, shift) for side in tile)
        if x0 >= x1 or y0 >= y1:
            continue
        columns = range(x0 >> wide, _up(x1, wide))
        rows = range(y0 >> high, _up(y1, high))
        if len(columns) * len(rows) > MAX_WORK:
            raise UndecidedError
        for number in range(len(columns) * len(rows)):
            row, column = rows[number // len(columns)], columns[number % len(columns)]
            y = max(row << high + shift, tile[1])
            yield _Precinct(
                component, r, number, y, max(column << wide + shift, tile[0]), column, row
            )


def _bands(header: _Header, tile: Rectangle, precinct: _Precinct) -> list[Band]:
    """Return the subbands of a precinct with their blocks."""
    style = header.style(precinct.component)
    planes = header.planes_of(precinct.component)
    r, (wide, high) = precinct.resolution, style.precincts[precinct.resolution]
    if len(planes) < 3 * style.levels + 1:
        raise UndecidedError
    found = []
    for at, (right, below) in enumerate(((0, 0),) if not r else ((1, 0), (0, 1), (1, 1))):
        level = style.levels - r + (r > 0)
        offset = 1 << level - 1 if level else 0
        x0, y0, x1, y1 = (
            _up(side - offset * odd, level)
            for side, odd in zip(tile, (right, below, right, below), strict=True)
        )
        side_x, side_y = wide - (r > 0), high - (r > 0)
        x0, x1 = max(x0, precinct.column << side_x), min(x1, precinct.column + 1 << side_x)
        y0, y1 = max(y0, precinct.row << side_y), min(y1, precinct.row + 1 << side_y)
        block_x, block_y = min(style.block[0], side_x), min(style.block[1], side_y)
        width = max(0, _up(x1, block_x) - (x0 >> block_x)) if x1 > x0 and y1 > y0 else 0
        height = max(0, _up(y1, block_y) - (y0 >> block_y)) if width else 0
        found.append(Band(planes[3 * r - 2 + at if r else 0], width, height))
    return found


def _order(progression: int, precinct: _Precinct, layer: int) -> tuple[int, ...]:
    """Return the key by which packets are sorted (annex B.12)."""
    component, r, number, y, x = precinct[:5]
    keys = (
        (layer, r, component, number),
        (r, layer, component, number),
        (r, y, x, component, number, layer),
        (y, x, component, r, number, layer),
        (component, y, x, r, number, layer),
    )
    if progression >= len(keys):
        raise UndecidedError
    return keys[progression]


def _cut_tile(header: _Header, tile: Rectangle, channels: int, data: bytes) -> tuple[bool, int]:
    """Return whether a tile's blocks lack passes, and how much was looked at."""
    precincts = [p for c in range(channels) for p in _precincts(header, tile, c)]
    packets = len(precincts) * header.layers
    if packets > len(data):  # a packet has a byte at least
        raise MissingError
    if packets > MAX_WORK:
        raise UndecidedError
    area = (tile[2] - tile[0]) * (tile[3] - tile[1]) * channels
    smallest = min(sum(header.style(c).block) for c in range(channels))
    if (area >> min(smallest, 12)) * header.layers > MAX_WORK:
        raise UndecidedError
    bands = [_bands(header, tile, precinct) for precinct in precincts]
    blocks = sum(band.width * band.height for group in bands for band in group)
    order = sorted(
        (_order(header.progression, precinct, layer), at, layer)
        for at, precinct in enumerate(precincts)
        for layer in range(header.layers)
    )
    position = 0
    for _, at, layer in order:
        flags = header.style(precincts[at].component).flags
        position = read_packet(data, position, layer, bands[at], flags)
    return any(band.cut() for group in bands for band in group), packets + blocks


def _segment(data: bytes, at: int) -> tuple[int, bytes, int]:
    """Return a marker, the body of its segment, and the position after it."""
    marker, size = struct.unpack_from(">HH", data, at)
    return marker, data[at + 4 : at + 2 + size], at + 2 + max(size, 2)


def cut_to_rate(codestream: bytes) -> bool | None:
    """Return whether coding passes or packets of a reversible codestream were left out; None where
    it cannot be told, which includes codestreams that are damaged.

    Examples:
        >>> import imagecodecs, numpy as np
        >>> samples = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
        >>> made = (
        ...     bytes(imagecodecs.jpeg2k_encode(samples, level, codecformat="j2k", reversible=True))
        ...     for level in (0, 30)
        ... )
        >>> [cut_to_rate(codestream) for codestream in made]
        [False, True]
    """
    try:
        return _cut(codestream)
    except MissingError:
        return True
    except (UndecidedError, IndexError, KeyError, ValueError, struct.error):
        return None


def _cut(data: bytes) -> bool:
    """Whether anything was left out. Raises UndecidedError and MissingError."""
    main, at = _Header(), 2
    size: tuple[int, ...] = ()
    while struct.unpack_from(">H", data, at)[0] != SOT:
        marker, body, at = _segment(data, at)
        main = _with_segment(main, marker, body)
        if marker == SIZ:
            size = struct.unpack_from(">8IH", body, 2)
    if not size or not all(size[4:6]):
        raise UndecidedError
    x1, y1, x0, y0, width, height, from_x, from_y, channels = size
    across, down = -(-(x1 - from_x) // width), -(-(y1 - from_y) // height)
    if across * down > len(data):  # a tile has a header at least
        raise UndecidedError
    headers: dict[int, _Header] = {}
    bodies: dict[int, list[bytes]] = {}
    while at + 12 <= len(data) and struct.unpack_from(">H", data, at)[0] == SOT:
        start = at
        tile, length = struct.unpack_from(">HI", data, at + 4)
        end = start + length if length else len(data)
        if end > len(data):  # damage, of which the decoder speaks
            raise UndecidedError
        at += 12
        header = headers.get(tile, main)
        while struct.unpack_from(">H", data, at)[0] != SOD:
            marker, body, at = _segment(data, at)
            header = _with_segment(header, marker, body)
        headers[tile] = header
        bodies.setdefault(tile, []).append(data[at + 2 : end])
        at = max(end, at + 2)
    work, found = 0, False
    for tile in range(across * down):
        q, p = divmod(tile, across)
        place = (
            max(from_x + p * width, x0),
            max(from_y + q * height, y0),
            min(from_x + (p + 1) * width, x1),
            min(from_y + (q + 1) * height, y1),
        )
        cut, looked_at = _cut_tile(
            headers.get(tile, main), place, channels, b"".join(bodies.get(tile, []))
        )
        work, found = work + looked_at, found or cut
        if work > MAX_WORK:
            raise UndecidedError
    return found
