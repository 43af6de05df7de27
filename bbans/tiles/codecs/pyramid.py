"""Channels of a tile through a pyramid model: samples of any depth laid out over its grey levels,
coded, and back.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from bbans.container import tile_codecs
from bbans.container.file_records import Axis, TilePart
from bbans.distributions import sample_grid as axes
from bbans.errors import FormatError
from bbans.models.fixed_predictor import FixedPredictor
from bbans.schemes.metering import NO_PHASE, Account, Symbols, Watch
from bbans.schemes.pyramid import polyphase, self_funding
from bbans.schemes.pyramid.level import PyramidPredictor, analyse
from bbans.tiles.bit_map import Bits, Costs, Share, together
from bbans.tiles.codec import Place, Samples, TileCodec
from bbans.tiles.transforms import pipeline
from bbans.tiles.transforms.orientation import turn_back, turned_shape

SAMPLE_SIDE = 256  # of the crop on which curves are compared

Ints = NDArray[np.int32]


def layout(axis: Axis | None) -> axes.Axis:
    """The axis of a model's distributions for a range of samples; 8-bit samples have none."""
    return axes.regular() if axis is None else axes.stretched(axis.span + 1, axis.curve)


def to_planes(samples: Samples, axis: Axis | None) -> Ints:
    """`(h, w, 1 or 3)` to `(3, h, w)`, grey repeated, counted from the smallest value."""
    planes = samples.transpose(2, 0, 1).astype(np.int32) - (0 if axis is None else axis.low)
    return np.ascontiguousarray(np.broadcast_to(planes, (3, *samples.shape[:2])))


def from_planes(x: Ints, axis: Axis | None, channels: int, bit_depth: int) -> Samples:
    """Inverse of `to_planes`, uint8 or uint16."""
    values = x[:channels].transpose(1, 2, 0) + (0 if axis is None else axis.low)
    return np.ascontiguousarray(values.astype(np.uint16 if bit_depth == 16 else np.uint8))


def axis_of(samples: Samples, bit_depth: int) -> Axis | None:
    """The range of the samples and the curve on which the fixed predictor codes their middle
    shortest; None for 8 bits.
    """
    if bit_depth == 8:
        return None
    low, high = int(samples.min()), int(samples.max())
    if bit_depth < 8:
        return Axis(low, high - low, axes.LINEAR)
    h, w = samples.shape[:2]
    top, left = max(0, h - SAMPLE_SIDE) // 2, max(0, w - SAMPLE_SIDE) // 2
    middle = samples[top : top + SAMPLE_SIDE, left : left + SAMPLE_SIDE]
    return min(
        (Axis(low, high - low, curve) for curve in axes.CURVES),
        key=lambda axis: ideal_bits(FixedPredictor(), middle, axis, 0, 1),
    )


def code_channels(
    predictor: PyramidPredictor, samples: Samples, axis: Axis | None, latents: bool
) -> Iterator[self_funding.Encoded]:
    """Codings of samples `(h, w, 1 or 3)`, finest latents first."""
    chosen = layout(axis)
    levels, coarsest = analyse(predictor, to_planes(samples, axis), chosen)
    return self_funding.encodings(levels, coarsest, samples.shape[2], latents, chosen)


def decode_channels(
    predictor: PyramidPredictor,
    part: TilePart,
    shape: tuple[int, int],
    bit_depth: int,
    watch: Watch | None = None,
) -> tuple[Samples, Account]:
    """Samples `(h, w, channels)` of a part, and its account.

    Raises FormatError or UnderflowError on damage.

    `watch` is told the bits of every symbol, of samples as they were prepared.
    """
    at, colours, words = pipeline.split_payload(part, shape)
    x, account = _decode(predictor, part, words, turned_shape(shape, part.orientation), 0, watch)
    samples = turn_back(from_planes(x, part.axis, part.channels, bit_depth), part.orientation)
    if part.lattice:
        samples = pipeline.undo_lattice(samples, part.lattice, at, colours)
        account += Account(likelihood=8.0 * (len(part.payload) - len(words)))
    return samples, account


