"""One tile of an image to its record and back: codecs for its channels, and the choice among
them.
"""

from bbans.tiles.bit_map import Costs, Share, measured_tile, together
from bbans.tiles.codecs.latent import chain_bits, check_fit
from bbans.tiles.codecs.pyramid import Samples, ideal_bits
from bbans.tiles.context import Predictors, asking, fastest_ops, oracle_ops, predictors_of
from bbans.tiles.decode import decode_tile, preview_tile
from bbans.tiles.encode import encode_tile, variety
from bbans.tiles.transforms.pipeline import again, split

__all__ = [
    "Costs",
    "Predictors",
    "Samples",
    "Share",
    "again",
    "asking",
    "chain_bits",
    "check_fit",
    "decode_tile",
    "encode_tile",
    "fastest_ops",
    "ideal_bits",
    "measured_tile",
    "oracle_ops",
    "predictors_of",
    "preview_tile",
    "split",
    "together",
    "variety",
]
