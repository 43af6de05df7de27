"""Container to bytes: header, metadata when there is any, table of contents, payloads.

Tables in `docs/format.md`.
"""

from __future__ import annotations

import zlib

from bbans.container.binary import u32, varint, with_crc
from bbans.container.file_header import header_section
from bbans.container.file_records import (
    Container,
    TilePart,
    TileRecord,
    check_header,
    check_model_use,
    check_tile_count,
    check_tile_entry,
    header_of,
    tile_shapes,
)
from bbans.container.metadata import check_metadata, metadata_section
from bbans.container.schemes import Coding
from bbans.container.tile_codecs import CODECS


def _part_entry(part: TilePart) -> bytes:
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
        entry += _coding(part.coding)
    return entry + varint(len(part.payload))


def _coding(coding: Coding) -> bytes:
    particles = varint(coding.particles) if coding.format.weighted else b""
    return (
        bytes([coding.scheme])
        + particles
        + bytes([coding.fineness if coding.format.fineness else coding.refinement])
    )


def _tile_entry(tile: TileRecord) -> bytes:
    return (
        b"".join(map(_part_entry, tile.parts))
        + u32(zlib.crc32(tile.payload))
        + u32(tile.pixels_crc)
    )


def _framing(container: Container) -> bytes:
    header = header_of(container)
    check_header(header)
    check_metadata(container.metadata)
    check_tile_count(header, len(container.tiles))
    for index, (tile, shape) in enumerate(zip(container.tiles, tile_shapes(header), strict=True)):
        check_tile_entry(
            index,
            header,
            shape,
            tile,
            [len(part.payload) for part in tile.parts],
            zlib.crc32(tile.payload),
        )
    check_model_use(container.model_id, container.tiles)
    entries = b"".join(map(_tile_entry, container.tiles))
    return (
        header_section(header)
        + metadata_section(container.metadata)
        + with_crc(varint(len(entries)) + entries)
    )


def framing_bits(container: Container) -> int:
    """Bits of the file that are not payload: header, metadata and table of contents."""
    return 8 * len(_framing(container))


def write(container: Container) -> bytes:
    """The file. `FormatError` if the container breaks a rule that a reader would refuse it for."""
    return b"".join([_framing(container), *(tile.payload for tile in container.tiles)])