def preview_channels(
    predictor: PyramidPredictor, part: TilePart, shape: tuple[int, int], bit_depth: int, level: int
) -> Samples:
    """Every 2^level-th row and column of a part's samples, which of a turned part are not those of
    the coarse levels.
    """
    if part.orientation:
        return decode_channels(predictor, part, shape, bit_depth)[0][:: 2**level, :: 2**level]
    at, colours, words = pipeline.split_payload(part, shape)
    samples = from_planes(
        _decode(predictor, part, words, shape, level)[0], part.axis, part.channels, bit_depth
    )
    return (
        pipeline.undo_lattice(samples, part.lattice, at, colours, shape[1], 2**level)
        if part.lattice
        else samples
    )


def ideal_bits(
    predictor: PyramidPredictor,
    samples: Samples,
    axis: Axis | None,
    latent_precision: int,
    draws: int,
) -> float:
    """-ELBO of samples `(h, w, 1 or 3)` under the exact model, in bits; `draws` of the latents are
    averaged.
    """
    chosen = layout(axis)
    levels, coarsest = analyse(predictor, to_planes(samples, axis), chosen)
    return self_funding.ideal_bits(
        levels, coarsest, samples.shape[2], latent_precision, draws, axis=chosen
    )


def _decode(
    predictor: PyramidPredictor,
    part: TilePart,
    message: bytes,
    shape: tuple[int, int],
    level: int,
    watch: Watch | None = None,
) -> tuple[Ints, Account]:
    if len(message) % 4:
        raise FormatError(
            f"a tile's message is whole 32-bit words, found {len(message)} bytes; the file is "
            "damaged"
        )
    words = np.frombuffer(message, "<u4").astype(np.uint32)
    return self_funding.decode(
        predictor,
        words,
        shape,
        part.channels,
        part.latent_precision,
        part.growth,
        layout(part.axis),
        level,
        watch,
    )


def _decode_part(
    part: TilePart, place: Place, watch: Watch | None, accounted: bool
) -> tuple[Samples, Account]:
    predictor = place.context.pyramid(part.codec)
    return decode_channels(predictor, part, place.shape, place.pixel_format.bit_depth, watch)


def _preview(part: TilePart, place: Place, level: int) -> Samples:
    predictor = place.context.pyramid(part.codec)
    return preview_channels(predictor, part, place.shape, place.pixel_format.bit_depth, level)


def _ideal_bits(part: TilePart, samples: Samples, place: Place, draws: int) -> float:
    """-ELBO of the samples as the model coded them, and what lists the exceptions of a lattice."""
    coded = pipeline.reapply(samples, part)
    bits = ideal_bits(
        place.context.pyramid(part.codec), coded, part.axis, part.latent_precision, draws
    )
    return bits + 8.0 * (len(part.payload) - len(pipeline.split_payload(part, place.shape)[2]))


def _map(part: TilePart, symbols: Sequence[Symbols], account: Account, place: Place) -> Costs:
    """A level's latents belong to no pixel: a cell of their map stands for a square of the tile,
    and what it costs net (prior minus what the posterior gave back, which may be below zero) is
    spread evenly over that square. Exceptions of a lattice are shared by the pixels that are
    exceptions.
    """
    net = place.context.net
    block = 1 if net is None else net.config.latent_block
    coded = np.zeros(turned_shape(place.shape, part.orientation))
    for some in symbols:
        _add(coded, some, block)
    bits = np.ascontiguousarray(turn_back(coded, part.orientation))
    name = tile_codecs.CODECS[part.codec].name
    shares = [Share(name, some.level, some.term, float(some.bits.sum())) for some in symbols]
    at, _, message = pipeline.split_payload(part, place.shape)
    if listed := 8.0 * (len(part.payload) - len(message)):
        shares.append(Share(name, None, "exceptions", listed))
        flat = bits.reshape(-1)
        flat[at if len(at) else slice(None)] += listed / (len(at) or flat.size)
    return Costs(bits, together(shares))


def _add(coded: Bits, symbols: Symbols, block: int) -> None:
    """Put symbols where they belong in the tile as it was coded.

    `block` positions of a level's grid, each way, have one cell of latents.
    """
    bits, step = symbols.bits.sum(2), 1 << symbols.level
    if symbols.phase != NO_PHASE:
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


CODECS = tuple(
    TileCodec(tile_codecs.CODECS[number], _decode_part, _preview, _ideal_bits, _map)
    for number in (tile_codecs.BITS_BACK, tile_codecs.FIXED, tile_codecs.PREPARED)
)
"""By a model, by the fixed predictor, and by a model after some preparation."""
