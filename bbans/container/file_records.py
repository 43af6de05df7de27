"""The contents of a file of one image as values, and the rules of a valid file.

The rules are implemented once, in the functions `check_*`. The writer and the reader both call
them, so that whatever can be written can be read, and both refuse what breaks a rule.

Specification: `docs/format.md`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bbans.container.binary import require
from bbans.container.jpeg_section import JpegRecord, check_jpeg_header
from bbans.container.metadata import MetadataChunk
from bbans.container.part_records import U32_MAX, TilePart, check_part, needs_model
from bbans.container.pixel_formats import FORMATS
from bbans.container.tile_codecs import CODECS, STORED
from bbans.container.tile_grid import tile_count, tile_rectangles
from bbans.errors import FormatError, VersionError

MAGIC = b"\xbbANS\r\n\x1a\n"
VERSION = 1
MODEL_ID_SIZE = 32
NO_MODEL = bytes(MODEL_ID_SIZE)

HAS_METADATA, HAS_MODEL, ONE_TILE, HAS_JPEG = 1, 2, 4, 8  # flags of the header
DEFAULT_MAX_PIXELS = 2**30
ANY_SIZE = U32_MAX**2  # pixels: a limit that no image exceeds


@dataclass(frozen=True, slots=True)
class TileRecord:
    """A tile: its parts in the order of the channels, and the CRC-32 of its raw pixels
    (`tile_grid.pixels_crc`).
    """

    parts: tuple[TilePart, ...]
    pixels_crc: int

    @property
    def payload(self) -> bytes:
        """The payloads of the parts, concatenated."""
        return b"".join(part.payload for part in self.parts)


@dataclass(frozen=True, slots=True)
class Header:
    """The first section of a file. `model_id` is `NO_MODEL` if no tile needs a model. `has_jpeg`: a
    JPEG follows in place of metadata and tiles.
    """

    width: int
    height: int
    pixel_format: int
    tile_width: int
    tile_height: int
    model_id: bytes
    has_metadata: bool
    has_jpeg: bool = False


@dataclass(frozen=True, slots=True)
class Container:
    """The contents of a file. Tiles are in the order of `tile_grid.tile_rectangles`. A file with a
    JPEG has no tiles and no metadata.
    """

    width: int
    height: int
    pixel_format: int
    tile_width: int
    tile_height: int
    model_id: bytes
    metadata: tuple[MetadataChunk, ...]
    tiles: tuple[TileRecord, ...]
    jpeg: JpegRecord | None = None


def header_of(container: Container) -> Header:
    """Returns the header of a container.

    Examples:
        >>> from bbans.container.pixel_formats import GREY8
        >>> header_of(Container(30, 20, GREY8, 30, 20, NO_MODEL, (), ())).has_metadata
        False
    """
    c = container
    return Header(
        c.width,
        c.height,
        c.pixel_format,
        c.tile_width,
        c.tile_height,
        c.model_id,
        bool(c.metadata),
        c.jpeg is not None,
    )


def check_header(header: Header) -> None:
    """Raises FormatError unless the header keeps the rules, and VersionError on an unknown pixel
    format.

    Examples:
        >>> check_header(Header(30, 20, 0, 30, 20, NO_MODEL, False))
    """
    if header.pixel_format not in FORMATS:
        raise VersionError(
            f"pixel format {header.pixel_format} is unknown to this release (it knows 0 to "
            f"{max(FORMATS)}): use a newer bbans"
        )
    require("width", header.width, 1, U32_MAX)
    require("height", header.height, 1, U32_MAX)
    require("tile width", header.tile_width, 1, header.width)
    require("tile height", header.tile_height, 1, header.height)
    if len(header.model_id) != MODEL_ID_SIZE:
        raise FormatError(f"a model id has {MODEL_ID_SIZE} bytes, found {len(header.model_id)}")
    if header.has_jpeg:
        check_jpeg_header(header)


def check_tile_entry(
    index: int,
    header: Header,
    shape: tuple[int, int],
    tile: TileRecord,
    sizes: Sequence[int],
    payload_crc: int,
) -> None:
    """Raises FormatError unless the entry of a tile keeps the rules, and VersionError on an unknown
    codec.

    `index` is the number of the tile and `shape` its `(height, width)`. The sizes of the parts'
    payloads and the checksum of the tile's payload are arguments, because the reader checks an
    entry before it reads the payload.

    Examples:
        >>> tile = TileRecord((TilePart(STORED, 1, b"7"),), pixels_crc=5)
        >>> header = Header(1, 1, 0, 1, 1, NO_MODEL, has_metadata=False)
        >>> check_tile_entry(0, header, (1, 1), tile, sizes=[1], payload_crc=5)
    """
    where = f"tile {index}"
    pixel_format = FORMATS[header.pixel_format]
    for part, size in zip(tile.parts, sizes, strict=True):
        check_part(where, pixel_format, shape, part, size)
        if CODECS[part.codec].coded and shape != (header.height, header.width):
            raise FormatError(f"{where}: a coded chain's tile is the whole image")
    channels = sum(part.channels for part in tile.parts)
    if channels != pixel_format.channels:
        raise FormatError(
            f"{where}: its parts must have {pixel_format.channels} channels, found {channels}"
        )
    require(f"{where}: pixel checksum", tile.pixels_crc, 0, U32_MAX)
    if [part.codec for part in tile.parts] == [STORED] and payload_crc != tile.pixels_crc:
        raise FormatError(
            f"{where} is stored: the checksums of its payload and of its pixels must be equal"
        )


def check_model_use(model_id: bytes, tiles: Sequence[TileRecord]) -> None:
    """Raises FormatError unless the header names a model if and only if a tile needs one.

    Examples:
        >>> check_model_use(NO_MODEL, [TileRecord((TilePart(STORED, 1, b"7"),), 0)])
    """
    needed = any(needs_model(part) for tile in tiles for part in tile.parts)
    if needed and model_id == NO_MODEL:
        raise FormatError("a tile needs a model, but the header names none")
    if not needed and model_id != NO_MODEL:
        raise FormatError("the header names a model that no tile needs")


def tile_shapes(header: Header) -> list[tuple[int, int]]:
    """Returns `(height, width)` of every tile, in order; the number of tiles must have been bounded
    before.

    Examples:
        >>> tile_shapes(Header(5, 2, 0, 3, 2, NO_MODEL, False))
        [(2, 3), (2, 2)]
    """
    return [
        part[2:]
        for part in tile_rectangles(
            header.width, header.height, header.tile_width, header.tile_height
        )
    ]


def check_tile_count(header: Header, found: int) -> None:
    """Raises FormatError unless `found` is the number of tiles that the header implies.

    Examples:
        >>> check_tile_count(Header(5, 2, 0, 3, 2, NO_MODEL, False), 2)
    """
    expected = tile_count(header.width, header.height, header.tile_width, header.tile_height)
    if found != expected:
        raise FormatError(f"the geometry asks for {expected} tiles, found {found}")
