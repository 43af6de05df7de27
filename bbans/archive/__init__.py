"""Archives from images and back: which image goes into which group, chained groups as pixels, what is left of a damaged archive.

An image that has the shape and samples that the chain model was made for joins a chained group, any other becomes a file of its
own in a group of files. Memory: the pixels of one chained group, and of one image more.
"""

from bbans.archive.groups import ChainModel, chain_model, decode_group, encode_group, load_embedded, model_file, with_scheme
from bbans.archive.reading import Lost, Sources, restore
from bbans.archive.writing import Built, Settings, build

__all__ = [
    "Built",
    "ChainModel",
    "Lost",
    "Settings",
    "Sources",
    "build",
    "chain_model",
    "decode_group",
    "encode_group",
    "load_embedded",
    "model_file",
    "restore",
    "with_scheme",
]
