"""Images: samples as arrays, metadata as PNG chunks, readers and writers of file formats, and sets
of images.

Names are imported on first use, so that importing `bbans.images.formats.registry` stays cheap.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bbans.images.atomic import atomic_write
    from bbans.images.dataset import content_hash, load_folder, split_holdout
    from bbans.images.folders import NotTaken, not_taken
    from bbans.images.formats.jpeg import JpegFile, jpeg_file, read_jpeg_metadata
    from bbans.images.formats.read import read_image, read_source
    from bbans.images.formats.write import write_image
    from bbans.images.image import (
        DEFAULT_MAX_PIXELS,
        Image,
        PngChunk,
        TiffTag,
        TiffTags,
        coded_samples,
        default_format,
        from_array,
        make_image,
        rebuilt,
        same_image,
        without_metadata,
    )
    from bbans.images.labels import read_labels
    from bbans.images.pillow_convert import as_image, from_pillow, to_pillow
    from bbans.images.sample_kind import SampleKind
    from bbans.images.sets import ImageSet, open_set
    from bbans.images.sources import file_bytes, is_pipe

PLACES = {
    "DEFAULT_MAX_PIXELS": "image",
    "Image": "image",
    "ImageSet": "sets",
    "JpegFile": "formats.jpeg",
    "NotTaken": "folders",
    "PngChunk": "image",
    "SampleKind": "sample_kind",
    "TiffTag": "image",
    "TiffTags": "image",
    "as_image": "pillow_convert",
    "atomic_write": "atomic",
    "coded_samples": "image",
    "content_hash": "dataset",
    "default_format": "image",
    "file_bytes": "sources",
    "from_array": "image",
    "from_pillow": "pillow_convert",
    "is_pipe": "sources",
    "jpeg_file": "formats.jpeg",
    "load_folder": "dataset",
    "make_image": "image",
    "not_taken": "folders",
    "open_set": "sets",
    "read_image": "formats.read",
    "read_jpeg_metadata": "formats.jpeg",
    "read_labels": "labels",
    "rebuilt": "image",
    "read_source": "formats.read",
    "same_image": "image",
    "split_holdout": "dataset",
    "to_pillow": "pillow_convert",
    "without_metadata": "image",
    "write_image": "formats.write",
}
"""The module of every public name."""
__all__ = [
    "DEFAULT_MAX_PIXELS",
    "Image",
    "ImageSet",
    "JpegFile",
    "NotTaken",
    "PngChunk",
    "SampleKind",
    "TiffTag",
    "TiffTags",
    "as_image",
    "atomic_write",
    "coded_samples",
    "content_hash",
    "default_format",
    "file_bytes",
    "from_array",
    "from_pillow",
    "is_pipe",
    "jpeg_file",
    "load_folder",
    "make_image",
    "not_taken",
    "open_set",
    "read_image",
    "read_jpeg_metadata",
    "read_labels",
    "read_source",
    "rebuilt",
    "same_image",
    "split_holdout",
    "to_pillow",
    "without_metadata",
    "write_image",
]


def __getattr__(name: str) -> Any:
    """Import the module of a public name on first use. Raises AttributeError for other names."""
    if name in PLACES:
        return getattr(import_module(f"bbans.images.{PLACES[name]}"), name)
    raise AttributeError(f"module 'bbans.images' has no attribute {name!r}")
