"""The file format: header, metadata, table of contents, payloads, and a checksum over each. Specification: `docs/format.md`.

Bytes in, bytes out. Nothing here knows what a model is or how a payload is coded.
"""

from bbans.container.geometry import pixels_crc, tile_count, tile_rectangles
from bbans.container.reader import read, read_header
from bbans.container.records import (
    BITS_BACK,
    CODEC_NAMES,
    DEFAULT_MAX_PIXELS,
    EXIF,
    FIXED,
    GREY8,
    ICC_PROFILE,
    MAGIC,
    MODEL_ID_SIZE,
    NO_MODEL,
    PNG_CHUNK,
    PNG_CHUNK_AFTER_PIXELS,
    RGB8,
    STORED,
    TEXT,
    VERSION,
    XMP,
    Container,
    Header,
    MetadataChunk,
    TileRecord,
)
from bbans.container.writer import framing_bits, write

__all__ = [
    "BITS_BACK",
    "CODEC_NAMES",
    "DEFAULT_MAX_PIXELS",
    "EXIF",
    "FIXED",
    "GREY8",
    "ICC_PROFILE",
    "MAGIC",
    "MODEL_ID_SIZE",
    "NO_MODEL",
    "PNG_CHUNK",
    "PNG_CHUNK_AFTER_PIXELS",
    "RGB8",
    "STORED",
    "TEXT",
    "VERSION",
    "XMP",
    "Container",
    "Header",
    "MetadataChunk",
    "TileRecord",
    "framing_bits",
    "pixels_crc",
    "read",
    "read_header",
    "tile_count",
    "tile_rectangles",
    "write",
]
