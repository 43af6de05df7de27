"""Packets of a JPEG 2000 codestream (ISO/IEC 15444-1, annex B.9 and B.10): how many coding passes
each block has, read from the headers without decoding a sample.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

BYPASS, TERMINATE_ALL = 1, 4
"""Flags of a coding style that give a block several codeword segments."""
MAX_ZERO_PLANES = 80


class UndecidedError(Exception):
    """The codestream has a feature that is not followed here."""


class MissingError(Exception):
    """The data end before the last packet."""


class TagTree:
    """A tag tree over the blocks of a precinct (annex B.10.2). low: lower bounds of the values;
    known: whether they are the values.
    """

    def __init__(self, width: int, height: int) -> None:
        self.sides = [(width, height)]
        while self.sides[-1] != (1, 1):
            self.sides.append(tuple((side + 1) // 2 for side in self.sides[-1]))  # type: ignore[arg-type]
        self.low = [[0] * (w * h) for w, h in self.sides]
        self.known = [[False] * (w * h) for w, h in self.sides]

    def below(self, x: int, y: int, threshold: int, bits: Bits) -> bool:
        """Read until it is known whether the value at a leaf is below the threshold.

        Examples:
            >>> TagTree(1, 1).below(0, 0, 1, Bits(bytes([128]), 0))
            True
        """
        bound = 0
        for level in reversed(range(len(self.sides))):
            at = (y >> level) * self.sides[level][0] + (x >> level)
            low = max(self.low[level][at], bound)
            while low < threshold and not self.known[level][at]:
                if bits.read(1):
                    self.known[level][at] = True
                else:
                    low += 1
            self.low[level][at] = bound = low
        return bound < threshold and self.known[0][y * self.sides[0][0] + x]

    def value(self, x: int, y: int, bits: Bits) -> int:
        """Read the value at a leaf.

        Examples:
            >>> TagTree(1, 1).value(0, 0, Bits(bytes([0b00100000]), 0))
            2
        """
        threshold = 1
        while not self.below(x, y, threshold, bits):
            threshold += 1
            if threshold > MAX_ZERO_PLANES:
                raise UndecidedError
        return self.low[0][y * self.sides[0][0] + x]


class Bits:
    """Bits of a packet header; a byte after FF has seven."""

    def __init__(self, data: bytes, at: int) -> None:
        self.data, self.at, self.left, self.byte = data, at, 0, 0

    def read(self, count: int) -> int:
        """Read a number of `count` bits. Raises MissingError at the end of the data.

        Examples:
            >>> Bits(bytes([0xFF, 0x40]), 0).read(9)
            511
        """
        value = 0
        for _ in range(count):
            if not self.left:
                self.left = 7 if self.byte == 0xFF else 8
                self.byte = self._next()
            self.left -= 1
            value = value << 1 | (self.byte >> self.left & 1)
        return value

    def end(self) -> int:
        """Return the position after the header.

        Examples:
            >>> Bits(b"abc", 1).end()
            1
        """
        return self.at + (self.byte == 0xFF)

    def _next(self) -> int:
        if self.at >= len(self.data):
            raise MissingError
        self.at += 1
        return self.data[self.at - 1]


@dataclass
class Band:
    """The blocks of a subband in a precinct: passes, and what is known of them, row by row."""

    planes: int
    width: int
    height: int

    def __post_init__(self) -> None:
        blocks = self.width * self.height
        self.passes = [0] * blocks
        self.zero_planes = [0] * blocks
        self.length_bits = [3] * blocks
        if blocks:
            self.inclusion = TagTree(self.width, self.height)
            self.zeros = TagTree(self.width, self.height)

    def cut(self) -> bool:
        """Whether a block that is there lacks passes.

        Examples:
            >>> Band(8, 1, 1).cut()
            False
        """
        return any(
            passes and passes < 3 * (self.planes - zeros) - 2
            for passes, zeros in zip(self.passes, self.zero_planes, strict=True)
        )


def _passes(bits: Bits) -> int:
    """Read the number of new passes of a block (table B.4)."""
    if not bits.read(1):
        return 1
    if not bits.read(1):
        return 2
    for width, first in ((2, 3), (5, 6)):
        value = bits.read(width)
        if value != 2**width - 1:
            return first + value
    return 37 + bits.read(7)


def _segments(before: int, new: int, flags: int) -> Iterator[int]:
    """Yield how many of the new passes each codeword segment has."""
    while new:
        room = 109
        if flags & TERMINATE_ALL:
            room = 1
        elif flags & BYPASS:
            place = (before - 10) % 3
            room = 10 - before if before < 10 else 2 - place if place < 2 else 1
        taken = min(room, new)
        yield taken
        before, new = before + taken, new - taken


def read_packet(data: bytes, at: int, layer: int, bands: list[Band], flags: int) -> int:
    """Read a packet, count the passes of its blocks, and return the position after it.

    flags: of the component's coding style. Raises MissingError and UndecidedError.

    Examples:
        >>> read_packet(bytes([0]), 0, 0, [Band(8, 1, 1)], flags=0)
        1
    """
    if data[at : at + 2] == b"\xff\x91":
        at += 6
    bits, size = Bits(data, at), 0
    if bits.read(1):
        for band in bands:
            for block in range(band.width * band.height):
                y, x = divmod(block, band.width)
                before = band.passes[block]
                if before:
                    included = bits.read(1) == 1
                else:
                    included = band.inclusion.below(x, y, layer + 1, bits)
                if not included:
                    continue
                if not before:
                    band.zero_planes[block] = band.zeros.value(x, y, bits)
                new = _passes(bits)
                while bits.read(1):
                    band.length_bits[block] += 1
                for passes in _segments(before, new, flags):
                    size += bits.read(band.length_bits[block] + passes.bit_length() - 1)
                band.passes[block] += new
    at = bits.end()
    if data[at : at + 2] == b"\xff\x92":
        at += 2
    if at + size > len(data):
        raise MissingError
    return at + size
