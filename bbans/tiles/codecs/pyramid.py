"""Channels of a tile coded with a pyramid model: samples of any bit depth mapped to the axis of the
model's grey levels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from bbans.container import tile_codecs
from bbans.container.part_records import Axis, TilePart
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

SAMPLE_SIDE = 256
"""Side of the central crop on which tone curves are compared."""

Ints = NDArray[np.int32]


def layout(axis: Axis | None) -> axes.Axis:
    """Return the axis of the model's distributions for a range of samples; None is that of 8-bit
    samples.

    Examples:
        >>> layout(None).n
        256
    """
    return axes.regular() if axis is None else axes.stretched(axis.span + 1, axis.curve)


def to_planes(samples: Samples, axis: Axis | None) -> Ints:
    """Convert samples `(h, w, 1 or 3)` to int32 `(3, h, w)`, counted from the smallest value; grey
    is repeated.

    Examples:
        >>> to_planes(np.zeros((4, 5, 1), np.uint8), None).shape
        (3, 4, 5)
    """
    planes = samples.transpose(2, 0, 1).astype(np.int32) - (0 if axis is None else axis.low)
    return np.ascontiguousarray(np.broadcast_to(planes, (3, *samples.shape[:2])))


def from_planes(x: Ints, axis: Axis | None, channels: int, bit_depth: int) -> Samples:
    """Invert `to_planes`: return samples `(h, w, channels)`, uint16 for a bit depth of 16, else
    uint8.

    Examples:
        >>> from_planes(np.zeros((3, 4, 5), np.int32), None, 1, 8).shape
        (4, 5, 1)
    """
    values = x[:channels].transpose(1, 2, 0) + (0 if axis is None else axis.low)
    return np.ascontiguousarray(values.astype(np.uint16 if bit_depth == 16 else np.uint8))


def axis_of(samples: Samples, bit_depth: int) -> Axis | None:
    """Return the range of the samples, and the tone curve on which the fixed predictor codes their
    central crop shortest.

    None for 8-bit samples.

    Examples:
        >>> axis_of(np.array([[[3], [9]]], np.uint8), bit_depth=4)
        Axis(low=3, span=6, curve=0)
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
    """Yield codings of samples `(h, w, 1 or 3)`, highest latent precision first.

    Examples:
        >>> samples = np.zeros((16, 12, 1), np.uint8)
        >>> codings = code_channels(FixedPredictor(), samples, None, latents=False)
        >>> [coded.latent_precision for coded in codings]
        [0]
    """
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
    """Decode a part: return samples `(h, w, channels)` and the account of its payload in bits.

    `watch` receives the bits of every symbol, in the orientation and colour planes in which the
    samples were coded. Raises FormatError or UnderflowError on damaged data.

    Examples:
        >>> x = np.arange(192, dtype=np.uint8).reshape(16, 12, 1)
        >>> (coded,) = code_channels(FixedPredictor(), x, None, latents=False)
        >>> part = TilePart(tile_codecs.FIXED, 1, coded.words.astype("<u4").tobytes())
        >>> np.array_equal(decode_channels(FixedPredictor(), part, (16, 12), bit_depth=8)[0], x)
        True
    """
    exception_pixels, colours, words = pipeline.split_payload(part, shape)
    x, account = _decode(predictor, part, words, turned_shape(shape, part.orientation), 0, watch)
    samples = turn_back(from_planes(x, part.axis, part.channels, bit_depth), part.orientation)
    if part.lattice:
        samples = pipeline.undo_lattice(samples, part.lattice, exception_pixels, colours)
        account += Account(likelihood=8.0 * (len(part.payload) - len(words)))
    return samples, account


def preview_channels(
    predictor: PyramidPredictor, part: TilePart, shape: tuple[int, int], bit_depth: int, level: int
) -> Samples:
    """Decode every 2^level-th row and column of a part.

    The coarse levels suffice, unless the part was coded in another orientation: then its coarse
    levels hold other rows and columns, and the whole part is decoded. Raises FormatError or
    UnderflowError on damaged data.

    Examples:
        >>> x = np.arange(192, dtype=np.uint8).reshape(16, 12, 1)
        >>> (coded,) = code_channels(FixedPredictor(), x, None, latents=False)
        >>> part = TilePart(tile_codecs.FIXED, 1, coded.words.astype("<u4").tobytes())
        >>> half = preview_channels(FixedPredictor(), part, (16, 12), bit_depth=8, level=1)
        >>> np.array_equal(half, x[::2, ::2])
        True
    """
    if part.orientation:
        return decode_channels(predictor, part, shape, bit_depth)[0][:: 2**level, :: 2**level]
    exception_pixels, colours, words = pipeline.split_payload(part, shape)
    samples = from_planes(
        _decode(predictor, part, words, shape, level)[0], part.axis, part.channels, bit_depth
    )
    return (
        pipeline.undo_lattice(samples, part.lattice, exception_pixels, colours, shape[1], 2**level)
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
    """Estimate -ELBO in bits of samples `(h, w, 1 or 3)` under the exact model, with `draws`
    samples of the latents.

    Examples:
        >>> ideal_bits(FixedPredictor(), np.zeros((4, 5, 1), np.uint8), None, 0, draws=1)
        160.0
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
    """Decode a message of whole words down to resolution `level`."""
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
    """Estimate -ELBO of the samples as the model coded them, plus the bits of the list of
    exceptions.
    """
    coded = pipeline.reapply(samples, part)
    bits = ideal_bits(
        place.context.pyramid(part.codec), coded, part.axis, part.latent_precision, draws
    )
    return bits + 8.0 * (len(part.payload) - len(pipeline.split_payload(part, place.shape)[2]))


def _map(part: TilePart, symbols: Sequence[Symbols], account: Account, place: Place) -> Costs:
    """Map symbols to pixels. A cell of a level's latents describes a square of the tile, and its
    net bits (prior minus bits back, possibly negative) are spread evenly over that square. The bits
    of the list of exceptions are shared by the exceptional pixels.
    """
    net = place.context.net
    block = 1 if net is None else net.config.latent_block
    coded = np.zeros(turned_shape(place.shape, part.orientation))
    for group in symbols:
        _add(coded, group, block)
    bits = np.ascontiguousarray(turn_back(coded, part.orientation))
    name = tile_codecs.CODECS[part.codec].name
    shares = [Share(name, group.level, group.term, float(group.bits.sum())) for group in symbols]
    exception_pixels, _, message = pipeline.split_payload(part, place.shape)
    if exception_bits := 8.0 * (len(part.payload) - len(message)):
        shares.append(Share(name, None, "exceptions", exception_bits))
        flat = bits.reshape(-1)
        flat[exception_pixels if len(exception_pixels) else slice(None)] += exception_bits / (
            len(exception_pixels) or flat.size
        )
    return Costs(bits, together(shares))


def _add(coded: Bits, symbols: Symbols, block: int) -> None:
    """Add the bits of symbols to the tile as it was coded.

    One cell of latents covers `block` x `block` positions of a level's grid.
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
"""Codecs with a model, with the fixed predictor, and with a model after a transform of the
samples.
"""
