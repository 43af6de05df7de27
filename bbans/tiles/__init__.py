"""Coding of one tile of an image: a table of codecs for the tile's channels, and the choice of the
shortest.
"""

from bbans.tiles.bit_map import Costs, Share, together
from bbans.tiles.codec import Samples
from bbans.tiles.codecs.latent import check_fit
from bbans.tiles.context import Context, context_of, fastest_ops, oracle_ops, resolve_scheme
from bbans.tiles.decode import decode_tile, ideal_bits, measured_tile, preview_tile
from bbans.tiles.encode import encode_tile
from bbans.tiles.estimate import is_drawn

__all__ = [
    "Context",
    "Costs",
    "Samples",
    "Share",
    "check_fit",
    "context_of",
    "decode_tile",
    "encode_tile",
    "fastest_ops",
    "ideal_bits",
    "is_drawn",
    "measured_tile",
    "oracle_ops",
    "preview_tile",
    "resolve_scheme",
    "together",
]
