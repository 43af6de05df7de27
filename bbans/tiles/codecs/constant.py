"""Constant tiles: all pixels are equal, and one is stored."""

from __future__ import annotations

import numpy as np

from bbans.container import tile_codecs
from bbans.container.part_records import TilePart
from bbans.container.pixel_formats import PixelFormat
from bbans.container.tile_grid import from_raw, to_raw
from bbans.schemes.metering import Account, Watch
from bbans.tiles.codec import Place, Samples, TileCodec


def is_constant(samples: Samples) -> bool:
    """Return whether all pixels of samples `(h, w, channels)` are equal.

    Examples:
        >>> is_constant(np.ones((2, 2, 3), np.uint8))
        True
    """
    first = samples[0, 0]  # most tiles differ from it in their first row
    return bool((samples[0] == first).all()) and bool((samples == first).all())


def encode_constant(samples: Samples, pixel_format: PixelFormat) -> TilePart:
    """Store one pixel of samples `(h, w, channels)` that are all equal.

    Examples:
        >>> from bbans.container import FORMATS
        >>> encode_constant(np.full((2, 3, 1), 7, np.uint8), FORMATS[0]).payload.hex()
        '07'
    """
    payload = to_raw(samples[:1, :1], max(8, pixel_format.bit_depth))
    return TilePart(tile_codecs.CONSTANT, samples.shape[2], payload)


def _decode(
    part: TilePart, place: Place, watch: Watch | None, accounted: bool
) -> tuple[Samples, Account]:
    depth = max(8, place.pixel_format.bit_depth)
    pixel = from_raw(part.payload, (1, 1, part.channels), depth)
    samples = np.broadcast_to(pixel, (*place.shape, part.channels))
    return samples, Account(likelihood=8.0 * len(part.payload))


CODEC = TileCodec(tile_codecs.CODECS[tile_codecs.CONSTANT], _decode)
