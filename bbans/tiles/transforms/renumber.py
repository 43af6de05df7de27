"""Values that occur: samples as the numbers of their values, where few values occur.

8-bit values in 16-bit samples, 12 bits shifted by 4, stretched histograms, dithers, masks of 0 and
255, values that wrap around zero: of all values that the samples could have, some never occur. A
table lists the values; numbers in their order take the place of the samples, so that a model gives
no probability to the others.

The values of a channel are listed in circular order: after the largest comes zero again. A table
holds for each channel its first value and the gaps between the others; equal gaps are counted.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbans.container.binary import Cursor, inflate, varint
from bbans.container.part_records import MAX_TABLE
from bbans.errors import FormatError

Samples = NDArray[Any]
Values = NDArray[np.int64]

NEIGHBOURS = 8
"""Values on either side of one among which those that occur are counted."""
SAVED = 0.03
"""Least bits of a sample that renumbering has to save."""
ALIKE = 0.95
"""Share of what own tables of the channels save that one for all has to save."""
FILLED = 0.75
"""Share of a regular grid of values that has to occur for the whole grid to be listed."""
PLAIN, DEFLATED = 0, 1


@dataclass(frozen=True, eq=False)
class Table:
    """values: for each channel its values in circular order, int64. bit_depth: of the samples."""

    values: tuple[Values, ...]
    bit_depth: int

    @property
    def result_depth(self) -> int:
        """Bits of the numbers: 1, 2 or 4 of a single channel, else 8, or 16."""
        largest = max(len(values) for values in self.values) - 1
        fits = [b for b in (1, 2, 4, 8) if largest >> b == 0 and (b == 8 or len(self.values) == 1)]
        return fits[0] if fits else 16


def find_table(samples: Samples, bit_depth: int) -> Table | None:
    """Return the values of samples `(h, w, channels)` where it saves bits to renumber them.

    What a model saves is about log2 of how many values there are around one for each that occurs.
    All channels get the same values if that saves as much, so that they stay comparable.

    Examples:
        >>> samples = np.arange(4, dtype=np.uint16).repeat(64).reshape(16, 16, 1) * 257
        >>> [values.tolist() for values in find_table(samples, 16).values]
        [[0, 257, 514, 771]]
        >>> find_table(np.arange(256, dtype=np.uint8).reshape(16, 16, 1), 8) is None
        True
    """
    size, channels = 1 << bit_depth, samples.shape[2]
    planes = [samples[:, :, c] for c in range(channels)]
    counts = [np.bincount(plane.ravel(), minlength=size) for plane in planes]
    tables = [tuple(_values(n, plane) for n, plane in zip(counts, planes, strict=True))]
    if channels > 1:
        tables.append((_values(np.sum(counts, 0), samples),) * channels)
    saved = [sum(map(_saved, counts, values)) for values in tables]
    best = Table(tables[-1] if saved[-1] >= ALIKE * saved[0] else tables[0], bit_depth)
    wraps = any(values[0] > values[-1] for values in best.values)
    if max(saved) <= SAVED * samples.size and not wraps:
        return None
    # a long table is only encoded where it may be shorter than what it saves
    listed = sum(len(values) for values in tables[0])
    return best if wraps or max(saved) > max(listed, 8 * len(encode_table(best))) else None


def _values(counts: NDArray[np.int64], samples: Samples) -> Values:
    """Return the values that occur, or the regular grid that they nearly fill.

    They begin with the smallest or, if neighbours get closer numbers so, after the longest gap.
    """
    size, values = len(counts), np.flatnonzero(counts)
    gaps = np.diff(values, append=values[0] + size)
    turned = np.roll(values, -1 - int(gaps.argmax()))
    if turned[0] != values[0]:
        rows = samples[:: max(1, len(samples) // 64)]
        if _roughness(rows, turned, size) < _roughness(rows, values, size):
            values = turned
    offsets = (values - values[0]) % size
    stride = max(1, int(np.gcd.reduce(offsets)))
    if len(values) >= FILLED * (offsets[-1] // stride + 1):
        return np.asarray((values[0] + np.arange(0, offsets[-1] + 1, stride)) % size)
    return values


def _roughness(samples: Samples, values: Values, size: int) -> int:
    """Return the sum of the distances of horizontal neighbours' numbers."""
    numbers = np.zeros(size, np.int64)
    numbers[values] = np.arange(len(values))
    return int(np.abs(np.diff(numbers[samples], axis=1)).sum())


def _saved(counts: NDArray[np.int64], values: Values) -> float:
    """Estimate the bits that renumbering saves: at every sample log2 of the share of the values
    around it that are in the table.
    """
    offsets = (values - values[0]) % len(counts)
    listed, window = np.zeros(offsets[-1] + 1), np.ones(2 * NEIGHBOURS + 1)
    listed[offsets] = 1
    near, places = (
        np.convolve(row, window)[NEIGHBOURS:-NEIGHBOURS] for row in (listed, np.ones_like(listed))
    )
    return -float((counts[values] * np.log2((near / places)[offsets])).sum())


