"""The contents of a file of one image as values, and the rules of a valid file.

The rules are implemented once, in the functions `check_*`. The writer and the reader both call
them, so that whatever can be written can be read, and both refuse what breaks a rule.

Specification: `docs/format.md`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bbans.container import schemes
from bbans.container.binary import require
from bbans.container.jpeg_section import JpegRecord, check_jpeg_header
from bbans.container.metadata import MetadataChunk
from bbans.container.pixel_formats import FORMATS, PixelFormat
from bbans.container.schemes import Coding
from bbans.container.tile_codecs import CHAIN, CODECS, STORED
from bbans.container.tile_grid import tile_count, tile_rectangles
from bbans.errors import FormatError, VersionError

MAGIC = b"\xbbANS\r\n\x1a\n"
VERSION = 1
MODEL_ID_SIZE = 32
NO_MODEL = bytes(MODEL_ID_SIZE)

# bits of an orientation, in the order in which an encoder applies them
ROWS_REVERSED, COLUMNS_REVERSED, TRANSPOSED = 1, 2, 4
LATTICES = (0, 1, 2)  # none, JPEG, Photo YCC: `tiles.transforms.ycc_lattice`
CURVES = (0, 1)  # linear, square root: `distributions.sample_grid`

HAS_METADATA, HAS_MODEL, ONE_TILE, HAS_JPEG = 1, 2, 4, 8  # flags of the header
DEFAULT_MAX_PIXELS = 2**30
MAX_GROWTH_STEPS = 255
MAX_ROWS = 2**16  # samples a lane of a tile: bounds the time of its decoder
MAX_PREDICTED_PIXELS = 2**24  # pixels of a tile: bounds the memory of its decoder
U16_MAX, U32_MAX = 2**16 - 1, 2**32 - 1


@dataclass(frozen=True, slots=True)
class Axis:
    """The range of a part's samples, `low` to `low + span`, and the curve on which they lie.

    It is present for predictive codecs of samples that do not have 8 bits.
    """

    low: int
    span: int
    curve: int


@dataclass(frozen=True, slots=True)
class TilePart:
    """Some consecutive channels of a tile, and their coded bytes.

    `growth` is the lane schedule, pairs `(symbols, lanes)` that the codec defines.
    `latent_precision` is in bits, 0 for codecs without latents. `axis` belongs to predictive codecs
    of samples that do not have 8 bits, `orientation` and `lattice` to prepared codecs, and `coding`
    to codecs that store the scheme of a latent model (`CodecFormat.coded`).
    """

    codec: int
    channels: int
    payload: bytes
    latent_precision: int = 0
    growth: tuple[tuple[int, int], ...] = ()
    axis: Axis | None = None
    orientation: int = 0
    lattice: int = 0
    coding: Coding | None = None


def codec_name(part: TilePart) -> str:
    """Returns the name of a part's codec for people, with its scheme if it has one.

    Examples:
        >>> codec_name(TilePart(STORED, 1, b""))
        'stored'
    """
    if part.coding is None:
        return CODECS[part.codec].name
    return f"{CODECS[CHAIN].name}, {part.coding.name}"


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
        _check_part(where, pixel_format, shape, part, size)
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


def _check_part(
    where: str, pixel_format: PixelFormat, shape: tuple[int, int], part: TilePart, size: int
) -> None:
    """Raises FormatError, or VersionError on what is unknown, unless a part keeps the rules."""
    codec = CODECS.get(part.codec)
    if codec is None:
        known = ", ".join(known.name for known in CODECS.values())
        raise VersionError(
            f"{where} has codec {part.codec}, unknown to this release (it knows {known}): use a "
            "newer bbans"
        )
    name = f"{where} ({codec.name})"
    require(f"{name}: channels of a part", part.channels, 1, pixel_format.channels)
    require(
        f"{name}: latent precision", part.latent_precision, 0, 255 if codec.latent_precision else 0
    )
    require(f"{name}: orientation", part.orientation, 0, 7 if codec.prepared else 0)
    if codec.prepared and part.lattice not in LATTICES:
        raise VersionError(
            f"{name}: lattice {part.lattice} is unknown to this release (it knows 0 to "
            f"{max(LATTICES)}): use a newer bbans"
        )
    if part.lattice and (not codec.prepared or part.channels != 3 or pixel_format.bit_depth != 8):
        raise FormatError(f"{name}: a lattice belongs to three prepared channels of 8 bits")
    if codec.prepared and not part.orientation and not part.lattice:
        raise FormatError(f"{name}: samples as they are need no preparation")
    require(
        f"{name}: number of growth steps",
        len(part.growth),
        0,
        MAX_GROWTH_STEPS if codec.predictive else 0,
    )
    for symbols, lanes in part.growth:
        require(f"{name}: symbols of a growth step", symbols, 0, U32_MAX)
        require(f"{name}: lanes of a growth step", lanes, 1, U16_MAX)
    if codec.predictive and part.channels not in (1, 3):
        raise FormatError(f"{name}: 1 or 3 channels are predicted, found {part.channels}")
    rows = (
        shape[0] * shape[1] * part.channels // max([lanes for _, lanes in part.growth], default=1)
    )
    if (part.coding is not None) != codec.coded:
        raise FormatError(f"{name}: a scheme belongs to a coded chain, and to nothing else")
    if part.coding is not None:
        schemes.check_coding(name, part.coding, in_files=True)
        evaluated = shape[0] * shape[1] * part.channels * part.coding.evaluations
        require(f"{name}: samples of all evaluations", evaluated, 1, schemes.MAX_WEIGHTED_SAMPLES)
    if codec.latent_model and part.channels != pixel_format.channels:
        raise FormatError(
            f"{name}: it codes all {pixel_format.channels} channels together, found {part.channels}"
        )
    if codec.in_lanes and rows > MAX_ROWS:
        raise FormatError(
            f"{name}: a lane of the message holds up to {MAX_ROWS} samples, found {rows}"
        )
    if codec.predictive and shape[0] * shape[1] > MAX_PREDICTED_PIXELS:
        raise FormatError(
            f"{name}: tiles of up to {MAX_PREDICTED_PIXELS} pixels are predicted, found "
            f"{shape[1]} x {shape[0]}"
        )
    if pixel_format.bit_depth > codec.max_bit_depth:
        raise FormatError(
            f"{name}: it holds samples of up to {codec.max_bit_depth} bits, the format has "
            f"{pixel_format.bit_depth}"
        )
    if (part.axis is not None) != (codec.predictive and pixel_format.bit_depth != 8):
        raise FormatError(
            f"{name}: a range of samples belongs to predicted samples of other than 8 bits, and "
            "to no others"
        )
    if part.axis is not None:
        top = 2**pixel_format.bit_depth - 1
        require(f"{name}: range of samples", part.axis.span, 1, top)
        require(f"{name}: smallest sample", part.axis.low, 0, top - part.axis.span)
        if part.axis.curve not in CURVES:
            raise VersionError(
                f"{name}: curve {part.axis.curve} is unknown to this release: use a newer bbans"
            )
    expected = size
    if codec.payload_bytes is not None:
        expected = codec.payload_bytes(shape, part.channels, pixel_format)
    if size != expected:
        raise FormatError(f"{name}: its payload must be {expected} bytes, found {size}")


def check_model_use(model_id: bytes, tiles: Sequence[TileRecord]) -> None:
    """Raises FormatError unless the header names a model if and only if a tile needs one.

    Examples:
        >>> check_model_use(NO_MODEL, [TileRecord((TilePart(STORED, 1, b"7"),), 0)])
    """
    needed = any(CODECS[part.codec].modelled for tile in tiles for part in tile.parts)
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
