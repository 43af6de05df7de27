"""A tile's record to its samples: each part by its codec, then the checksum of the whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from bbans.container.file_records import (
    CHAINS,
    CONSTANT,
    LZMA,
    MODELLED,
    PREDICTIVE,
    WEBP,
    TilePart,
    TileRecord,
)
from bbans.container.pixel_formats import PixelFormat
from bbans.container.tile_grid import from_raw, pixels_crc
from bbans.errors import ChecksumError, FormatError, UnderflowError
from bbans.schemes.metering import Account, Watch
from bbans.tiles.codecs import fallback
from bbans.tiles.codecs.latent import decode_chain
from bbans.tiles.codecs.pyramid import Samples, decode_channels, preview_channels
from bbans.tiles.context import Predictors, oracle_ops, predictors_of

Watches = Callable[[int], Watch]


def decode_tile(
    record: TileRecord,
    shape: tuple[int, int],
    pixel_format: PixelFormat,
    predictors: Predictors,
    watches: Watches | None = None,
    accounted: bool = True,
) -> tuple[Samples, list[Account]]:
    """Samples of a tile, `(h, w)` or `(h, w, channels)`, and an account of each part, which some
    are quicker without (not `accounted`).

    A tile that fails is decoded once more by the oracle before damage is reported. Raises
    ChecksumError when the samples are not those that were coded. `watches(i)` is called when the
    decoder of part i, a predicted one or a chain, begins (once more with the oracle), and gives
    what to tell of its symbols.
    """
    try:
        return _decode(record, shape, pixel_format, predictors, watches, accounted)
    except (FormatError, UnderflowError):
        if predictors.model is None or not {part.codec for part in record.parts} & set(MODELLED):
            raise
        return _decode(
            record,
            shape,
            pixel_format,
            predictors_of(predictors.model, oracle_ops()),
            watches,
            accounted,
        )


def _decode(
    record: TileRecord,
    shape: tuple[int, int],
    pixel_format: PixelFormat,
    predictors: Predictors,
    watches: Watches | None,
    accounted: bool,
) -> tuple[Samples, list[Account]]:
    told = [
        None if watches is None or part.codec not in (*PREDICTIVE, *CHAINS) else watches(i)
        for i, part in enumerate(record.parts)
    ]
    parts = [
        _decode_part(part, shape, pixel_format, predictors, watch, accounted)
        for part, watch in zip(record.parts, told, strict=True)
    ]
    samples = np.concatenate([values for values, _ in parts], axis=2)
    pixels = samples[:, :, 0] if samples.shape[2] == 1 else samples
    if int(pixels.max()) >> pixel_format.bit_depth:
        raise FormatError(
            f"samples of {pixel_format.bit_depth} bits were expected, found {pixels.max()}; the "
            "file is damaged"
        )
    if pixels_crc(pixels, pixel_format.bit_depth) != record.pixels_crc:
        raise ChecksumError("a tile's pixels fail their checksum: the file is damaged")
    return np.ascontiguousarray(pixels), [account for _, account in parts]


def _decode_part(
    part: TilePart,
    shape: tuple[int, int],
    pixel_format: PixelFormat,
    predictors: Predictors,
    watch: Watch | None = None,
    accounted: bool = True,
) -> tuple[Samples, Account]:
    """Samples `(h, w, channels)` of a part."""
    if part.codec in PREDICTIVE:
        with _named():
            return decode_channels(
                predictors.of(part.codec), part, shape, pixel_format.bit_depth, watch
            )
    if part.codec in CHAINS:
        with _named():
            full = (*shape, part.channels)
            return decode_chain(
                predictors.of_chain(), part, full, pixel_format.bit_depth, accounted, watch
            )
    return _decode_plain(part, shape, pixel_format), Account(likelihood=8.0 * len(part.payload))


@contextmanager
def _named() -> Iterator[None]:
    """A message that is too short as damage of the file."""
    try:
        yield
    except UnderflowError as error:
        raise ChecksumError(
            "a tile's message ends too early: the file is damaged or its model another"
        ) from error


def _decode_plain(part: TilePart, shape: tuple[int, int], pixel_format: PixelFormat) -> Samples:
    depth, full = pixel_format.bit_depth, (*shape, part.channels)
    if part.codec == CONSTANT:
        return np.broadcast_to(from_raw(part.payload, (1, 1, part.channels), max(8, depth)), full)
    if part.codec == WEBP:
        return fallback.decode_webp(part.payload, shape, part.channels)
    raw = part.payload
    if part.codec == LZMA:
        raw = fallback.decode_lzma(raw, pixel_format.raw_bytes(*shape, part.channels))
    return from_raw(raw, full, depth)


def preview_tile(
    record: TileRecord,
    shape: tuple[int, int],
    pixel_format: PixelFormat,
    predictors: Predictors,
    level: int,
) -> Samples:
    """Every 2^level-th row and column of a tile, from the coarse levels alone where it is
    predicted. Its checksum cannot be verified.
    """
    step = 2**level
    with _named():
        parts = [
            preview_channels(predictors.of(part.codec), part, shape, pixel_format.bit_depth, level)
            if part.codec in PREDICTIVE
            else _decode_part(part, shape, pixel_format, predictors, accounted=False)[0][
                ::step, ::step
            ]
            for part in record.parts
        ]
    samples = np.concatenate(parts, axis=2)
    return np.ascontiguousarray(samples[:, :, 0] if samples.shape[2] == 1 else samples)
