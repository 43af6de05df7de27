"""Estimates of the bytes of a tile's views from patches of it, by a model and by libraries.

A model and a library differ by the same factor on patches and on the whole, to within a twentieth,
on photographs, scans, drawings, dithers and microscopy (`docs/decisions/0027-never-silly.md`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bbans.container.pixel_formats import PixelFormat
from bbans.tiles.codec import Samples
from bbans.tiles.codecs.constant import is_constant
from bbans.tiles.codecs.jpegxl import encode_jpegxl
from bbans.tiles.codecs.webp import LOW_EFFORT, encode_webp
from bbans.tiles.predicted import Plane, Predicted, predicted
from bbans.tiles.transforms.views import views

PATCH = 64
"""Rows and columns of a patch."""
FEW, MANY = 4, 8
"""Patches of a tile of up to, and of more than, MANY_PIXELS pixels."""
MANY_PIXELS = 2**19
WEBP_SAVES = 0.97
"""What WebP's higher efforts save of its lowest."""
WEBP_BELOW = 1.1
"""WebP is not estimated where JPEG XL takes at least this times what the model takes."""
DRAWN = 0.6
"""An image is drawn where JPEG XL takes less than this times what the fixed predictor takes; of
photographs it takes 0.85 to 1.
"""


@dataclass(frozen=True)
class Estimates:
    """Bytes of a view with its table: by the model, by JPEG XL, by WebP (infinite if it is not
    estimated).
    """

    model: float
    jpegxl: float
    webp: float

    @property
    def library(self) -> float:
        """The fewer bytes of JPEG XL's and WebP's."""
        return min(self.jpegxl, self.webp)


def patches(samples: Samples) -> Samples:
    """Return patches of samples `(h, w, ...)`, evenly spread, side by side in a few rows.

    Examples:
        >>> patches(np.zeros((1024, 1024, 3), np.uint8)).shape
        (192, 192, 3)
        >>> patches(np.zeros((100, 100, 3), np.uint8)).shape
        (100, 100, 3)
    """
    h, w = samples.shape[:2]
    number = FEW if h * w <= MANY_PIXELS else MANY
    if h * w <= number * PATCH**2:
        return samples
    down = max(1, round(float(np.sqrt(number * h / w))))
    across = -(-number // down)
    high, wide = min(PATCH, h), min(PATCH, w)
    rows = [
        np.concatenate(
            [samples[y : y + high, x : x + wide] for x in _starts(w, wide, across)], axis=1
        )
        for y in _starts(h, high, down)
    ]
    return np.ascontiguousarray(np.concatenate(rows))


def _starts(length: int, side: int, number: int) -> list[int]:
    return [int((length - side) * (2 * i + 1) / (2 * number)) for i in range(number)]


def estimates(ready: Predicted) -> Estimates:
    """Estimate the bytes of a view whose channels are prepared for the model.

    Examples:
        >>> from bbans.container.pixel_formats import FORMATS
        >>> (tile, *_) = views(np.eye(64, dtype=np.uint8)[:, :, None], FORMATS[0])
        >>> found = estimates(predicted(tile, None))
        >>> found.library < found.model
        True
    """
    view = ready.view
    cut = patches(view.samples)
    scale = view.samples.size / cut.size
    plane, last = ready.colour[0], ready.rest
    model = 0.0 if is_constant(plane.original) else _model_bytes(plane)
    if last is not None and not is_constant(last.original):
        model += (
            len(encode_jpegxl(patches(last.original))) if last.net is None else _model_bytes(last)
        )
    jpegxl, webp = len(encode_jpegxl(cut)), float("inf")
    if view.pixel_format.bit_depth <= 8 and jpegxl < WEBP_BELOW * model:
        webp = int(WEBP_SAVES * len(encode_webp(cut.astype(np.uint8), (LOW_EFFORT,))))
    return Estimates(*(len(view.table) + scale * part for part in (model, jpegxl, webp)))


def _model_bytes(plane: Plane) -> float:
    """Return the bytes of patches of the channels that a model would code."""
    return plane.ideal_bytes(patches(plane.prepared.samples))


def is_drawn(pixels: Samples, pixel_format: PixelFormat) -> bool:
    """Return whether an image `(h, w)` or `(h, w, channels)` looks drawn, by patches of it.

    Examples:
        >>> from bbans.container.pixel_formats import FORMATS
        >>> x = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
        >>> is_drawn(x, FORMATS[0]), is_drawn(np.eye(64, dtype=np.uint8), FORMATS[0])
        (False, True)
    """
    if pixel_format.palette:
        return True
    cut = patches(pixels.reshape(*pixels.shape[:2], -1))
    if is_constant(cut):
        return True
    found = [estimates(predicted(view, None)) for view in views(cut, pixel_format)]
    return min(e.library for e in found) < DRAWN * min(e.model for e in found)
