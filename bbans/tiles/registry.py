"""Table of tile codecs by their numbers in files.

`register` adds a row, also from a module outside this package; nothing else has to be changed.
"""

from __future__ import annotations

from bbans.container import tile_codecs
from bbans.tiles.codec import TileCodec
from bbans.tiles.codecs import (
    constant,
    jpegxl,
    latent,
    lzma,
    pyramid,
    stored,
    transformed,
    webp,
)

CODECS: dict[int, TileCodec] = {}
"""All tile codecs by number."""


def register(codec: TileCodec) -> None:
    """Add a codec, and its format if that is new. Raises ValueError if the number is taken.

    Examples:
        >>> register(stored.CODEC)
        Traceback (most recent call last):
        ...
        ValueError: tile codec 0 is there already; choose another number
    """
    number = codec.format.number
    if number in CODECS:
        raise ValueError(f"tile codec {number} is there already; choose another number")
    if tile_codecs.CODECS.get(number) is not codec.format:
        tile_codecs.register_format(codec.format)
    CODECS[number] = codec


for _codec in (
    stored.CODEC,
    constant.CODEC,
    webp.CODEC,
    lzma.CODEC,
    *pyramid.CODECS,
    *latent.CODECS,
    jpegxl.CODEC,
    transformed.transformed(CODECS.__getitem__),
):
    register(_codec)
