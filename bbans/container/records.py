"""What a file holds, as values, and the rules that a valid file keeps.

The rules are written once, in `check_header` and `check_container`: the writer and the reader both call them, so whatever
can be written can be read, and a file that breaks a rule is refused by both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bbans.container.geometry import tile_count, tile_rectangles
from bbans.errors import FormatError, VersionError

MAGIC = b"\xbbANS\r\n\x1a\n"
VERSION = 0
MODEL_ID_SIZE = 32
NO_MODEL = bytes(MODEL_ID_SIZE)

GREY8, RGB8 = 0, 1
BYTES_PER_PIXEL = {GREY8: 1, RGB8: 3}
PIXEL_FORMAT_NAMES = {GREY8: "grey8", RGB8: "rgb8"}

STORED, BITS_BACK, FIXED = 0, 1, 2
CODEC_NAMES = {STORED: "stored", BITS_BACK: "bits-back", FIXED: "fixed predictor"}

ICC_PROFILE, EXIF, XMP, TEXT, PNG_CHUNK, PNG_CHUNK_AFTER_PIXELS = 1, 2, 3, 4, 5, 6
METADATA_KINDS = frozenset({ICC_PROFILE, EXIF, XMP, TEXT, PNG_CHUNK, PNG_CHUNK_AFTER_PIXELS})

HAS_METADATA, HAS_MODEL = 1, 2  # flags of the header
DEFAULT_MAX_PIXELS = 2**30
MAX_METADATA_BYTES = 2**26  # after decompression
MAX_METADATA_CHUNKS = 2**16
MAX_METADATA_KIND = 2**7 - 1
MAX_GROWTH_STEPS = 255
U16_MAX, U32_MAX = 2**16 - 1, 2**32 - 1


@dataclass(frozen=True, slots=True)
class TileRecord:
    """One tile: how it is coded and its coded bytes.

    `growth` is the lane schedule, `(symbols, lanes)` pairs whose meaning belongs to the codec; `latent_precision` is in bits,
    0 when the tile has no latents; `pixels_crc` is that of the decoded pixels (`geometry.pixels_crc`).
    """

    codec: int
    latent_precision: int
    growth: tuple[tuple[int, int], ...]
    payload: bytes
    pixels_crc: int


@dataclass(frozen=True, slots=True)
class MetadataChunk:
    """Something besides pixels. A reader refuses a critical chunk of a kind it does not know and carries an ancillary one along."""

    kind: int
    critical: bool
    payload: bytes


@dataclass(frozen=True, slots=True)
class Header:
    """The first section of a file. `model_id` is `NO_MODEL` when no tile needs a model."""

    width: int
    height: int
    pixel_format: int
    tile_width: int
    tile_height: int
    model_id: bytes
    has_metadata: bool


@dataclass(frozen=True, slots=True)
class Container:
    """A whole file. Tiles are in the order of `geometry.tile_rectangles`."""

    width: int
    height: int
    pixel_format: int
    tile_width: int
    tile_height: int
    model_id: bytes
    metadata: tuple[MetadataChunk, ...]
    tiles: tuple[TileRecord, ...]


def header_of(container: Container) -> Header:
    """The header that belongs to a container."""
    c = container
    return Header(c.width, c.height, c.pixel_format, c.tile_width, c.tile_height, c.model_id, bool(c.metadata))


def _require_range(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise FormatError(f"{name} must be {low} to {high}, found {value}")


def check_header(header: Header) -> None:
    """Raises `FormatError` (an unknown pixel format: `VersionError`) unless the header keeps the rules."""
    if header.pixel_format not in BYTES_PER_PIXEL:
        raise VersionError(f"pixel format {header.pixel_format} is unknown to this release (it knows grey8 and rgb8): use a newer bbans")
    _require_range("width", header.width, 1, U32_MAX)
    _require_range("height", header.height, 1, U32_MAX)
    _require_range("tile width", header.tile_width, 1, header.width)
    _require_range("tile height", header.tile_height, 1, header.height)
    if len(header.model_id) != MODEL_ID_SIZE:
        raise FormatError(f"a model id has {MODEL_ID_SIZE} bytes, found {len(header.model_id)}")


def check_tile_entry(index: int, tile_bytes: int, tile: TileRecord, payload_size: int, payload_crc: int) -> None:
    """Raises `FormatError` (an unknown codec: `VersionError`) unless a tile's entry keeps the rules.

    `tile_bytes` is the size of the tile's raw pixels. Size and checksum of the payload are arguments, because the reader
    checks an entry before it takes the payload.
    """
    where = f"tile {index}"
    if tile.codec not in CODEC_NAMES:
        raise VersionError(
            f"{where} has codec {tile.codec}, unknown to this release (it knows {', '.join(CODEC_NAMES.values())}): use a newer bbans"
        )
    _require_range(f"{where}: latent precision", tile.latent_precision, 0, 255)
    _require_range(f"{where}: number of growth steps", len(tile.growth), 0, MAX_GROWTH_STEPS)
    for symbols, lanes in tile.growth:
        _require_range(f"{where}: symbols of a growth step", symbols, 0, U32_MAX)
        _require_range(f"{where}: lanes of a growth step", lanes, 1, U16_MAX)
    _require_range(f"{where}: pixel checksum", tile.pixels_crc, 0, U32_MAX)
    if tile.codec == FIXED and tile.latent_precision:
        raise FormatError(f"{where} is coded by the fixed predictor: its latent precision must be 0")
    if tile.codec == STORED:
        if tile.latent_precision or tile.growth:
            raise FormatError(f"{where} is stored: its latent precision must be 0 and its growth schedule empty")
        if payload_size != tile_bytes:
            raise FormatError(f"{where} is stored: its payload must be {tile_bytes} bytes, found {payload_size}")
        if payload_crc != tile.pixels_crc:
            raise FormatError(f"{where} is stored: the checksums of its payload and of its pixels must be equal")


def check_model_use(model_id: bytes, tiles: Sequence[TileRecord]) -> None:
    """Raises `FormatError` unless a model is named exactly when a tile needs one."""
    needed = any(tile.codec == BITS_BACK for tile in tiles)
    if needed and model_id == NO_MODEL:
        raise FormatError("a tile needs a model, but the header names none")
    if not needed and model_id != NO_MODEL:
        raise FormatError("the header names a model that no tile needs")


def check_metadata(chunks: Sequence[MetadataChunk]) -> None:
    """Raises `FormatError` (a critical chunk of an unknown kind: `VersionError`) unless the chunks keep the rules."""
    _require_range("number of metadata chunks", len(chunks), 0, MAX_METADATA_CHUNKS)
    for chunk in chunks:
        _require_range("metadata kind", chunk.kind, 1, MAX_METADATA_KIND)
        if chunk.critical and chunk.kind not in METADATA_KINDS:
            raise VersionError(f"critical metadata of kind {chunk.kind} is unknown to this release: use a newer bbans")
        name = chunk.payload[:4]
        if chunk.kind in (PNG_CHUNK, PNG_CHUNK_AFTER_PIXELS) and not (len(name) == 4 and name.isalpha() and name.isascii()):
            raise FormatError(f"a PNG chunk in the metadata must start with its four letters, found {name.hex(' ') or 'nothing'}")


def tile_sizes(header: Header) -> list[int]:
    """Bytes of every tile's raw pixels. The number of tiles must have been bounded before."""
    depth = BYTES_PER_PIXEL[header.pixel_format]
    rectangles = tile_rectangles(header.width, header.height, header.tile_width, header.tile_height)
    return [height * width * depth for _, _, height, width in rectangles]


def check_tile_count(header: Header, found: int) -> None:
    """Raises `FormatError` unless there are as many tiles as the geometry asks for."""
    expected = tile_count(header.width, header.height, header.tile_width, header.tile_height)
    if found != expected:
        raise FormatError(f"the geometry asks for {expected} tiles, found {found}")
