"""Bytes to container. Hostile input is the normal case: each length is bounded before memory is taken for it.

Memory beyond the file itself: the payloads once more, at most 64 MiB of metadata twice, and the objects of the table of
contents, which are proportional to it (an entry has at least 12 bytes).
"""

from __future__ import annotations

import zlib

from bbans.container.geometry import tile_count
from bbans.container.integers import Cursor
from bbans.container.records import (
    DEFAULT_MAX_PIXELS,
    HAS_METADATA,
    HAS_MODEL,
    MAGIC,
    MAX_METADATA_BYTES,
    MAX_METADATA_CHUNKS,
    MODEL_ID_SIZE,
    NO_MODEL,
    U16_MAX,
    U32_MAX,
    VERSION,
    Container,
    Header,
    MetadataChunk,
    TileRecord,
    check_header,
    check_metadata,
    check_model_use,
    check_tile_entry,
    tile_sizes,
)
from bbans.errors import ChecksumError, FormatError, LimitError, NotBbansError, TrailingDataError, TruncatedError, VersionError

MIN_TILE_ENTRY = 12  # codec, precision, growth count, one byte of length, two checksums
MAX_PAYLOAD = 2**63 - 1


def _check_magic(data: bytes) -> None:
    start = data[: len(MAGIC)]
    if start == MAGIC:
        return
    if not start:
        raise TruncatedError("a bbans file was expected, found no bytes at all")
    if MAGIC.startswith(start):
        raise TruncatedError(f"the file ends in its magic bytes: {len(MAGIC)} expected, {len(start)} found")
    if start.startswith(MAGIC[:4]):
        raise NotBbansError("the magic bytes are damaged as by a transfer in text mode: copy the file again in binary mode")
    if start[:4] == bytes(byte & 0x7F for byte in MAGIC[:4]):
        raise NotBbansError("the magic bytes have lost their top bits: copy the file again over an 8-bit channel")
    raise NotBbansError(f"not a bbans file: it starts with {start.hex(' ')}, expected {MAGIC.hex(' ')}")


def _check_crc(cursor: Cursor, start: int) -> None:
    """Compares the checksum at the cursor with that of the bytes from `start` to it."""
    computed = zlib.crc32(cursor.data[start : cursor.position])
    if cursor.u32() != computed:
        raise ChecksumError(f"the {cursor.section} is damaged: its checksum does not match")


def _header(data: bytes, max_pixels: int) -> tuple[Header, int]:
    """The header and the offset of what follows it."""
    _check_magic(data)
    cursor = Cursor(data, "header", len(MAGIC))
    version = cursor.u8()
    if version != VERSION:
        raise VersionError(f"format version {version} is unknown to this release (it reads version {VERSION}): use another bbans")
    flags, pixel_format = cursor.u8(), cursor.u8()
    width, height, tile_width, tile_height = (cursor.varint(name, U32_MAX) for name in ("width", "height", "tile width", "tile height"))
    model_id = cursor.take(MODEL_ID_SIZE) if flags & HAS_MODEL else NO_MODEL
    _check_crc(cursor, 0)
    if flags & ~(HAS_METADATA | HAS_MODEL):
        raise VersionError(f"flags {flags:#04x} of the header are unknown to this release: use a newer bbans")
    if flags & HAS_MODEL and model_id == NO_MODEL:
        raise FormatError("the header has a model id of zeros, which stands for no model and is left out")
    header = Header(width, height, pixel_format, tile_width, tile_height, model_id, bool(flags & HAS_METADATA))
    check_header(header)
    if width * height > max_pixels:
        raise LimitError(f"the image has {width} x {height} pixels, more than the limit of {max_pixels}: raise the limit to decode it")
    return header, cursor.position


def read_header(data: bytes, max_pixels: int = DEFAULT_MAX_PIXELS) -> Header:
    """The checked header alone. Reads at most 67 bytes, so the start of a file is enough."""
    return _header(data, max_pixels)[0]


def _inflate(packed: bytes, size: int) -> bytes:
    """The `size` bytes of a zlib stream that fills `packed`; never makes more than one byte too many."""
    stream = zlib.decompressobj()
    try:
        body = stream.decompress(packed, size + 1)
    except zlib.error as error:
        raise FormatError(f"the metadata is damaged: {error}") from None
    if len(body) != size or not stream.eof or stream.unused_data:
        raise FormatError(f"the metadata is damaged: it does not decompress to {size} bytes")
    return body


