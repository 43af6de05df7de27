"""The one image type: samples and what came with them.

Metadata is kept as PNG chunks whatever the source was. PNG has a chunk for everything carried here (W3C PNG, third edition,
section 11.3), so one form serves, and that of a PNG file comes back byte for byte.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbans.errors import InputError, UnsupportedImageError

DEFAULT_MAX_PIXELS = 2**30


@dataclass(frozen=True, slots=True)
class PngChunk:
    """A chunk besides `IHDR`, `IDAT` and `IEND`: four letters, its data, and on which side of the pixels it stood."""

    kind: str
    payload: bytes
    after_pixels: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """`pixels` is uint8 in C order, `(H, W)` for grey and `(H, W, 3)` for RGB; `metadata` is in the order of the file."""

    pixels: NDArray[np.uint8]
    metadata: tuple[PngChunk, ...] = ()


def from_array(array: NDArray[Any], metadata: tuple[PngChunk, ...] = ()) -> Image:
    """Checks an array of samples: uint8, `(H, W)` or `(H, W, 3)`, H and W at least 1.

    Raises `InputError` for what is no image and `UnsupportedImageError` for images that are not coded yet.
    """
    pixels = np.asarray(array)
    if pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] > 4):
        raise InputError(f"an image has shape (H, W) or (H, W, 3), found {pixels.shape}")
    if not pixels.size:
        raise InputError(f"an image has at least one pixel, found shape {pixels.shape}")
    if pixels.ndim == 3 and pixels.shape[2] != 3:
        raise UnsupportedImageError(f"an array of shape {pixels.shape} is not coded yet: pass (H, W) grey or (H, W, 3) RGB")
    if pixels.dtype != np.uint8:
        raise UnsupportedImageError(f"samples of type {pixels.dtype} are not coded yet: pass 8-bit samples (uint8)")
    return Image(np.ascontiguousarray(pixels), metadata)
