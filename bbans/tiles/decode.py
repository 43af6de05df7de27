"""A tile's record to its samples: each part by its codec, then the checksum of the whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from bbans.container.file_records import TileRecord
from bbans.container.pixel_formats import PixelFormat
from bbans.container.tile_grid import pixels_crc
from bbans.errors import ChecksumError, FormatError, UnderflowError
from bbans.schemes.metering import Account, Symbols, Watch
from bbans.tiles.bit_map import Costs
from bbans.tiles.codec import Place, Samples
from bbans.tiles.context import Context, context_of, oracle_ops
from bbans.tiles.registry import CODECS

Watches = Callable[[int], Watch]


def decode_tile(
    record: TileRecord,
    shape: tuple[int, int],
    pixel_format: PixelFormat,
    context: Context,
    watches: Watches | None = None,
    accounted: bool = True,
) -> tuple[Samples, list[Account]]:
    """Samples of a tile, `(h, w)` or `(h, w, channels)`, and an account of each part, which some
    are quicker without (not `accounted`).

    A tile that fails is decoded once more by the oracle before damage is reported. Raises
    ChecksumError when the samples are not those that were coded. `watches(i)` is called when the
    decoder of part i begins, if it is one that tells the bits of symbols (once more with the
    oracle), and gives what to tell.
    """
    try:
        return _decode(record, Place(shape, pixel_format, context), watches, accounted)
    except (FormatError, UnderflowError):
        modelled = any(CODECS[part.codec].format.modelled for part in record.parts)
        if context.model is None or not modelled:
            raise
        context = context_of(context.model, oracle_ops())
        return _decode(record, Place(shape, pixel_format, context), watches, accounted)


def _decode(
    record: TileRecord, place: Place, watches: Watches | None, accounted: bool
) -> tuple[Samples, list[Account]]:
    told = [
        watches(i) if watches is not None and CODECS[part.codec].watched else None
        for i, part in enumerate(record.parts)
    ]
    parts = []
    for part, watch in zip(record.parts, told, strict=True):
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
    """A message that is too short is damage of the file."""
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
    """Every 2^level-th row and column of a tile, from the coarse levels alone where it is
    predicted. Its checksum cannot be verified.
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
    """`decode_tile`, and what every pixel cost. Raises as that does."""
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
    bits = np.sum([some.bits for some in costs], 0)
    return pixels, accounts, Costs(bits, tuple(share for some in costs for share in some.shares))


def ideal_bits(
    record: TileRecord, pixels: Samples, pixel_format: PixelFormat, context: Context, draws: int
) -> float:
    """What the parts of a tile `(h, w, channels)` should take under the exact model, in bits: -ELBO
    or a scheme's bound by so many draws, and what they take where another library coded them.
    """
    place, total, first = Place(pixels.shape[:2], pixel_format, context), 0.0, 0
    for part in record.parts:
        samples = pixels[:, :, first : first + part.channels]
        first += part.channels
        total += CODECS[part.codec].ideal_bits(part, samples, place, draws)
    return total
