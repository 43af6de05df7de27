"""Decoding of a tile's record: every part by its codec, then the checksum of all samples."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from bbans.container.file_records import TileRecord
from bbans.container.part_records import needs_model
from bbans.container.pixel_formats import PixelFormat
from bbans.container.tile_grid import pixels_crc
from bbans.errors import ChecksumError, FormatError, UnderflowError
from bbans.schemes.metering import Account, Symbols, Watch
from bbans.tiles.bit_map import Costs
from bbans.tiles.codec import Place, Samples
from bbans.tiles.context import Context, context_of, oracle_ops
from bbans.tiles.registry import CODECS

Watches = Callable[[int], Watch]
"""`watches(i)` returns the `Watch` of part i."""


def decode_tile(
    record: TileRecord,
    shape: tuple[int, int],
    pixel_format: PixelFormat,
    context: Context,
    watches: Watches | None = None,
    accounted: bool = True,
) -> tuple[Samples, list[Account]]:
    """Decode a tile: return samples `(h, w)` or `(h, w, channels)`, and the account of each part in
    bits.

    Accounts may be empty unless `accounted`; some codecs are faster without. `watches(i)` is called
    before part i is decoded by a codec that reports its symbols, and returns the function that
    receives them.

    A tile that fails with a trained model is decoded a second time with the float64 reference
    operations before damage is reported; `watches` is then called again. Raises FormatError on
    damaged data, of which ChecksumError when the samples are not those that were coded.

    Examples:
        >>> from bbans.container import FORMATS
        >>> from bbans.tiles.encode import encode_tile
        >>> pixels = np.arange(6, dtype=np.uint8).reshape(2, 3)
        >>> record = encode_tile(pixels, FORMATS[0], Context())
        >>> decode_tile(record, (2, 3), FORMATS[0], Context())[0].tolist()
        [[0, 1, 2], [3, 4, 5]]
    """
    try:
        return _decode(record, Place(shape, pixel_format, context), watches, accounted)
    except (FormatError, UnderflowError):
        if context.model is None or not any(map(needs_model, record.parts)):
            raise
        context = context_of(context.model, oracle_ops())
        return _decode(record, Place(shape, pixel_format, context), watches, accounted)


def _decode(
    record: TileRecord, place: Place, watches: Watches | None, accounted: bool
) -> tuple[Samples, list[Account]]:
    """Decode all parts and verify range and checksum of the samples."""
    watches_of_parts = [
        watches(i) if watches is not None and CODECS[part.codec].watched else None
        for i, part in enumerate(record.parts)
    ]
    parts = []
    for part, watch in zip(record.parts, watches_of_parts, strict=True):
        with _short_messages_named():
            parts.append(CODECS[part.codec].decode(part, place, watch, accounted))
    samples = np.concatenate([values for values, _ in parts], axis=2)
    pixels = samples[:, :, 0] if samples.shape[2] == 1 else samples
    depth = place.pixel_format.bit_depth
    if int(pixels.max()) >> depth:
        raise FormatError(
            f"samples of {depth} bits were expected, found {pixels.max()}; the file is damaged"
        )
    if pixels_crc(pixels, depth) != record.pixels_crc:
        raise ChecksumError("a tile's pixels fail their checksum: the file is damaged")
    return np.ascontiguousarray(pixels), [account for _, account in parts]


@contextmanager
def _short_messages_named() -> Iterator[None]:
    """Turn UnderflowError, a message that is too short, into ChecksumError."""
    try:
        yield
    except UnderflowError as error:
        raise ChecksumError(
            "a tile's message ends too early: the file is damaged or its model another"
        ) from error


def preview_tile(
    record: TileRecord,
    shape: tuple[int, int],
    pixel_format: PixelFormat,
    context: Context,
    level: int,
) -> Samples:
    """Decode every 2^level-th row and column of a tile, where possible from the coarse levels
    alone.

    Returns samples `(rows, columns)` or `(rows, columns, channels)`. The checksum covers the whole
    tile and is not verified. Raises FormatError on damaged data.

    Examples:
        >>> from bbans.container import FORMATS
        >>> from bbans.tiles.encode import encode_tile
        >>> pixels = np.arange(6, dtype=np.uint8).reshape(2, 3)
        >>> record = encode_tile(pixels, FORMATS[0], Context())
        >>> preview_tile(record, (2, 3), FORMATS[0], Context(), level=1).tolist()
        [[0, 2]]
    """
    place, step = Place(shape, pixel_format, context), 2**level
    parts = []
    for part in record.parts:
        codec = CODECS[part.codec]
        with _short_messages_named():
            if codec.preview is None:
                parts.append(codec.decode(part, place, None, False)[0][::step, ::step])
            else:
                parts.append(codec.preview(part, place, level))
    samples = np.concatenate(parts, axis=2)
    return np.ascontiguousarray(samples[:, :, 0] if samples.shape[2] == 1 else samples)


def measured_tile(
    record: TileRecord, shape: tuple[int, int], pixel_format: PixelFormat, context: Context
) -> tuple[Samples, list[Account], Costs]:
    """Decode a tile like `decode_tile`; also return the bits of every pixel.

    Raises FormatError, of which ChecksumError, on damaged data.

    Examples:
        >>> from bbans.container import FORMATS
        >>> from bbans.tiles.encode import encode_tile
        >>> pixels = np.arange(6, dtype=np.uint8).reshape(2, 3)
        >>> record = encode_tile(pixels, FORMATS[0], Context())
        >>> _, accounts, costs = measured_tile(record, (2, 3), FORMATS[0], Context())
        >>> len(accounts), costs.bits.shape
        (1, (2, 3))
    """
    symbols: dict[int, list[Symbols]] = {}

    def watches(i: int) -> Watch:
        symbols[i] = []
        return symbols[i].append

    pixels, accounts = decode_tile(record, shape, pixel_format, context, watches)
    place = Place(shape, pixel_format, context)
    costs = [
        CODECS[part.codec].costs(part, symbols.get(i, ()), accounts[i], place)
        for i, part in enumerate(record.parts)
    ]
    bits = np.sum([part_costs.bits for part_costs in costs], 0)
    return (
        pixels,
        accounts,
        Costs(bits, tuple(share for part_costs in costs for share in part_costs.shares)),
    )


def ideal_bits(
    record: TileRecord, pixels: Samples, pixel_format: PixelFormat, context: Context, draws: int
) -> float:
    """Estimate the bits of the parts of a tile under the exact model, with `draws` samples of
    latents.

    pixels `(h, w, channels)`. A part counts with its -ELBO or its scheme's bound, and with its
    actual size where another library coded it.

    Examples:
        >>> from bbans.container import FORMATS
        >>> from bbans.tiles.encode import encode_tile
        >>> pixels = np.full((2, 3, 1), 7, np.uint8)
        >>> record = encode_tile(pixels, FORMATS[0], Context())
        >>> ideal_bits(record, pixels, FORMATS[0], Context(), draws=1)
        8.0
    """
    place, total, first = Place(pixels.shape[:2], pixel_format, context), 0.0, 0
    for part in record.parts:
        samples = pixels[:, :, first : first + part.channels]
        first += part.channels
        total += CODECS[part.codec].ideal_bits(part, samples, place, draws)
    return total
