"""Pixel formats: what a sample is, and how many bytes raw pixels take."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PixelFormat:
    """Samples of a pixel. `palette`: they are indices into the palette (PNG chunk `PLTE`) that the
    metadata holds.
    """

    code: int
    name: str
    channels: int
    bit_depth: int
    palette: bool = False

    def row_bytes(self, width: int, channels: int | None = None) -> int:
        """Bytes of a raw row: samples of fewer than 8 bits are packed, and the row ends with a
        whole byte.
        """
        return -(-width * (channels or self.channels) * self.bit_depth // 8)

    def raw_bytes(self, height: int, width: int, channels: int | None = None) -> int:
        """Bytes of raw pixels, or of some channels of them."""
        return height * self.row_bytes(width, channels)


_ROWS = (
    ("grey8", 1, 8),
    ("rgb8", 3, 8),
    ("grey-alpha8", 2, 8),
    ("rgba8", 4, 8),
    ("grey16", 1, 16),
    ("rgb16", 3, 16),
    ("grey-alpha16", 2, 16),
    ("rgba16", 4, 16),
    ("grey1", 1, 1),
    ("grey2", 1, 2),
    ("grey4", 1, 4),
    ("palette1", 1, 1),
    ("palette2", 1, 2),
    ("palette4", 1, 4),
    ("palette8", 1, 8),
)
FORMATS = {
    code: PixelFormat(code, *row, palette=row[0].startswith("palette"))
    for code, row in enumerate(_ROWS)
}
GREY8, RGB8 = 0, 1


def format_of(channels: int, bit_depth: int, palette: bool) -> PixelFormat:
    """The format of an image. Raises KeyError for a combination that no image has."""
    for found in FORMATS.values():
        if (found.channels, found.bit_depth, found.palette) == (channels, bit_depth, palette):
            return found
    raise KeyError((channels, bit_depth, palette))
