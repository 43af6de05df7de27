"""Images embedded in an HTML page as data URIs, reduced to a size for display."""

from __future__ import annotations

import base64
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from bbans.evaluation.visual import heatmaps

Pixels = NDArray[Any]
SIDE = 400
"""Largest side of an image on the page in pixels; larger images are reduced."""
SMALL = 200
"""Images with smaller sides are enlarged without smoothing."""


def image(pixels: Pixels, alt: str) -> str:
    """Return the `img` element of pixels uint8 `(h, w)` or `(h, w, 3)` with an alternative text.

    Examples:
        >>> image(np.zeros((2, 3), np.uint8), "a < b")[:57]
        '<img class="small" width="3" height="2" alt="a &lt; b" sr'
    """
    small = ' class="small"' if max(pixels.shape[:2]) < SMALL else ""
    h, w = pixels.shape[:2]
    return f'<img{small} width="{w}" height="{h}" alt="{escape(alt)}" src="{uri(pixels)}">'


def uri(pixels: Pixels) -> str:
    """Return the data URI of a PNG file of pixels uint8 `(h, w)` or `(h, w, 3)`.

    Examples:
        >>> uri(np.zeros((2, 2), np.uint8))[:22]
        'data:image/png;base64,'
    """
    return (
        "data:image/png;base64,"
        + base64.b64encode(heatmaps.png(np.ascontiguousarray(pixels))).decode()
    )


def reduced(pixels: Pixels) -> Pixels:
    """Return uint8 or uint16 pixels as uint8, reduced to at most SIDE rows and columns.

    Examples:
        >>> reduced(np.zeros((800, 200), np.uint16)).shape
        (400, 100)
    """
    shown = pixels if pixels.dtype == np.uint8 else (pixels >> 8).astype(np.uint8)
    size = _size(shown.shape[:2])
    if size == shown.shape[:2]:
        return shown
    return np.asarray(
        PillowImage.fromarray(shown).resize(size[::-1], PillowImage.Resampling.LANCZOS)
    )


def reduced_bits(bits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return bits per pixel `(h, w)`, averaged to at most SIDE rows and columns.

    Examples:
        >>> reduced_bits(np.ones((800, 200))).shape
        (400, 100)
    """
    size = _size(bits.shape)
    if size == bits.shape:
        return bits
    return np.asarray(
        PillowImage.fromarray(bits.astype(np.float32)).resize(
            size[::-1], PillowImage.Resampling.BOX
        ),
        np.float64,
    )


def _size(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return rows and columns after reduction to at most SIDE."""
    h, w = shape[:2]
    share = min(1.0, SIDE / max(h, w))
    return max(1, round(h * share)), max(1, round(w * share))
