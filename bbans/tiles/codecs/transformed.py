"""Transformed parts: a transform of a tile's channels, coded by parts of its own.

A payload is the table of renumbered samples, if there is one, then the payloads of the parts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from bbans.container import tile_codecs
from bbans.container.part_records import PHASES, TilePart, Transform
from bbans.container.pixel_formats import FORMATS
from bbans.errors import FormatError
from bbans.schemes.metering import Account, Symbols, Watch
from bbans.tiles.bit_map import Costs, Share, together
from bbans.tiles.codec import Place, Samples, TileCodec
from bbans.tiles.transforms import views

Codec = Callable[[int], TileCodec]
"""From a number to the codec of a nested part."""


def split(part: TilePart) -> tuple[Transform, bytes, list[TilePart]]:
    """Return the transform of a part, its table, and its parts with their payloads.

    Examples:
        >>> nested = TilePart(tile_codecs.STORED, 1, b"7")
        >>> view = views.View(np.array([[[7]]], np.uint8), FORMATS[0], PHASES)
        >>> split(view.parts_of_tile(1, [nested])[0])[2] == [nested]
        True
    """
    assert part.transform is not None
    table, position = part.payload[: part.transform.table_size], part.transform.table_size
    parts = []
    for nested, size in zip(part.transform.parts, part.transform.sizes, strict=True):
        parts.append(replace(nested, payload=part.payload[position : position + size]))
        position += size
    return part.transform, table, parts


def _place(transform: Transform, place: Place) -> Place:
    """Return the place of the nested parts."""
    return Place(transform.shape(place.shape), FORMATS[transform.pixel_format], place.context)


def transformed(codec_of: Codec) -> TileCodec:
    """Build the codec, whose nested parts are coded by `codec_of` their numbers.

    Examples:
        >>> from bbans.tiles.registry import CODECS
        >>> transformed(CODECS.__getitem__).format.name
        'transformed'
    """

    def decode(
        part: TilePart, place: Place, watch: Watch | None, accounted: bool
    ) -> tuple[Samples, Account]:
        transform, table, parts = split(part)
        inside = _place(transform, place)
        decoded = [codec_of(p.codec).decode(p, inside, None, accounted) for p in parts]
        result = np.concatenate([samples for samples, _ in decoded], axis=2)
        if int(result.max()) >> inside.pixel_format.bit_depth:
            raise FormatError(
                f"transformed samples of {inside.pixel_format.bit_depth} bits were expected, found "
                f"{result.max()}; the file is damaged"
            )
        samples = views.invert(
            result, transform, table, part.channels, place.pixel_format.bit_depth
        )
        return samples, sum(
            (account for _, account in decoded), Account(likelihood=8.0 * len(table))
        )

    def ideal_bits(part: TilePart, samples: Samples, place: Place, draws: int) -> float:
        transform, table, parts = split(part)
        result = views.reapply(samples, transform, table, place.pixel_format.bit_depth)
        total, first = 8.0 * len(table), 0
        for nested in parts:
            coded = result[:, :, first : first + nested.channels]
            first += nested.channels
            total += codec_of(nested.codec).ideal_bits(
                nested, coded, _place(transform, place), draws
            )
        return total

    def costs(part: TilePart, symbols: Sequence[Symbols], account: Account, place: Place) -> Costs:
        """Decode every nested part again, each with a watch of its own."""
        transform, table, parts = split(part)
        inside = _place(transform, place)
        bits = np.full(inside.shape, 8.0 * len(table) / (inside.shape[0] * inside.shape[1]))
        shares = [Share(CODEC_NAME, None, "exceptions", 8.0 * len(table))] if table else []
        for nested in parts:
            codec, seen = codec_of(nested.codec), list[Symbols]()
            watch = seen.append if codec.watched else None
            _, spent = codec.decode(nested, inside, watch, True)
            found = codec.costs(nested, seen, spent, inside)
            bits += found.bits
            shares += found.shares
        if transform.steps & PHASES:
            bits = np.repeat(np.repeat(bits / 4, 2, 0), 2, 1)
        return Costs(bits, together(shares))

    return TileCodec(
        tile_codecs.CODECS[tile_codecs.TRANSFORMED], decode, ideal_bits=ideal_bits, map=costs
    )


CODEC_NAME = tile_codecs.CODECS[tile_codecs.TRANSFORMED].name
