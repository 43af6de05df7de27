"""LZMA from Python's standard library, for tiles that a model of photographs does not suit.

A payload is one byte with the distance of a delta filter (0: none), then a raw LZMA2 stream of the
raw samples.
"""

from __future__ import annotations

import lzma
from typing import Any

from bbans.container import tile_codecs
from bbans.container.part_records import TilePart
from bbans.container.tile_grid import from_raw
from bbans.errors import FormatError
from bbans.schemes.metering import Account, Watch
from bbans.tiles.codec import Place, Samples, TileCodec

DICTIONARY = 2**24
"""Largest dictionary in bytes; bounds the decoder's memory."""
SMALLEST_DICTIONARY = 2**12


def _filters(delta: int, dictionary: int = DICTIONARY) -> list[dict[str, Any]]:
    delta_filter: list[dict[str, Any]] = [{"id": lzma.FILTER_DELTA, "dist": delta}] if delta else []
    return [*delta_filter, {"id": lzma.FILTER_LZMA2, "preset": 9, "dict_size": dictionary}]


def encode_lzma(raw: bytes, sample_bytes: int) -> bytes:
    """Compress raw samples, with or without a delta filter of distance `sample_bytes`, whichever is
    shorter.

    Examples:
        >>> decode_lzma(encode_lzma(b"abc" * 100, 1), 300) == b"abc" * 100
        True
    """
    # A dictionary as large as the samples finds every match, and its tables cost less time than
    # those of a larger one, which would dominate for a small image.
    dictionary = min(max(SMALLEST_DICTIONARY, 1 << (len(raw) - 1).bit_length()), DICTIONARY)
    coded = (
        lzma.compress(raw, lzma.FORMAT_RAW, filters=_filters(delta, dictionary))
        for delta in (0, sample_bytes)
    )
    return min(
        (bytes([delta]) + data for delta, data in zip((0, sample_bytes), coded, strict=True)),
        key=len,
    )


def decode_lzma(payload: bytes, size: int) -> bytes:
    """Decompress a payload to exactly `size` bytes.

    Raises FormatError on damaged data or another size. At most `size` + 1 bytes are produced.

    Examples:
        >>> decode_lzma(encode_lzma(bytes(300), 1), 300) == bytes(300)
        True
    """
    if not payload:
        raise FormatError("an LZMA tile is empty; the file is damaged")
    decoder = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=_filters(payload[0]))
    try:
        raw = decoder.decompress(payload[1:], size + 1)
    except (lzma.LZMAError, EOFError) as error:
        raise FormatError(f"an LZMA tile cannot be decoded: {error}") from error
    if len(raw) != size or not decoder.eof or decoder.unused_data:
        raise FormatError(f"an LZMA tile does not decode to {size} bytes; the file is damaged")
    return raw


def _decode(
    part: TilePart, place: Place, watch: Watch | None, accounted: bool
) -> tuple[Samples, Account]:
    raw = decode_lzma(part.payload, place.pixel_format.raw_bytes(*place.shape, part.channels))
    samples = from_raw(raw, (*place.shape, part.channels), place.pixel_format.bit_depth)
    return samples, Account(likelihood=8.0 * len(part.payload))


CODEC = TileCodec(tile_codecs.CODECS[tile_codecs.LZMA], _decode)
