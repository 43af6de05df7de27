"""Encodes and decodes the entry of a part in the table of contents.

Specification: `docs/format.md`.
"""

from __future__ import annotations

from bbans.container.binary import Cursor, varint
from bbans.container.part_records import (
    MAX_TABLE,
    MERGED,
    RENUMBERED,
    U16_MAX,
    U32_MAX,
    Axis,
    TilePart,
    Transform,
)
from bbans.container.pixel_formats import FORMATS, PixelFormat
from bbans.container.schemes import MAX_PARTICLES, SCHEMES, Coding
from bbans.container.tile_codecs import CODECS
from bbans.errors import FormatError, VersionError

MAX_PAYLOAD = 2**63 - 1


def part_entry(part: TilePart, size: int) -> bytes:
    """Encodes a part whose payload has `size` bytes.

    Examples:
        >>> part_entry(TilePart(codec=0, channels=3, payload=b""), size=6).hex()
        '2006'
    """
    codec = CODECS[part.codec]
    entry = bytes([part.codec | (part.channels - 1) << 4])
    if codec.latent_precision:
        entry += bytes([part.latent_precision])
    if codec.prepared:
        entry += bytes([part.orientation, part.lattice])
    if part.axis is not None:
        entry += varint(part.axis.low) + varint(part.axis.span) + bytes([part.axis.curve])
    if codec.predictive:
        entry += bytes([len(part.growth)]) + b"".join(
            varint(symbols) + varint(lanes) for symbols, lanes in part.growth
        )
    if part.coding is not None:
        entry += _coding_entry(part.coding)
    if part.transform is not None:
        return entry + _transform_entry(part.transform)
    return entry + varint(size)


def _coding_entry(coding: Coding) -> bytes:
    """The scheme with which a latent model codes a part, and its parameters."""
    particles = varint(coding.particles) if coding.format.weighted else b""
    return (
        bytes([coding.scheme])
        + particles
        + bytes([coding.fineness if coding.format.fineness else coding.refinement])
    )


def _transform_entry(transform: Transform) -> bytes:
    """A transform and its parts, whose sizes give that of the whole."""
    entry = bytes([transform.steps, transform.pixel_format])
    if transform.steps & MERGED:
        entry += bytes([sum(n << 2 * i for i, n in enumerate(transform.merged))])
    if transform.steps & RENUMBERED:
        entry += varint(transform.table_size)
    pairs = zip(transform.parts, transform.sizes, strict=True)
    return entry + b"".join(part_entry(part, size) for part, size in pairs)


def read_parts(
    cursor: Cursor, pixel_format: PixelFormat, nested: bool = False
) -> list[tuple[TilePart, int]]:
    """Decodes the parts that together have the channels of a pixel format: each with an empty
    payload, and the size of its payload.

    nested: whether they are those of a transform. Raises FormatError on what cannot be a part, of
    which VersionError on an unknown codec or scheme.

    Examples:
        >>> [(part, size)] = read_parts(Cursor(bytes([0x20, 6]), "table"), FORMATS[1])
        >>> part.channels, size
        (3, 6)
    """
    parts: list[tuple[TilePart, int]] = []
    while sum(part.channels for part, _ in parts) < pixel_format.channels:
        parts.append(_read_part(cursor, pixel_format.bit_depth, nested))
    return parts


def _read_part(cursor: Cursor, bit_depth: int, nested: bool) -> tuple[TilePart, int]:
    """A part with an empty payload, and the size of its payload."""
    kind = cursor.u8()
    number, channels = kind & 0x0F, (kind >> 4 & 3) + 1
    codec = CODECS.get(number)
    if kind >> 6 or codec is None:  # the rest of the table cannot be read
        known = ", ".join(known.name for known in CODECS.values())
        raise VersionError(
            f"a tile has codec {kind & 0xCF:#x}, unknown to this release (it knows {known}): use "
            "a newer bbans"
        )
    precision = cursor.u8() if codec.latent_precision else 0
    orientation, lattice = (cursor.u8(), cursor.u8()) if codec.prepared else (0, 0)
    axis: Axis | None = None
    growth: tuple[tuple[int, int], ...] = ()
    if codec.predictive:
        if bit_depth != 8:
            axis = Axis(
                cursor.varint("smallest sample", U16_MAX),
                cursor.varint("range of samples", U16_MAX),
                cursor.u8(),
            )
        steps = cursor.u8()
        growth = tuple(
            (cursor.varint("symbols", U32_MAX), cursor.varint("lanes", U16_MAX))
            for _ in range(steps)
        )
    coding = _read_coding(cursor) if codec.coded else None
    if codec.nests and nested:
        raise FormatError("a transform is coded by another transform: the file is damaged")
    transform = _read_transform(cursor, channels) if codec.nests else None
    part = TilePart(
        number,
        channels,
        b"",
        latent_precision=precision,
        growth=growth,
        axis=axis,
        orientation=orientation,
        lattice=lattice,
        coding=coding,
        transform=transform,
    )
    if transform is not None:
        return part, transform.table_size + sum(transform.sizes)
    return part, cursor.varint("payload size", MAX_PAYLOAD)


def _read_coding(cursor: Cursor) -> Coding:
    """The scheme with which a latent model codes a part, and its parameters."""
    scheme = cursor.u8()
    known = SCHEMES.get(scheme)
    if known is None or not known.in_files:  # the rest of the table cannot be read
        raise VersionError(
            f"a tile is coded by scheme {scheme}, unknown to this release: use a newer bbans"
        )
    particles = cursor.varint("particles", MAX_PARTICLES) if known.weighted else 1
    last = cursor.u8()
    return (
        Coding(scheme, particles, fineness=last)
        if known.fineness
        else Coding(scheme, particles, last)
    )


def _read_transform(cursor: Cursor, channels: int) -> Transform:
    """A transform of `channels` channels and its parts."""
    steps, code = cursor.u8(), cursor.u8()
    result = FORMATS.get(code)
    if result is None:  # the rest of the table cannot be read
        raise VersionError(
            f"a transform to pixel format {code} is unknown to this release: use a newer bbans"
        )
    merged: tuple[int, ...] = ()
    if steps & MERGED:
        numbers = cursor.u8()
        merged = tuple(numbers >> 2 * i & 3 for i in range(channels))
        if numbers >> 2 * channels:
            raise FormatError(f"{channels} merged channels were expected, found more: damaged")
    table_size = cursor.varint("size of a table", MAX_TABLE) if steps & RENUMBERED else 0
    parts = read_parts(cursor, result, nested=True)
    return Transform(
        steps,
        code,
        tuple(part for part, _ in parts),
        tuple(size for _, size in parts),
        table_size,
        merged,
    )
