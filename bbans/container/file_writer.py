"""Encodes the contents of a file of one image: header, metadata if there is any, table of contents,
payloads; or header, section and payload of a JPEG.

Specification: `docs/format.md`.
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
from bbans.container.jpeg_section import check_jpeg_container, jpeg_section
from bbans.container.metadata import check_metadata, metadata_section
from bbans.container.schemes import Coding
from bbans.container.tile_codecs import CODECS


def _part_entry(part: TilePart) -> bytes:
    """A part in an entry of the table of contents."""
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
    """The scheme with which a latent model codes a part, and its parameters."""
    particles = varint(coding.particles) if coding.format.weighted else b""
    return (
        bytes([coding.scheme])
        + particles
        + bytes([coding.fineness if coding.format.fineness else coding.refinement])
    )


def _tile_entry(tile: TileRecord) -> bytes:
    """An entry of the table of contents."""
    return (
        b"".join(map(_part_entry, tile.parts))
        + u32(zlib.crc32(tile.payload))
        + u32(tile.pixels_crc)
    )


def _framing(container: Container) -> bytes:
    """Header, metadata and table of contents, or header and the section of a JPEG. Raises
    FormatError if a rule is broken.
    """
    header = header_of(container)
    check_header(header)
    if container.jpeg is not None:
        check_jpeg_container(container)
        return header_section(header) + jpeg_section(container.jpeg.entry)
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
    """Returns the number of bits of a file that are not payload: header, metadata and table of
    contents, or what stands before the payload of a JPEG.

    Raises FormatError if the container breaks a rule.

    Examples:
        >>> from bbans.container.tile_codecs import CONSTANT
        >>> tile = TileRecord((TilePart(CONSTANT, 1, b"7"),), pixels_crc=0)
        >>> container = Container(30, 20, 0, 30, 20, bytes(32), (), (tile,))
        >>> framing_bits(container) == 8 * len(write(container)) - 8
        True
    """
    return 8 * len(_framing(container))


def write(container: Container) -> bytes:
    """Encodes a container as the bytes of a file.

    Raises FormatError if the container breaks a rule for which a reader would refuse the file.

    Examples:
        >>> from bbans.container.tile_codecs import CONSTANT
        >>> tile = TileRecord((TilePart(CONSTANT, 1, b"7"),), pixels_crc=0)
        >>> len(write(Container(30, 20, 0, 30, 20, bytes(32), (), (tile,))))
        33
    """
    payloads = [tile.payload for tile in container.tiles]
    if container.jpeg is not None:
        payloads = [container.jpeg.payload]
    return b"".join([_framing(container), *payloads])
