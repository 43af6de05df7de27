"""Encoding of a tile: the choice among views of its samples and codecs for them.

A tile is coded as it is or after transforms (`transforms.views`), by a model or by a library. Small
tiles are coded in every way. Of larger ones patches are coded first, and the whole then in the ways
that may be the shortest.
"""

from __future__ import annotations

import zlib

from bbans.container.file_records import MODEL_ID_SIZE, TileRecord
from bbans.container.part_records import TilePart, needs_model
from bbans.container.pixel_formats import PixelFormat
from bbans.container.tile_codecs import JPEGXL, STORED, WEBP
from bbans.container.tile_grid import to_raw
from bbans.errors import InputError
from bbans.tiles.codec import Place, Samples
from bbans.tiles.codecs.constant import encode_constant, is_constant
from bbans.tiles.codecs.latent import encode_latent
from bbans.tiles.context import Context
from bbans.tiles.estimate import estimates
from bbans.tiles.libraries import by_libraries
from bbans.tiles.predicted import Predicted, part_bytes, predicted, predicted_parts
from bbans.tiles.registry import CODECS
from bbans.tiles.transforms.views import views

Parts = tuple[TilePart, ...]

TRY_ALL_PIXELS = 2**14
"""Tiles of up to this many pixels are coded in every way."""
LIBRARIES = JPEGXL, WEBP
MODEL_MARGIN = 1.1
"""Larger tiles are coded by libraries where JPEG XL's estimate is at most `library_margin` times
the model's (`options.Effort`), and by the model where its estimate is at most MODEL_MARGIN times
JPEG XL's.
"""
VIEW_MARGINS = 1.1, 1.03
"""Views are coded by libraries, and by the model, whose estimate is at most this times that of the
best.
"""


def encode_tile(
    pixels: Samples, pixel_format: PixelFormat, context: Context, exhaustive: bool = False
) -> TileRecord:
    """Code a tile `(h, w)` or `(h, w, channels)` with the codecs that suit it, and return the
    shortest.

    `exhaustive` tries all eight orientations. A tile of a model of whole images has the model's
    shape. Raises InputError where the requested scheme makes the tile larger than its samples.

    Examples:
        >>> from bbans.container import FORMATS
        >>> import numpy as np
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
    candidates = _candidates(samples, pixel_format, context, exhaustive)
    place = Place(samples.shape[:2], pixel_format, context)
    offers = (codec.offer(samples, place) for codec in CODECS.values() if codec.offer is not None)
    candidates += [(part,) for part in offers if part is not None]
    best = min(candidates, key=_cost)
    return TileRecord(best if _cost(best) < _cost((stored,)) else (stored,), crc)


def _candidates(
    samples: Samples, pixel_format: PixelFormat, context: Context, exhaustive: bool
) -> list[Parts]:
    """Return the codings of a tile that may be the shortest: those by libraries first, so that they
    are taken where the model is no shorter.
    """
    small = samples.shape[0] * samples.shape[1] <= TRY_ALL_PIXELS
    if pixel_format.palette:
        return [(by_libraries(samples, pixel_format, thorough=small),)]
    orientations = range(8) if exhaustive else ()
    ready = [predicted(view, context.net, orientations) for view in views(samples, pixel_format)]
    libraries: list[tuple[Predicted, tuple[int, ...]]] = [(choice, LIBRARIES) for choice in ready]
    models = ready
    if context.model_only:
        libraries, models = [], ready[:1]
    elif not small:
        libraries, models = _promising(ready, context.library_margin)
    channels = samples.shape[2]
    by_model = [
        choice.view.parts_of_tile(channels, predicted_parts(choice, exhaustive=small))
        for choice in models
    ]
    limit = min(map(_cost, by_model), default=None)
    by_library: list[Parts] = []
    for choice, tried in libraries:
        view = choice.view
        part = by_libraries(view.samples, view.pixel_format, small or exhaustive, limit, tried)
        by_library.append(view.parts_of_tile(channels, (part,)))
    return by_library + by_model


def _promising(
    ready: list[Predicted], library_margin: float
) -> tuple[list[tuple[Predicted, tuple[int, ...]]], list[Predicted]]:
    """Return the views that libraries may code shortest, with those libraries, and the views that
    the model may.
    """
    found = [estimates(choice) for choice in ready]
    library = min(e.library for e in found)
    model = min(e.model for e in found)
    pairs = list(zip(ready, found, strict=True))
    libraries, models = [], []
    if library <= library_margin * model:
        top = min(VIEW_MARGINS[0] * library, library_margin * model)
        for r, e in pairs:
            tried = tuple(
                c for c, size in zip(LIBRARIES, (e.jpegxl, e.webp), strict=True) if size <= top
            )
            if tried:
                libraries.append((r, tried))
    if model <= MODEL_MARGIN * library or not libraries:
        models = [r for r, e in pairs if e.model <= VIEW_MARGINS[1] * model]
    return libraries, models


def _cost(parts: Parts) -> int:
    """Return the bytes of the payloads and, approximately, of their entries in the table of
    contents and of the id of the model that they need.
    """
    return MODEL_ID_SIZE * any(map(needs_model, parts)) + sum(map(part_bytes, parts))


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
