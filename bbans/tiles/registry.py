"""The table of tile codecs: all that is known of each, by its number in a file.

A row is added by `register`, for instance from a module of one's own; nothing in the package has to
be touched.
"""

from __future__ import annotations

from bbans.container import tile_codecs
from bbans.tiles.codec import TileCodec
from bbans.tiles.codecs import constant, latent, lzma, pyramid, stored, webp

CODECS: dict[int, TileCodec] = {}


def register(codec: TileCodec) -> None:
    """Add a codec, and its format where that is new. Raises ValueError on one that is there."""
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
):
    register(_codec)
