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
    from bbans.container.file_reader import Index, read, read_index, read_tile
    from bbans.container.file_records import (
        DEFAULT_MAX_PIXELS,
        MAGIC,
        MODEL_ID_SIZE,
        NO_MODEL,
        VERSION,
        Axis,
        Container,
        Header,
        TilePart,
        TileRecord,
        codec_name,
    )
    from bbans.container.file_writer import framing_bits, write
    from bbans.container.jpeg_section import (
        JPEG_METHODS,
        LZMA_JPEG,
        MAX_JPEG_BYTES,
        STORED_JPEG,
        TRANSCODED_JPEG,
        JpegEntry,
        JpegRecord,
        fits_blocks,
        read_jpeg_payload,
    )
    from bbans.container.metadata import (
        EXIF,
        ICC_PROFILE,
        PNG_CHUNK,
        PNG_CHUNK_AFTER_PIXELS,
        TEXT,
        XMP,
        MetadataChunk,
    )
    from bbans.container.pixel_formats import FORMATS, GREY8, RGB8, PixelFormat, format_of
    from bbans.container.tile_codecs import (
        BITS_BACK,
        CHAIN,
        CODECS,
        CODED_CHAIN,
        CONSTANT,
        FIXED,
        LZMA,
        PREPARED,
        STORED,
        WEBP,
        CodecFormat,
    )
    from bbans.container.tile_grid import from_raw, pixels_crc, tile_count, tile_rectangles, to_raw

PLACES = {
    "Axis": "file_records",
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
    "JPEG_METHODS": "jpeg_section",
    "JpegEntry": "jpeg_section",
    "JpegRecord": "jpeg_section",
    "LZMA": "tile_codecs",
    "LZMA_JPEG": "jpeg_section",
    "MAGIC": "file_records",
    "MAX_JPEG_BYTES": "jpeg_section",
    "MODEL_ID_SIZE": "file_records",
    "MetadataChunk": "metadata",
    "NO_MODEL": "file_records",
    "PNG_CHUNK": "metadata",
    "PNG_CHUNK_AFTER_PIXELS": "metadata",
    "PREPARED": "tile_codecs",
    "PixelFormat": "pixel_formats",
    "RGB8": "pixel_formats",
    "STORED": "tile_codecs",
    "STORED_JPEG": "jpeg_section",
    "TEXT": "metadata",
    "TRANSCODED_JPEG": "jpeg_section",
    "TilePart": "file_records",
    "TileRecord": "file_records",
    "VERSION": "file_records",
    "WEBP": "tile_codecs",
    "XMP": "metadata",
    "codec_name": "file_records",
    "fits_blocks": "jpeg_section",
    "format_of": "pixel_formats",
    "framing_bits": "file_writer",
    "from_raw": "tile_grid",
    "pixels_crc": "tile_grid",
    "read": "file_reader",
    "read_header": "file_header",
    "read_jpeg_payload": "jpeg_section",
    "read_index": "file_reader",
    "read_tile": "file_reader",
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
    "JPEG_METHODS",
    "LZMA",
    "LZMA_JPEG",
    "MAGIC",
    "MAX_JPEG_BYTES",
    "MODEL_ID_SIZE",
    "NO_MODEL",
    "PNG_CHUNK",
    "PNG_CHUNK_AFTER_PIXELS",
    "PREPARED",
    "RGB8",
    "STORED",
    "STORED_JPEG",
    "TEXT",
    "TRANSCODED_JPEG",
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
    "JpegEntry",
    "JpegRecord",
    "MetadataChunk",
    "PixelFormat",
    "TilePart",
    "TileRecord",
    "codec_name",
    "fits_blocks",
    "format_of",
    "framing_bits",
    "from_raw",
    "pixels_crc",
    "read",
    "read_header",
    "read_index",
    "read_jpeg_payload",
    "read_tile",
    "tile_count",
    "tile_rectangles",
    "to_raw",
    "write",
]


def __getattr__(name: str) -> Any:
    if name in PLACES:
        return getattr(import_module(f"bbans.container.{PLACES[name]}"), name)
    raise AttributeError(f"module 'bbans.container' has no attribute {name!r}")