def _chunks(body: bytes) -> tuple[MetadataChunk, ...]:
    cursor = Cursor(body, "metadata")
    chunks: list[MetadataChunk] = []
    while cursor.remaining:
        if len(chunks) == MAX_METADATA_CHUNKS:
            raise FormatError(f"there may be {MAX_METADATA_CHUNKS} metadata chunks, found more")
        kind = cursor.u8()
        chunks.append(MetadataChunk(kind & 0x7F, bool(kind >> 7), cursor.take(cursor.varint("chunk length", MAX_METADATA_BYTES))))
    check_metadata(chunks)
    return tuple(chunks)


def _metadata(data: bytes, start: int) -> tuple[tuple[MetadataChunk, ...], int]:
    """The chunks and the offset of what follows them."""
    cursor = Cursor(data, "metadata", start)
    method = cursor.u8()
    if method > 1:
        raise VersionError(f"metadata has compression {method}, unknown to this release (it knows 0 and 1): use a newer bbans")
    size = cursor.varint("size", MAX_METADATA_BYTES)
    if not size:
        raise FormatError("the metadata section is empty: it must be left out")
    if not method:
        body = cursor.take(size)
        _check_crc(cursor, start)
        return _chunks(body), cursor.position
    before = cursor.position
    packed = cursor.take(cursor.varint("compressed size", MAX_METADATA_BYTES))
    if cursor.position - before >= size:
        raise FormatError("the metadata is compressed although that does not make it smaller")
    _check_crc(cursor, start)
    return _chunks(_inflate(packed, size)), cursor.position


def _tile_entry(cursor: Cursor) -> tuple[TileRecord, int, int]:
    """A tile without its payload, and the payload's size and checksum."""
    codec, precision, steps = cursor.u8(), cursor.u8(), cursor.u8()
    growth = tuple((cursor.varint("symbols", U32_MAX), cursor.varint("lanes", U16_MAX)) for _ in range(steps))
    size = cursor.varint("payload size", MAX_PAYLOAD)
    payload_crc, crc = cursor.u32(), cursor.u32()
    return TileRecord(codec, precision, growth, b"", crc), size, payload_crc


def read(data: bytes, max_pixels: int = DEFAULT_MAX_PIXELS) -> Container:
    """The container, with every checksum of the file itself verified; those of decoded pixels are left to who decodes.

    Raises a `FormatError`: `NotBbansError`, `VersionError`, `TruncatedError`, `ChecksumError`, `TrailingDataError`, or
    `LimitError` for an image of more than `max_pixels` pixels.
    """
    header, position = _header(data, max_pixels)
    metadata: tuple[MetadataChunk, ...] = ()
    if header.has_metadata:
        metadata, position = _metadata(data, position)

    cursor = Cursor(data, "table of contents", position)
    count = tile_count(header.width, header.height, header.tile_width, header.tile_height)
    if count * MIN_TILE_ENTRY > cursor.remaining:
        raise TruncatedError(f"the file ends in its table of contents: {count} tiles expected, {cursor.remaining} bytes found")
    entries = [_tile_entry(cursor) for _ in range(count)]
    _check_crc(cursor, position)
    for index, ((tile, size, payload_crc), tile_bytes) in enumerate(zip(entries, tile_sizes(header), strict=True)):
        check_tile_entry(index, tile_bytes, tile, size, payload_crc)
    check_model_use(header.model_id, [tile for tile, _, _ in entries])

    expected = sum(size for _, size, _ in entries)
    if cursor.remaining < expected:
        raise TruncatedError(f"the file ends in its payloads: {expected} bytes expected, {cursor.remaining} found")
    if cursor.remaining > expected:
        raise TrailingDataError(f"{cursor.remaining - expected} bytes follow the end of the file: remove them")
    cursor.section = "payloads"
    tiles: list[TileRecord] = []
    for index, (tile, size, payload_crc) in enumerate(entries):
        payload = cursor.take(size)
        if zlib.crc32(payload) != payload_crc:
            raise ChecksumError(f"tile {index} of {count} is damaged: the checksum of its payload does not match")
        tiles.append(TileRecord(tile.codec, tile.latent_precision, tile.growth, payload, tile.pixels_crc))
    h = header
    return Container(h.width, h.height, h.pixel_format, h.tile_width, h.tile_height, h.model_id, metadata, tuple(tiles))
