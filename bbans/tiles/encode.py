"""Encoding of a tile: the choice of codecs for its channels.

Colour and alpha are coded separately by a model or the fixed predictor, or all channels together by
a fallback codec (WebP, LZMA), whichever is shorter. `palette_ratio` decides from the samples which
of them are tried.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np

from bbans.container.file_records import MODEL_ID_SIZE, TilePart, TileRecord
from bbans.container.pixel_formats import PixelFormat
from bbans.container.tile_codecs import BITS_BACK, FIXED, LZMA, PREPARED, STORED, WEBP
from bbans.container.tile_grid import to_raw
from bbans.errors import InputError, TooFlatError
from bbans.models.fixed_predictor import FixedPredictor
from bbans.models.photo import ExactPhoto
from bbans.tiles.codec import Place, Samples
from bbans.tiles.codecs.constant import encode_constant, is_constant
from bbans.tiles.codecs.latent import encode_latent
from bbans.tiles.codecs.lzma import encode_lzma
from bbans.tiles.codecs.pyramid import axis_of, code_channels
from bbans.tiles.codecs.webp import WEBP_SIDE, encode_webp
from bbans.tiles.context import Context
from bbans.tiles.registry import CODECS
from bbans.tiles.transforms.pipeline import Prepared, prepare

TRY_ALL_PIXELS = 2**14
"""Tiles of up to this many pixels are coded with every codec."""
REPEATED, DISTINCT = 0.25, 0.25
"""A graphic has a larger share of repeated pixels than REPEATED, and at most DISTINCT distinct
colours per remaining pixel.
"""
FLAT = 0.02
"""The model is not tried where `palette_ratio` is at most this, except on small tiles."""
GREYS = 64
"""A grey tile of more levels may be a scan on a flat background, so the model is tried as well."""


def palette_ratio(pixels: Samples) -> float:
    """Return distinct colours per pixel of a tile that looks like a graphic, infinity for a
    photograph.

    pixels `(h, w, channels)`. Pixels that equal both their left and upper neighbours are not
    counted. A grey tile of more than GREYS levels may be either, and gets DISTINCT, the largest
    ratio of graphics. Only every fourth pair of rows is examined, to save time.

    Examples:
        >>> palette_ratio(np.zeros((8, 8, 3), np.uint8)) <= FLAT
        True
    """
    rows = np.arange(1, len(pixels), 4) if len(pixels) > 256 else np.arange(1, len(pixels))
    if not len(rows) or pixels.shape[1] < 2:
        return 0.0
    pixel, left, above = pixels[rows, 1:], pixels[rows, :-1], pixels[rows - 1, 1:]
    repeated = ((pixel == left) & (pixel == above)).all(-1)
    if repeated.mean() <= REPEATED:
        return np.inf
    others = pixel[~repeated].astype(np.uint64)
    weights = np.uint64(65536) ** np.arange(pixels.shape[2], dtype=np.uint64)
    distinct = len(np.unique(others @ weights))
    if pixels.shape[2] == 1 and distinct > GREYS:
        return DISTINCT
    share = (distinct - 256) / max(1, len(others))
    return share if share <= DISTINCT else np.inf


def encode_tile(
    pixels: Samples, pixel_format: PixelFormat, context: Context, exhaustive: bool = False
) -> TileRecord:
    """Code a tile `(h, w)` or `(h, w, channels)` with the codecs that suit it, and return the
    shortest.

    `exhaustive` tries all eight orientations. A tile of a model of whole images has the model's
    shape. Raises InputError where the requested scheme makes the tile larger than its samples.

    Examples:
        >>> from bbans.container import FORMATS
        >>> record = encode_tile(np.zeros((8, 8), np.uint8), FORMATS[0], Context())
        >>> len(record.parts), len(record.parts[0].payload)
        (1, 1)
    """
    raw = to_raw(pixels, pixel_format.bit_depth)
    crc = zlib.crc32(raw)
    samples = pixels.reshape(*pixels.shape[:2], -1)
    stored = TilePart(STORED, samples.shape[2], raw)
    if context.coding is not None:
        return TileRecord((_by_scheme(context, samples, _cost((stored,))),), crc)
    if is_constant(samples):
        return TileRecord((encode_constant(samples, pixel_format),), crc)
    small = samples.shape[0] * samples.shape[1] <= TRY_ALL_PIXELS
    colours = 0.0 if pixel_format.palette else palette_ratio(samples)
    candidates: list[tuple[TilePart, ...]] = []
    bytes_to_beat = None
    if not pixel_format.palette and (small or colours > FLAT):
        orientations = range(8) if exhaustive else ()
        candidates.append(_predicted(samples, pixel_format, context.net, small, orientations))
        bytes_to_beat = _cost(candidates[0]) if colours == np.inf else None
    if small or colours < np.inf:
        # Inserted first, so that the fallback is taken where both are equally short.
        fallback = _fallback(samples, pixel_format, exhaustive=small, bytes_to_beat=bytes_to_beat)
        candidates.insert(0, (fallback,))
    place = Place(samples.shape[:2], pixel_format, context)
    offers = (codec.offer(samples, place) for codec in CODECS.values() if codec.offer is not None)
    candidates += [(part,) for part in offers if part is not None]
    best = min(candidates, key=_cost)
    return TileRecord(best if _cost(best) < _cost((stored,)) else (stored,), crc)


def _cost(parts: tuple[TilePart, ...]) -> int:
    """Return the bytes of the payloads and, approximately, of their entries in the table of
    contents.

    An image of a latent model is a single tile, which also pays for the model's id.
    """
    id_bytes = MODEL_ID_SIZE if CODECS[parts[0].codec].format.latent_model else 0
    return id_bytes + sum(
        len(part.payload) + 2 + 5 * len(part.growth) + (part.axis is not None) * 5 for part in parts
    )


def _by_scheme(context: Context, samples: Samples, limit: int) -> TilePart:
    """Code a tile with the requested scheme. Raises InputError where that is larger than the
    samples.
    """
    part = encode_latent(context.whole_images(), context.coding, samples)
    if (cost := _cost((part,))) > limit:
        name = "" if part.coding is None else f" by {part.coding.name}"
        hint = ""
        if part.coding is not None and not part.coding.format.funded:
            hint = "initial bits are paid for every latent and particle; ask for fewer particles, "
        raise InputError(
            f"coded{name} this image takes {cost} bytes, and its samples {limit}: {hint}leave the "
            "scheme out, or archive many images"
        )
    return part


def _fallback(
    samples: Samples,
    pixel_format: PixelFormat,
    exhaustive: bool = True,
    bytes_to_beat: int | None = None,
) -> TilePart:
    """Code all channels with WebP where it can hold the samples; with LZMA where it cannot, or
    where that may be shorter.

    `to_beat`: bytes of another coding, see `encode_webp`.
    """
    channels, depth = samples.shape[2], pixel_format.bit_depth
    candidates = []
    if depth <= 8 and max(samples.shape[:2]) <= WEBP_SIDE:
        candidates.append((WEBP, encode_webp(samples.astype(np.uint8), bytes_to_beat)))
    if not candidates or channels == 1 or exhaustive:
        candidates.append(
            (LZMA, encode_lzma(to_raw(samples, depth), channels * max(1, depth // 8)))
        )
    codec, payload = min(candidates, key=lambda candidate: len(candidate[1]))
    return TilePart(codec, channels, payload)


def _predicted(
    samples: Samples,
    pixel_format: PixelFormat,
    net: ExactPhoto | None,
    exhaustive: bool,
    orientations: Sequence[int],
) -> tuple[TilePart, ...]:
    """Code colour and alpha separately; colour in the shortest of the orientations, or without any
    in the one that suits it.
    """
    channels = samples.shape[2]
    colour = samples[:, :, : 1 if channels < 3 else 3]
    preparations = [Prepared(colour)] if net is None else prepare(colour, orientations)
    parts = [
        min(
            (
                _predicted_part(colour, prepared, pixel_format, net, exhaustive)
                for prepared in preparations
            ),
            key=lambda part: _cost((part,)),
        )
    ]
    if channels in (2, 4):
        alpha = samples[:, :, -1:]
        choices = [_predicted_part(alpha, Prepared(alpha), pixel_format, None, exhaustive=False)]
        if CODECS[choices[0].codec].format.predictive:
            choices.append(_fallback(alpha, pixel_format))
        parts.append(min(choices, key=lambda part: _cost((part,))))
    return tuple(parts)


def _predicted_part(
    colour: Samples,
    prepared: Prepared,
    pixel_format: PixelFormat,
    net: ExactPhoto | None,
    exhaustive: bool,
) -> TilePart:
    """Code samples as they were prepared for the model, or the original ones with a fallback
    codec.
    """
    if is_constant(colour):
        return encode_constant(colour, pixel_format)
    codec, predictor, latents = (
        (FIXED, FixedPredictor(), False) if net is None else (BITS_BACK, net, net.config.latents)
    )
    codec = PREPARED if prepared.orientation or prepared.lattice else codec
    samples = prepared.samples
    axis = axis_of(samples, pixel_format.bit_depth)
    best: TilePart | None = None
    try:
        for coded in code_channels(predictor, samples, axis, latents):
            part = TilePart(
                codec,
                samples.shape[2],
                prepared.before + coded.words.astype("<u4").tobytes(),
                latent_precision=coded.latent_precision,
                growth=coded.growth,
                axis=axis,
                orientation=prepared.orientation,
                lattice=prepared.lattice,
            )
            best = part if best is None else min(best, part, key=lambda p: _cost((p,)))
            if not exhaustive:
                break
    except TooFlatError:
        return _fallback(colour, pixel_format)
    assert best is not None  # without latents there is no underflow
    return best
