"""Stored tiles: raw samples without compression, the upper limit of every other codec."""

from __future__ import annotations

from bbans.container import tile_codecs
from bbans.container.part_records import TilePart
from bbans.container.tile_grid import from_raw
from bbans.schemes.metering import Account, Watch
from bbans.tiles.codec import Place, Samples, TileCodec


def _decode(
    part: TilePart, place: Place, watch: Watch | None, accounted: bool
) -> tuple[Samples, Account]:
    shape = *place.shape, part.channels
    samples = from_raw(part.payload, shape, place.pixel_format.bit_depth)
    return samples, Account(likelihood=8.0 * len(part.payload))


CODEC = TileCodec(tile_codecs.CODECS[tile_codecs.STORED], _decode)
