"""A tile codec in one module: x_i = (start + step i) mod 2^depth for the i-th sample of a tile."""

from __future__ import annotations

import struct

import numpy as np

from bbans.container.part_records import TilePart
from bbans.container.tile_codecs import CodecFormat
from bbans.schemes.metering import Account, Watch
from bbans.tiles.codec import Place, Samples, TileCodec
from bbans.tiles.registry import register

RAMP = 11


def ramp(start: int, step: int, count: int, depth: int) -> np.ndarray:
    return (start + step * np.arange(count)) % 2**depth


def offer(samples: Samples, place: Place) -> TilePart | None:
    """A part where the samples are a ramp."""
    flat, depth = samples.reshape(-1).astype(np.int64), place.pixel_format.bit_depth
    step = int(flat[1] - flat[0]) % 2**depth if len(flat) > 1 else 0
    if not np.array_equal(ramp(int(flat[0]), step, len(flat), depth), flat):
        return None
    return TilePart(RAMP, samples.shape[2], struct.pack("<HH", int(flat[0]), step))


def decode(
    part: TilePart, place: Place, watch: Watch | None, accounted: bool
) -> tuple[Samples, Account]:
    shape, depth = (*place.shape, part.channels), place.pixel_format.bit_depth
    values = ramp(*struct.unpack("<HH", part.payload), int(np.prod(shape)), depth)
    dtype = np.uint16 if depth == 16 else np.uint8
    return values.astype(dtype).reshape(shape), Account(likelihood=8.0 * len(part.payload))


def four(shape: tuple[int, int], channels: int, pixel_format: object) -> int:
    return 4


CODEC = TileCodec(CodecFormat(RAMP, "ramp", payload_bytes=four), decode, offer=offer)


def add() -> None:
    register(CODEC)
