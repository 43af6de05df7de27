"""The two file formats as bytes: files of one image (header, metadata, table of contents, payloads)
and archives of many (header, index, payloads), with a checksum over each section.

Specifications: `docs/format.md` and `docs/archive.md`. Nothing here depends on how a model works or
how a payload is coded. `file_records` and `archive_records` hold the contents as values with the
rules of a valid file; the modules `*_writer` and `*_reader` convert them to bytes and back.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bbans.container.binary import Buffer, FileBuffer
    from bbans.container.file_header import read_header
    from bbans.container.file_reader import Index, read, read_index, read_metadata_only, read_tile
    from bbans.container.file_records import (
        DEFAULT_MAX_PIXELS,
        MAGIC,
        MODEL_ID_SIZE,
        NO_MODEL,
        VERSION,
        Container,
        Header,
        TileRecord,
    )
    from bbans.container.file_writer import framing_bits, write
    from bbans.container.metadata import (
        EXIF,
        ICC_PROFILE,
        PNG_CHUNK,
        PNG_CHUNK_AFTER_PIXELS,
        SAMPLES,
        TEXT,
        TIFF_TAGS,
        XMP,
        MetadataChunk,
    )
    from bbans.container.part_records import Axis, TilePart, Transform, codec_name, needs_model
    from bbans.container.pixel_formats import FORMATS, GREY8, RGB8, PixelFormat, format_of
    from bbans.container.sample_record import SampleRecord, record_of_samples, sample_chunks
    from bbans.container.tile_codecs import (
        BITS_BACK,
        CHAIN,
        CODECS,
        CODED_CHAIN,
        CONSTANT,
        FIXED,
        JPEGXL,
        LZMA,
        PREPARED,
        STORED,
        TRANSFORMED,
        WEBP,
        CodecFormat,
    )
    from bbans.container.tile_grid import from_raw, pixels_crc, tile_count, tile_rectangles, to_raw

PLACES = {
    "Axis": "part_records",
    "BITS_BACK": "tile_codecs",
    "Buffer": "binary",
    "CHAIN": "tile_codecs",
    "CODECS": "tile_codecs",
    "CODED_CHAIN": "tile_codecs",
    "CONSTANT": "tile_codecs",
    "CodecFormat": "tile_codecs",
    "Container": "file_records",
    "DEFAULT_MAX_PIXELS": "file_records",
    "EXIF": "metadata",
    "FIXED": "tile_codecs",
    "FORMATS": "pixel_formats",
    "FileBuffer": "binary",
    "GREY8": "pixel_formats",
    "Header": "file_records",
    "ICC_PROFILE": "metadata",
    "Index": "file_reader",
    "LZMA": "tile_codecs",
    "MAGIC": "file_records",
    "MODEL_ID_SIZE": "file_records",
    "MetadataChunk": "metadata",
    "NO_MODEL": "file_records",
    "PNG_CHUNK": "metadata",
    "PNG_CHUNK_AFTER_PIXELS": "metadata",
    "PREPARED": "tile_codecs",
    "PixelFormat": "pixel_formats",
    "RGB8": "pixel_formats",
    "SAMPLES": "metadata",
    "STORED": "tile_codecs",
    "SampleRecord": "sample_record",
    "TEXT": "metadata",
    "TIFF_TAGS": "metadata",
    "TilePart": "part_records",
    "TileRecord": "file_records",
    "VERSION": "file_records",
    "JPEGXL": "tile_codecs",
    "TRANSFORMED": "tile_codecs",
    "Transform": "part_records",
    "WEBP": "tile_codecs",
    "needs_model": "part_records",
    "XMP": "metadata",
    "codec_name": "part_records",
    "format_of": "pixel_formats",
    "framing_bits": "file_writer",
    "from_raw": "tile_grid",
    "pixels_crc": "tile_grid",
    "read": "file_reader",
    "read_header": "file_header",
    "read_index": "file_reader",
    "read_metadata_only": "file_reader",
    "read_tile": "file_reader",
    "sample_chunks": "sample_record",
    "record_of_samples": "sample_record",
    "tile_count": "tile_grid",
    "tile_rectangles": "tile_grid",
    "to_raw": "tile_grid",
    "write": "file_writer",
}
"""The module of each name of this package. A module is imported when one of its names is first
used, so that importing the package is fast.
"""
__all__ = [
    "BITS_BACK",
    "CHAIN",
    "CODECS",
    "CODED_CHAIN",
    "CONSTANT",
    "DEFAULT_MAX_PIXELS",
    "EXIF",
    "FIXED",
    "FORMATS",
    "GREY8",
    "ICC_PROFILE",
    "JPEGXL",
    "LZMA",
    "MAGIC",
    "MODEL_ID_SIZE",
    "NO_MODEL",
    "PNG_CHUNK",
    "PNG_CHUNK_AFTER_PIXELS",
    "PREPARED",
    "RGB8",
    "SAMPLES",
    "STORED",
    "TEXT",
    "TIFF_TAGS",
    "TRANSFORMED",
    "VERSION",
    "WEBP",
    "XMP",
    "Axis",
    "Buffer",
    "CodecFormat",
    "Container",
    "FileBuffer",
    "Header",
    "Index",
    "MetadataChunk",
    "PixelFormat",
    "SampleRecord",
    "TilePart",
    "TileRecord",
    "Transform",
    "codec_name",
    "format_of",
    "framing_bits",
    "from_raw",
    "needs_model",
    "pixels_crc",
    "read",
    "read_header",
    "read_index",
    "read_metadata_only",
    "read_tile",
    "record_of_samples",
    "sample_chunks",
    "tile_count",
    "tile_rectangles",
    "to_raw",
    "write",
]


def __getattr__(name: str) -> Any:
    if name in PLACES:
        return getattr(import_module(f"bbans.container.{PLACES[name]}"), name)
    raise AttributeError(f"module 'bbans.container' has no attribute {name!r}")
