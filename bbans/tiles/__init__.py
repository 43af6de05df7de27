"""One tile of an image to its record and back: codecs for its channels, and the choice among them."""

from bbans.tiles.chained import chain_bits, check_fit
from bbans.tiles.decode import decode_tile, preview_tile
from bbans.tiles.encode import encode_tile, variety
from bbans.tiles.predicted import Samples, ideal_bits
from bbans.tiles.predictors import Predictors, fastest_ops, oracle_ops, predictors_of
from bbans.tiles.prepared import again, split

__all__ = [
    "Predictors",
    "Samples",
    "again",
    "chain_bits",
    "check_fit",
    "decode_tile",
    "encode_tile",
    "fastest_ops",
    "ideal_bits",
    "oracle_ops",
    "predictors_of",
    "preview_tile",
    "split",
    "variety",
]
