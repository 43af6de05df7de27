"""A tile to its record: which codec for which channels.

Colour and alpha are coded apart by the model or the fixed predictor, or all channels together by a
fallback coder, whichever is shorter; which of them are tried follows from the samples (`variety`).
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np

from bbans.container.file_records import (
    BITS_BACK,
    CHAINS,
    CONSTANT,
    FIXED,
    LZMA,
    MODEL_ID_SIZE,
    PREDICTIVE,
    PREPARED,
    STORED,
    WEBP,
    TilePart,
    TileRecord,
)
from bbans.container.pixel_formats import PixelFormat
from bbans.container.schemes import TWO_PART
from bbans.container.tile_grid import to_raw
from bbans.errors import InputError, TooFlatError
from bbans.models.fixed_predictor import FixedPredictor
from bbans.models.photo import ExactPhoto
from bbans.tiles.codecs import fallback
from bbans.tiles.codecs.latent import ChainPredictor, chain_part
from bbans.tiles.codecs.pyramid import Samples, axis_of, code_channels
from bbans.tiles.context import Predictors
from bbans.tiles.transforms.pipeline import Prepared, prepare

TRY_ALL_PIXELS = 2**14  # up to this many pixels every codec is tried
REPEATED, DISTINCT = (
    0.25,
    0.25,
)  # graphics have more repeated pixels and fewer distinct colours among the others
FLAT = 0.02  # with so few distinct colours the model is not tried
# one channel that has more levels may be a scan on a flat background: the model is tried too
GREYS = 64


def variety(pixels: Samples) -> float:
    """Distinct colours per pixel of a tile `(h, w, channels)` that looks drawn, infinity where it
    looks photographed.

    One channel of more than GREYS levels may be either, and counts as the least drawn. Pixels that
    repeat their left and upper neighbours are not counted. Every fourth pair of rows is looked at:
    this costs little.
    """
    rows = np.arange(1, len(pixels), 4) if len(pixels) > 256 else np.arange(1, len(pixels))
    if not len(rows) or pixels.shape[1] < 2:
        return 0.0
    here, left, above = pixels[rows, 1:], pixels[rows, :-1], pixels[rows - 1, 1:]
    repeated = ((here == left) & (here == above)).all(-1)
    if repeated.mean() <= REPEATED:
        return np.inf
    others = here[~repeated].astype(np.uint64)
    weights = np.uint64(65536) ** np.arange(pixels.shape[2], dtype=np.uint64)
    distinct = len(np.unique(others @ weights))
    if pixels.shape[2] == 1 and distinct > GREYS:
        return DISTINCT
    share = (distinct - 256) / max(1, len(others))
    return share if share <= DISTINCT else np.inf


def encode_tile(
    pixels: Samples, pixel_format: PixelFormat, predictors: Predictors, thorough: bool = False
) -> TileRecord:
    """Code a tile `(h, w)` or `(h, w, channels)` as short as the codecs that suit it can, or in
    every orientation too if `thorough`.

    A latent chain's tile has the chain's shape. Raises InputError where a chain was asked for that
    makes the tile larger than its samples.
    """
    raw = to_raw(pixels, pixel_format.bit_depth)
    crc = zlib.crc32(raw)
    samples = pixels.reshape(*pixels.shape[:2], -1)
    stored = TilePart(STORED, samples.shape[2], raw)
    if predictors.chain is not None and predictors.chain.asked is not None:
        return TileRecord(_as_asked(predictors.chain, samples, _cost((stored,))), crc)
    if (samples == samples[0, 0]).all():
        return TileRecord((_constant(samples, pixel_format),), crc)
    small = samples.shape[0] * samples.shape[1] <= TRY_ALL_PIXELS
    colours = 0.0 if pixel_format.palette else variety(samples)
    candidates: list[tuple[TilePart, ...]] = []
    to_beat = None
    if not pixel_format.palette and (small or colours > FLAT):
        candidates.append(
            _predicted(samples, pixel_format, predictors.net, small, range(8) if thorough else ())
        )
        to_beat = _cost(candidates[0]) if colours == np.inf else None
    if small or colours < np.inf:  # first, which of two equally short ones is taken
        candidates.insert(0, (_fallback(samples, pixel_format, thorough=small, to_beat=to_beat),))
    if predictors.chain is not None:
        candidates.append((chain_part(predictors.chain, samples),))
    best = min(candidates, key=_cost)
    return TileRecord(best if _cost(best) < _cost((stored,)) else (stored,), crc)


def _cost(parts: tuple[TilePart, ...]) -> int:
    """Bytes of the payloads and, roughly, of the table's entries.

    An image of a latent chain is one tile, which pays for the model's id.
    """
    chained = MODEL_ID_SIZE if parts[0].codec in CHAINS else 0
    return chained + sum(
        len(part.payload) + 2 + 5 * len(part.growth) + (part.axis is not None) * 5 for part in parts
    )


def _as_asked(chain: ChainPredictor, samples: Samples, most: int) -> tuple[TilePart]:
    """The part that was asked for. Raises InputError where it takes more than the samples."""
    part = chain_part(chain, samples)
    if (cost := _cost((part,))) > most:
        name = "" if part.coding is None else f" by {part.coding.name}"
        paid = part.coding is not None and part.coding.scheme != TWO_PART
        why = (
            "initial bits are paid for every latent and particle; ask for fewer particles, "
            if paid
            else ""
        )
        raise InputError(
            f"coded{name} this image takes {cost} bytes, and its samples {most}: {why}leave the "
            "scheme out, or archive many images"
        )
    return (part,)


def _constant(samples: Samples, pixel_format: PixelFormat) -> TilePart:
    return TilePart(
        CONSTANT, samples.shape[2], to_raw(samples[:1, :1], max(8, pixel_format.bit_depth))
    )


def _fallback(
    samples: Samples, pixel_format: PixelFormat, thorough: bool = True, to_beat: int | None = None
) -> TilePart:
    """WebP where it can hold the samples; LZMA where it cannot, or to see whether that is shorter.

    `to_beat`: see `encode_webp`.
    """
    channels, depth = samples.shape[2], pixel_format.bit_depth
    coded = []
    if depth <= 8 and max(samples.shape[:2]) <= fallback.WEBP_SIDE:
        coded.append((WEBP, fallback.encode_webp(samples.astype(np.uint8), to_beat)))
    if not coded or channels == 1 or thorough:
        coded.append(
            (LZMA, fallback.encode_lzma(to_raw(samples, depth), channels * max(1, depth // 8)))
        )
    codec, payload = min(coded, key=lambda found: len(found[1]))
    return TilePart(codec, channels, payload)


def _predicted(
    samples: Samples,
    pixel_format: PixelFormat,
    net: ExactPhoto | None,
    thorough: bool,
    orientations: Sequence[int],
) -> tuple[TilePart, ...]:
    """Colour and alpha, each on its own; colour in the shortest of these orientations, or without
    any in the one that suits it.
    """
    channels = samples.shape[2]
    colour = samples[:, :, : 1 if channels < 3 else 3]
    found = [Prepared(colour)] if net is None else prepare(colour, orientations)
    parts = [
        min(
            (_predicted_part(colour, each, pixel_format, net, thorough) for each in found),
            key=lambda part: _cost((part,)),
        )
    ]
    if channels in (2, 4):
        alpha = samples[:, :, -1:]
        choices = [_predicted_part(alpha, Prepared(alpha), pixel_format, None, thorough=False)]
        if choices[0].codec in PREDICTIVE:
            choices.append(_fallback(alpha, pixel_format))
        parts.append(min(choices, key=lambda part: _cost((part,))))
    return tuple(parts)


def _predicted_part(
    colour: Samples,
    prepared: Prepared,
    pixel_format: PixelFormat,
    net: ExactPhoto | None,
    thorough: bool,
) -> TilePart:
    """Samples as they were prepared for the model, or by a fallback coder as they are."""
    if (colour == colour[0, 0]).all():
        return _constant(colour, pixel_format)
    codec, predictor, latents = (
        (FIXED, FixedPredictor(), False) if net is None else (BITS_BACK, net, net.config.latents)
    )
    codec = PREPARED if prepared.orientation or prepared.lattice else codec
    samples = prepared.samples
    axis = axis_of(samples, pixel_format.bit_depth)
    best: TilePart | None = None
    try:
        for coded in code_channels(predictor, samples, axis, latents):
            payload = prepared.before + coded.words.astype("<u4").tobytes()
            fields = (
                coded.latent_precision,
                coded.growth,
                axis,
                prepared.orientation,
                prepared.lattice,
            )
            part = TilePart(codec, samples.shape[2], payload, *fields)
            best = part if best is None else min(best, part, key=lambda p: _cost((p,)))
            if not thorough:
                break
    except TooFlatError:
        return _fallback(colour, pixel_format)
    assert best is not None  # without latents there is no underflow
    return best
