"""Reading and writing images: pixels as arrays, metadata as PNG chunks, files written whole or not
at all, sets of images.
"""

from bbans.images.atomic import atomic_write
from bbans.images.dataset import content_hash, load_folder, split_holdout
from bbans.images.formats.read import read_image
from bbans.images.formats.write import write_image
from bbans.images.image import (
    DEFAULT_MAX_PIXELS,
    Image,
    PngChunk,
    from_array,
    make_image,
    same_image,
    without_metadata,
)
from bbans.images.labels import read_labels
from bbans.images.pillow_convert import as_image, from_pillow, to_pillow
from bbans.images.sets import ImageSet, open_set

__all__ = [
    "DEFAULT_MAX_PIXELS",
    "Image",
    "ImageSet",
    "PngChunk",
    "as_image",
    "atomic_write",
    "content_hash",
    "from_array",
    "from_pillow",
    "load_folder",
    "make_image",
    "open_set",
    "read_image",
    "read_labels",
    "same_image",
    "split_holdout",
    "to_pillow",
    "without_metadata",
    "write_image",
]
