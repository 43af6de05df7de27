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
from bbans.container.part_entries import part_entry
from bbans.container.pixel_formats import FORMATS
from bbans.container.sample_record import record_of_samples


def _tile_entry(tile: TileRecord) -> bytes:
    """An entry of the table of contents."""
    return (
        b"".join(part_entry(part, len(part.payload)) for part in tile.parts)
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
    record_of_samples(container.metadata, FORMATS[header.pixel_format])
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
        >>> from bbans.container.part_records import TilePart
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
        >>> from bbans.container.part_records import TilePart
        >>> from bbans.container.tile_codecs import CONSTANT
        >>> tile = TileRecord((TilePart(CONSTANT, 1, b"7"),), pixels_crc=0)
        >>> len(write(Container(30, 20, 0, 30, 20, bytes(32), (), (tile,))))
        33
    """
    payloads = [tile.payload for tile in container.tiles]
    if container.jpeg is not None:
        payloads = [container.jpeg.payload]
    return b"".join([_framing(container), *payloads])
