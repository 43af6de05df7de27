"""Decodes bytes to the contents of a file of one image.

Hostile input is expected: every length is bounded before memory is allocated for it. Memory beyond
the file itself: the payloads once more, at most 64 MiB of metadata twice, and the objects of the
table of contents, which are proportional to it (an entry has at least 10 bytes).

Specification: `docs/format.md`.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace

from bbans.container.binary import Buffer, Cursor, check_crc
from bbans.container.file_header import decode_header
from bbans.container.file_records import (
    ANY_SIZE,
    DEFAULT_MAX_PIXELS,
    Container,
    Header,
    TileRecord,
    check_model_use,
    check_tile_entry,
    tile_shapes,
)
from bbans.container.jpeg_section import (
    JpegEntry,
    JpegRecord,
    read_jpeg_payload,
    read_jpeg_section,
)
from bbans.container.metadata import MetadataChunk, read_metadata
from bbans.container.part_entries import MAX_PAYLOAD, read_parts
from bbans.container.pixel_formats import FORMATS, PixelFormat
from bbans.container.sample_record import record_of_samples
from bbans.container.tile_grid import tile_count
from bbans.errors import (
    ChecksumError,
    FormatError,
    TrailingDataError,
    TruncatedError,
)

MIN_TILE_ENTRY = 10  # bytes: codec and channels, length of the payload, two checksums


@dataclass(frozen=True, slots=True)
class TileEntry:
    """An entry of the table of contents: a tile whose parts have empty payloads, the sizes of the
    payloads, their offset in the file, and their CRC-32.
    """

    tile: TileRecord
    sizes: tuple[int, ...]
    offset: int
    payload_crc: int


@dataclass(frozen=True, slots=True)
class Index:
    """The contents of a file without the payloads. `jpeg`: of a file that holds a JPEG, which has
    neither metadata nor tiles.
    """

    header: Header
    metadata: tuple[MetadataChunk, ...]
    entries: tuple[TileEntry, ...]
    jpeg: JpegEntry | None = None


def _tile_entry(cursor: Cursor, pixel_format: PixelFormat) -> TileEntry:
    """An entry whose offset is still 0."""
    parts = read_parts(cursor, pixel_format)
    payload_crc, crc = cursor.u32(), cursor.u32()
    record = TileRecord(tuple(part for part, _ in parts), crc)
    return TileEntry(record, tuple(size for _, size in parts), 0, payload_crc)


def _table(
    data: Buffer, start: int, count: int, pixel_format: PixelFormat
) -> tuple[list[TileEntry], int]:
    """The entries of `count` tiles, and the offset of the end of the table."""
    cursor = Cursor(data, "table of contents", start)
    size = cursor.varint("size", MAX_PAYLOAD)
    if size > cursor.remaining:
        raise TruncatedError(
            f"the file ends in its table of contents: {size} bytes expected, {cursor.remaining} "
            "found"
        )
    first = cursor.position
    body = cursor.take(size)
    check_crc(cursor, start)
    if count * MIN_TILE_ENTRY > size:
        raise FormatError(f"the table of contents has {size} bytes, too few for {count} tiles")
    table = Cursor(body, "table of contents")
    entries = [_tile_entry(table, pixel_format) for _ in range(count)]
    if table.remaining:
        raise FormatError(
            f"the table of contents has {table.remaining} bytes after its last tile, of {size} at "
            f"byte {first}"
        )
    return entries, cursor.position


def read_index(data: Buffer, max_pixels: int = DEFAULT_MAX_PIXELS, whole: bool = True) -> Index:
    """Decodes header, metadata and table of contents, or the section of a JPEG, and verifies their
    checksums.

    `data` may be a mapped file, since payloads are not read. If `whole`, a file that ends early or
    has more bytes is refused too. Raises a FormatError: NotBbansError, VersionError,
    TruncatedError, ChecksumError, TrailingDataError, or LimitError for an image of more than
    `max_pixels` pixels.

    Examples:
        >>> from bbans.container.file_writer import write
        >>> from bbans.container.part_records import TilePart
        >>> from bbans.container.tile_codecs import CONSTANT
        >>> tile = TileRecord((TilePart(CONSTANT, 1, b"7"),), pixels_crc=0)
        >>> read_index(write(Container(30, 20, 0, 30, 20, bytes(32), (), (tile,)))).entries[0].sizes
        (1,)
    """
    header, position = decode_header(data, max_pixels)
    if header.has_jpeg:
        jpeg = read_jpeg_section(data, position, header.width, header.height, max_pixels)
        if whole:
            _check_end(data, jpeg.offset, jpeg.offset + jpeg.payload_size)
        return Index(header, (), (), jpeg)
    metadata: tuple[MetadataChunk, ...] = ()
    if header.has_metadata:
        metadata, position = read_metadata(data, position)
        record_of_samples(metadata, FORMATS[header.pixel_format])

    count = tile_count(header.width, header.height, header.tile_width, header.tile_height)
    raw, end = _table(data, position, count, FORMATS[header.pixel_format])
    entries = []
    offset = end
    for index, (entry, shape) in enumerate(zip(raw, tile_shapes(header), strict=True)):
        check_tile_entry(index, header, shape, entry.tile, entry.sizes, entry.payload_crc)
        entries.append(replace(entry, offset=offset))
        offset += sum(entry.sizes)
    check_model_use(header.model_id, [entry.tile for entry in entries])
    if whole:
        _check_end(data, end, offset)
    return Index(header, metadata, tuple(entries))


def read_metadata_only(data: Buffer) -> tuple[MetadataChunk, ...]:
    """Decodes the metadata of a file, of which nothing after them is read.

    Raises a FormatError as `read_index` does.

    Examples:
        >>> from bbans.container.file_writer import write
        >>> from bbans.container.part_records import TilePart
        >>> from bbans.container.tile_codecs import CONSTANT
        >>> tile = TileRecord((TilePart(CONSTANT, 1, b"7"),), pixels_crc=0)
        >>> read_metadata_only(write(Container(30, 20, 0, 30, 20, bytes(32), (), (tile,))))
        ()
    """
    header, position = decode_header(data, ANY_SIZE)
    return read_metadata(data, position)[0] if header.has_metadata else ()


def _check_end(data: Buffer, start: int, end: int) -> None:
    """Raises TruncatedError or TrailingDataError unless the payloads, from `start` to `end`, end
    with the file.
    """
    if end > len(data):
        raise TruncatedError(
            f"the file ends in its payloads: {end - start} bytes expected, {len(data) - start} "
            "found"
        )
    if end < len(data):
        raise TrailingDataError(f"{len(data) - end} bytes follow the end of the file: remove them")


def read_tile(data: Buffer, index: Index, number: int) -> TileRecord:
    """Reads one tile with its payloads, and verifies their checksum.

    Raises TruncatedError or ChecksumError.

    Examples:
        >>> from bbans.container.file_writer import write
        >>> from bbans.container.part_records import TilePart
        >>> from bbans.container.tile_codecs import CONSTANT
        >>> tile = TileRecord((TilePart(CONSTANT, 1, b"7"),), pixels_crc=0)
        >>> data = write(Container(30, 20, 0, 30, 20, bytes(32), (), (tile,)))
        >>> read_tile(data, read_index(data), 0) == tile
        True
    """
    entry = index.entries[number]
    cursor = Cursor(data, "payloads", min(entry.offset, len(data)))
    payloads = [cursor.take(size) for size in entry.sizes]
    crc = 0
    for payload in payloads:
        crc = zlib.crc32(payload, crc)
    if crc != entry.payload_crc:
        raise ChecksumError(
            f"tile {number} of {len(index.entries)} is damaged: the checksum of its payload does "
            "not match"
        )
    parts = (
        replace(part, payload=payload)
        for part, payload in zip(entry.tile.parts, payloads, strict=True)
    )
    return TileRecord(tuple(parts), entry.tile.pixels_crc)


def read(data: Buffer, max_pixels: int = DEFAULT_MAX_PIXELS) -> Container:
    """Decodes a whole file and verifies its checksums, except those of the pixels, which are left
    to the decoder of the payloads.

    Raises a FormatError: NotBbansError, VersionError, TruncatedError, ChecksumError,
    TrailingDataError, or LimitError for an image of more than `max_pixels` pixels.

    Examples:
        >>> from bbans.container.file_writer import write
        >>> from bbans.container.part_records import TilePart
        >>> from bbans.container.tile_codecs import CONSTANT
        >>> tile = TileRecord((TilePart(CONSTANT, 1, b"7"),), pixels_crc=0)
        >>> container = Container(30, 20, 0, 30, 20, bytes(32), (), (tile,))
        >>> read(write(container)) == container
        True
    """
    index = read_index(data, max_pixels)
    jpeg = None
    if index.jpeg is not None:
        j = index.jpeg
        jpeg = JpegRecord(j.method, j.size, j.crc, read_jpeg_payload(data, j))
    tiles = tuple(read_tile(data, index, number) for number in range(len(index.entries)))
    h = index.header
    return Container(
        h.width,
        h.height,
        h.pixel_format,
        h.tile_width,
        h.tile_height,
        h.model_id,
        index.metadata,
        tiles,
        jpeg,
    )
