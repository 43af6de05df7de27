"""Pixel formats: the samples of a pixel, and the number of bytes of raw pixels."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PixelFormat:
    """The samples of a pixel: `channels` of `bit_depth` bits each. If `palette`, they are indices
    into the palette in the metadata (PNG chunk `PLTE`). `code` is the number in a file.
    """

    code: int
    name: str
    channels: int
    bit_depth: int
    palette: bool = False

    def row_bytes(self, width: int, channels: int | None = None) -> int:
        """Returns the bytes of a raw row: samples of fewer than 8 bits are packed, and a row fills
        whole bytes.
        """
        return -(-width * (channels or self.channels) * self.bit_depth // 8)

    def raw_bytes(self, height: int, width: int, channels: int | None = None) -> int:
        """Returns the bytes of raw pixels, of all channels or of this number of them."""
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
"""The pixel formats by their code."""
GREY8, RGB8 = 0, 1


def format_of(channels: int, bit_depth: int, palette: bool) -> PixelFormat:
    """Returns the pixel format of an image. Raises KeyError on a combination that is no pixel
    format.

    Examples:
        >>> format_of(3, 16, palette=False).name
        'rgb16'
    """
    for pixel_format in FORMATS.values():
        if (pixel_format.channels, pixel_format.bit_depth, pixel_format.palette) == (
            channels,
            bit_depth,
            palette,
        ):
            return pixel_format
    raise KeyError((channels, bit_depth, palette))