def apply(samples: Samples, table: Table) -> Samples:
    """Return the numbers of samples `(h, w, channels)` in a table, uint8, or uint16 for more than 8
    bits.

    Examples:
        >>> table = Table((np.array([0, 255]),), 8)
        >>> apply(np.array([[[255], [0]]], np.uint8), table).ravel().tolist()
        [1, 0]
    """
    dtype = np.uint16 if table.result_depth == 16 else np.uint8
    numbers = np.zeros((len(table.values), 1 << table.bit_depth), dtype)
    for number, values in zip(numbers, table.values, strict=True):
        number[values] = np.arange(len(values))
    return np.stack([number[samples[:, :, c]] for c, number in enumerate(numbers)], 2)


def invert(numbers: Samples, table: Table) -> Samples:
    """Return the samples `(h, w, channels)` of their numbers in a table.

    Raises FormatError on a number beyond the table.

    Examples:
        >>> table = Table((np.array([0, 255]),), 8)
        >>> invert(np.array([[[1], [0]]], np.uint8), table).ravel().tolist()
        [255, 0]
    """
    channels = []
    for c, values in enumerate(table.values):
        if int(numbers[:, :, c].max()) >= len(values):
            raise FormatError(
                f"renumbered samples of {len(values)} values were expected, found number "
                f"{int(numbers[:, :, c].max())}; the file is damaged"
            )
        channels.append(values[numbers[:, :, c]])
    return np.stack(channels, 2).astype(np.uint16 if table.bit_depth == 16 else np.uint8)


def encode_table(table: Table) -> bytes:
    """Encode a table: a byte that says whether the rest is compressed, then its channels.

    Examples:
        >>> encode_table(Table((257 * np.arange(256),), 16)).hex()
        '008002008304fe01'
    """
    body, before = b"", None
    for values in table.values:
        if before is not None and np.array_equal(values, before):
            body += varint(0)
            continue
        before, gaps = values, np.diff(values) % (1 << table.bit_depth)
        body += varint(len(values)) + varint(int(values[0]))
        starts = np.flatnonzero(np.diff(gaps, prepend=0))
        for start, end in zip(starts, [*starts, len(gaps)][1:], strict=True):
            gap, repeated = int(gaps[start]), int(end - start) - 1
            body += varint(gap << 1 | (repeated > 0)) + (varint(repeated) if repeated else b"")
    deflated = varint(len(body)) + zlib.compress(body, 9)
    return bytes([DEFLATED]) + deflated if len(deflated) < len(body) else bytes([PLAIN]) + body


def decode_table(data: bytes, channels: int, bit_depth: int) -> Table:
    """Decode the table of samples of `channels` channels and a bit depth, which fills `data`.

    Raises FormatError on anything that `encode_table` would not spell.

    Examples:
        >>> decode_table(bytes.fromhex("00800200830400"), 1, 16)
        Traceback (most recent call last):
        ...
        bbans.errors.TruncatedError: ...
    """
    cursor = Cursor(data, "table of values")
    compression = cursor.u8()
    if compression == DEFLATED:
        size = cursor.varint("size", MAX_TABLE)
        cursor = Cursor(inflate(cursor.take(cursor.remaining), size, "table of values"), "table")
    elif compression != PLAIN:
        raise FormatError(f"a table of values has compression {compression}; the file is damaged")
    tables: list[Values] = []
    for _ in range(channels):
        count = cursor.varint("number of values", 1 << bit_depth)
        if count:
            tables.append(_decode_values(cursor, count, bit_depth))
        elif tables:
            tables.append(tables[-1])
        else:
            raise FormatError("the first channel's table has no values; the file is damaged")
    if cursor.remaining:
        raise FormatError("bytes follow a table of values; the file is damaged")
    return Table(tuple(tables), bit_depth)


def _decode_values(cursor: Cursor, count: int, bit_depth: int) -> Values:
    """Decode one channel's values."""
    first = cursor.varint("first value", (1 << bit_depth) - 1)
    gaps: list[int] = []
    while len(gaps) < count - 1:
        word = cursor.varint("gap", 2 << bit_depth)
        repeated = cursor.varint("equal gaps", count - 2 - len(gaps)) if word & 1 else 0
        gaps += [word >> 1] * (1 + repeated)
    offsets = np.cumsum([0, *gaps])
    if 0 in gaps or offsets[-1] >> bit_depth:
        raise FormatError("a table lists a value twice; the file is damaged")
    return (first + offsets) % (1 << bit_depth)
