"""The parts of a tile as values, and the rules of a valid part.

A part holds some consecutive channels of a tile, coded by one codec. A transformed part holds a
transform of its channels, which is coded by parts of its own.

Specification: `docs/format.md`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bbans.container import schemes
from bbans.container.binary import require
from bbans.container.pixel_formats import FORMATS, PixelFormat
from bbans.container.schemes import Coding
from bbans.container.tile_codecs import CHAIN, CODECS
from bbans.errors import FormatError, VersionError

# bits of an orientation, in the order in which an encoder applies them
ROWS_REVERSED, COLUMNS_REVERSED, TRANSPOSED = 1, 2, 4
LATTICES = (0, 1, 2)  # none, JPEG, Photo YCC: `tiles.transforms.ycc_lattice`
CURVES = (0, 1)  # linear, square root: `distributions.sample_grid`
# bits of a transform, in the order in which an encoder applies them
PHASES, MERGED, RENUMBERED, DIFFERENCES = 1, 2, 4, 8
ALL_STEPS = PHASES | MERGED | RENUMBERED | DIFFERENCES

MAX_GROWTH_STEPS = 255
MAX_ROWS = 2**16  # samples a lane of a tile: bounds the time of its decoder
MAX_PREDICTED_PIXELS = 2**24  # pixels of a tile: bounds the memory of its decoder
U16_MAX, U32_MAX = 2**16 - 1, 2**32 - 1
MAX_TABLE = 2**20  # bytes of the values of renumbered samples


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
    of samples that do not have 8 bits, `orientation` and `lattice` to prepared codecs, `coding` to
    codecs that store the scheme of a latent model (`CodecFormat.coded`), and `transform` to codecs
    that nest other parts (`CodecFormat.nests`).
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
    transform: Transform | None = None


@dataclass(frozen=True, slots=True)
class Transform:
    """A transform of a part's samples, and the parts that code its result.

    `steps`: bits of `PHASES`, `MERGED`, `RENUMBERED` and `DIFFERENCES`. `pixel_format`: code of the
    format of the result. `parts`: those of the result, whose payloads are empty here and have the
    given `sizes`; the payload of the outer part is a table of `table_size` bytes (0 unless
    renumbered), then theirs. `merged`: for each channel of the outer part that of the result, if
    steps has `MERGED`.
    """

    steps: int
    pixel_format: int
    parts: tuple[TilePart, ...]
    sizes: tuple[int, ...]
    table_size: int = 0
    merged: tuple[int, ...] = ()

    def shape(self, shape: tuple[int, int]) -> tuple[int, int]:
        """Returns rows and columns of the result, of those of the tile."""
        return (shape[0] // 2, shape[1] // 2) if self.steps & PHASES else shape


def needs_model(part: TilePart) -> bool:
    """Returns whether a part, or one that it nests, needs a trained model.

    Examples:
        >>> from bbans.container.tile_codecs import STORED
        >>> needs_model(TilePart(STORED, 1, b""))
        False
    """
    nested = part.transform.parts if part.transform is not None else ()
    return CODECS[part.codec].modelled or any(map(needs_model, nested))


def codec_name(part: TilePart) -> str:
    """Returns the name of a part's codec for people, with its scheme or nested codecs if it has
    them.

    Examples:
        >>> from bbans.container.tile_codecs import STORED
        >>> codec_name(TilePart(STORED, 1, b""))
        'stored'
    """
    if part.transform is not None:
        nested = " and ".join(map(codec_name, part.transform.parts))
        return f"{CODECS[part.codec].name}, {nested}"
    if part.coding is None:
        return CODECS[part.codec].name
    return f"{CODECS[CHAIN].name}, {part.coding.name}"


def check_part(
    where: str, pixel_format: PixelFormat, shape: tuple[int, int], part: TilePart, size: int
) -> None:
    """Raises FormatError, or VersionError on what is unknown, unless a part of a tile of this shape
    keeps the rules.

    `size`: that of its payload, which need not be there. `where` names the tile in errors.

    Examples:
        >>> from bbans.container.tile_codecs import STORED
        >>> check_part("tile 0", FORMATS[0], (2, 3), TilePart(STORED, 1, b""), size=6)
    """
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
    if pixel_format.bit_depth > codec.max_bit_depth:
        raise FormatError(
            f"{name}: it holds samples of up to {codec.max_bit_depth} bits, the format has "
            f"{pixel_format.bit_depth}"
        )
    _check_preparation(name, pixel_format, part)
    _check_scheme(name, pixel_format, shape, part)
    _check_lanes(name, shape, part)
    _check_axis(name, pixel_format, part)
    _check_transform(name, pixel_format, shape, part)
    expected = size
    if codec.payload_bytes is not None:
        expected = codec.payload_bytes(shape, part.channels, pixel_format)
    if part.transform is not None:
        expected = part.transform.table_size + sum(part.transform.sizes)
    if size != expected:
        raise FormatError(f"{name}: its payload must be {expected} bytes, found {size}")


def _check_preparation(name: str, pixel_format: PixelFormat, part: TilePart) -> None:
    """Rules of orientation and lattice."""
    codec = CODECS[part.codec]
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


def _check_scheme(
    name: str, pixel_format: PixelFormat, shape: tuple[int, int], part: TilePart
) -> None:
    """Rules of the codecs of latent models of whole images."""
    codec = CODECS[part.codec]
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


def _check_lanes(name: str, shape: tuple[int, int], part: TilePart) -> None:
    """Rules of messages, which bound the time and the memory of their decoder."""
    codec, pixels = CODECS[part.codec], shape[0] * shape[1]
    steps = MAX_GROWTH_STEPS if codec.predictive else 0
    require(f"{name}: number of growth steps", len(part.growth), 0, steps)
    for symbols, lanes in part.growth:
        require(f"{name}: symbols of a growth step", symbols, 0, U32_MAX)
        require(f"{name}: lanes of a growth step", lanes, 1, U16_MAX)
    if codec.predictive and part.channels not in (1, 3):
        raise FormatError(f"{name}: 1 or 3 channels are predicted, found {part.channels}")
    rows = pixels * part.channels // max([lanes for _, lanes in part.growth], default=1)
    if codec.in_lanes and rows > MAX_ROWS:
        raise FormatError(
            f"{name}: a lane of the message holds up to {MAX_ROWS} samples, found {rows}"
        )
    if codec.predictive and pixels > MAX_PREDICTED_PIXELS:
        raise FormatError(
            f"{name}: tiles of up to {MAX_PREDICTED_PIXELS} pixels are predicted, found "
            f"{shape[1]} x {shape[0]}"
        )


def _check_axis(name: str, pixel_format: PixelFormat, part: TilePart) -> None:
    """Rules of the range of samples."""
    predictive = CODECS[part.codec].predictive
    if (part.axis is not None) != (predictive and pixel_format.bit_depth != 8):
        raise FormatError(
            f"{name}: a range of samples belongs to predicted samples of other than 8 bits, and "
            "to no others"
        )
    if part.axis is None:
        return
    top = 2**pixel_format.bit_depth - 1
    require(f"{name}: range of samples", part.axis.span, 1, top)
    require(f"{name}: smallest sample", part.axis.low, 0, top - part.axis.span)
    if part.axis.curve not in CURVES:
        raise VersionError(
            f"{name}: curve {part.axis.curve} is unknown to this release: use a newer bbans"
        )


def _check_transform(
    name: str, pixel_format: PixelFormat, shape: tuple[int, int], part: TilePart
) -> None:
    """Rules of a transform, of the format of its result, and of the parts of that."""
    transform = part.transform
    if (transform is not None) != CODECS[part.codec].nests:
        raise FormatError(f"{name}: a transform belongs to a transformed part, and to no other")
    if transform is None:
        return
    steps, result = transform.steps, FORMATS.get(transform.pixel_format)
    if steps & ~ALL_STEPS or result is None:
        raise VersionError(
            f"{name}: transform {steps:#x} to pixel format {transform.pixel_format} is unknown to "
            "this release: use a newer bbans"
        )
    if not steps or (steps & PHASES and steps & MERGED) or result.palette:
        raise FormatError(f"{name}: transform {steps:#x} to {result.name} has no meaning")
    if steps & PHASES and (part.channels != 1 or shape[0] % 2 or shape[1] % 2):
        raise FormatError(
            f"{name}: phases are of 1 channel with even sides, found {part.channels} of "
            f"{shape[1]} x {shape[0]}"
        )
    if steps & MERGED:
        check_merged(name, transform.merged, part.channels)
        channels = 1 + max(transform.merged)
    else:
        channels = 4 if steps & PHASES else part.channels
    if channels != result.channels:
        raise FormatError(f"{name}: its transform has {channels} channels, not those of its format")
    if not steps & RENUMBERED and result.bit_depth != pixel_format.bit_depth:
        raise FormatError(f"{name}: samples that keep their values keep their bit depth")
    renumbered = bool(steps & RENUMBERED)
    require(f"{name}: size of its table", transform.table_size, renumbered, renumbered * MAX_TABLE)
    if sum(nested.channels for nested in transform.parts) != result.channels:
        raise FormatError(f"{name}: its parts must have {result.channels} channels")
    for nested, size in zip(transform.parts, transform.sizes, strict=True):
        check_part(name, result, transform.shape(shape), nested, size)
        if CODECS[nested.codec].latent_model or CODECS[nested.codec].nests:
            raise FormatError(f"{name}: {CODECS[nested.codec].name} cannot code a transform")


def check_merged(name: str, merged: Sequence[int], channels: int) -> None:
    """Raises FormatError unless `merged` numbers merged channels: in the order of their first
    appearance, and fewer than `channels`.

    Examples:
        >>> check_merged("tile 0", (0, 0, 0, 1), channels=4)
    """
    firsts = [max(merged[:i], default=-1) + 1 for i in range(len(merged))]
    if len(merged) != channels or any(n > first for n, first in zip(merged, firsts, strict=True)):
        raise FormatError(f"{name}: {tuple(merged)} are no merged channels of {channels}")
    if max(merged) + 1 >= channels:
        raise FormatError(f"{name}: {channels} channels that differ were merged")
