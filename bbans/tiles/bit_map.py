"""Bits of every pixel of a tile: where in the image the information went that its message holds.

A sample's bits are those of the interval that its decoder met, at the sample's own pixel. A level's
latents belong to no pixel: a cell of their map stands for a square of the tile, and what it costs
net (prior minus what the posterior gave back, which may be below zero) is spread evenly over that
square. Exceptions of a lattice are shared by the pixels that are exceptions. What another library
coded, and the latents of a chain, are spread evenly over the tile. The sum over a tile is prior +
likelihood + posterior of its account, without the coder's overhead and the flush.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bbans.container.file_records import (
    CHAINS,
    CODEC_NAMES,
    PREDICTIVE,
    TilePart,
    TileRecord,
    codec_name,
)
from bbans.container.pixel_formats import PixelFormat
from bbans.schemes.metering import COARSEST, Account, Symbols, Watch
from bbans.schemes.pyramid import polyphase
from bbans.tiles.codecs.pyramid import Samples
from bbans.tiles.context import Predictors
from bbans.tiles.decode import decode_tile
from bbans.tiles.transforms.orientation import turn_back, turned_shape
from bbans.tiles.transforms.pipeline import split

Bits = NDArray[np.float64]
TERMS = ("likelihood", "prior", "posterior", "exceptions")


@dataclass(frozen=True)
class Share:
    """Bits of one term: `level` 0 is the image itself, each further one half its resolution; None
    where there is no pyramid.
    """

    codec: str
    level: int | None
    term: str
    bits: float


@dataclass(frozen=True)
class Costs:
    """`bits` float64 `(h, w)`: of every pixel, all its channels together.

    `shares` have the same sum, up to rounding.
    """

    bits: Bits
    shares: tuple[Share, ...]


def measured_tile(
    record: TileRecord, shape: tuple[int, int], pixel_format: PixelFormat, predictors: Predictors
) -> tuple[Samples, list[Account], Costs]:
    """`decode_tile`, and what every pixel cost. Raises as that does."""
    told: dict[int, list[Symbols]] = {}

    def watches(i: int) -> Watch:
        told[i] = []
        return told[i].append

    pixels, accounts = decode_tile(record, shape, pixel_format, predictors, watches)
    found = []
    for i, part in enumerate(record.parts):
        if part.codec in PREDICTIVE:
            block = 1 if predictors.net is None else predictors.net.config.latent_block
            found.append(_predicted(part, told.pop(i), shape, block))
        elif part.codec in CHAINS:
            found.append(_chained(part, told.pop(i), shape))
        else:
            found.append(_even(CODEC_NAMES[part.codec], accounts[i].likelihood, shape))
    bits = np.sum([costs.bits for costs in found], 0)
    return pixels, accounts, Costs(bits, tuple(share for costs in found for share in costs.shares))


def together(shares: Iterable[Share]) -> tuple[Share, ...]:
    """The sums of shares of one codec, level and term, in this order."""
    sums: dict[tuple[str, int | None, str], float] = {}
    for share in shares:
        key = share.codec, share.level, share.term
        sums[key] = sums.get(key, 0.0) + share.bits
    ordered = sorted(
        sums, key=lambda key: (key[0], -1 if key[1] is None else key[1], TERMS.index(key[2]))
    )
    return tuple(Share(*key, sums[key]) for key in ordered)


def _predicted(part: TilePart, told: list[Symbols], shape: tuple[int, int], block: int) -> Costs:
    """`block` positions of a level's grid, each way, have one cell of latents."""
    coded = np.zeros(turned_shape(shape, part.orientation))
    for symbols in told:
        _add(coded, symbols, block)
    bits = np.ascontiguousarray(turn_back(coded, part.orientation))
    name = CODEC_NAMES[part.codec]
    shares = [
        Share(name, symbols.level, symbols.term, float(symbols.bits.sum())) for symbols in told
    ]
    at, _, message = split(part, shape)
    if listed := 8.0 * (len(part.payload) - len(message)):
        shares.append(Share(name, None, "exceptions", listed))
        flat = bits.reshape(-1)
        flat[at if len(at) else slice(None)] += listed / (len(at) or flat.size)
    return Costs(bits, together(shares))


def _add(coded: Bits, symbols: Symbols, block: int) -> None:
    """Put symbols where they belong; `coded` is the tile as it was coded."""
    bits, step = symbols.bits.sum(2), 1 << symbols.level
    if symbols.phase != COARSEST:
        row, column = polyphase.OFFSETS[symbols.phase]
        coded[row * step :: 2 * step, column * step :: 2 * step] += bits
    elif symbols.term == "likelihood":
        coded[::step, ::step] += bits
    else:
        side = 2 * step * block
        rows, columns = (
            np.minimum(side, n - side * np.arange(cells))
            for n, cells in zip(coded.shape, bits.shape, strict=True)
        )
        coded += np.repeat(np.repeat(bits / np.outer(rows, columns), rows, 0), columns, 1)


def _chained(part: TilePart, told: list[Symbols], shape: tuple[int, int]) -> Costs:
    name = codec_name(part)
    bits = np.zeros(shape)
    for symbols in told:
        bits += (
            symbols.bits.sum(2) if symbols.term == "likelihood" else symbols.bits.sum() / bits.size
        )
    return Costs(
        bits, tuple(Share(name, None, symbols.term, float(symbols.bits.sum())) for symbols in told)
    )


def _even(name: str, bits: float, shape: tuple[int, int]) -> Costs:
    return Costs(
        np.full(shape, bits / (shape[0] * shape[1])), (Share(name, None, "likelihood", bits),)
    )
