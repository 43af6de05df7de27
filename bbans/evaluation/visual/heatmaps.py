"""Bits per pixel over an image, as a picture: colours of equal perceived steps, and a bar that says
what they stand for.

The colours run on a path through OKLab (Ottosson 2020, "A perceptual color space for image
processing") from dark to light, cut into steps of one length, so that equal differences of bits
look equally different, in grey as well.
"""

from __future__ import annotations

import functools
import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage
from PIL import ImageDraw, ImageFont

from bbans import images

Bits = NDArray[np.float64]
Pixels = NDArray[np.uint8]

STATIONS = (
    (0.16, 0.05, 280),
    (0.36, 0.13, 305),
    (0.52, 0.17, 350),
    (0.68, 0.16, 40),
    (0.83, 0.14, 80),
    (0.97, 0.07, 108),
)
"""Lightness, chroma and hue in degrees, from dark violet to pale yellow."""
COLOURS = 256
LEAST_SIDE = 320  # of the picture: smaller images are enlarged, every pixel to a square
SHARE_SHOWN = 0.995  # of the pixels; brighter than the rest is not possible
BAR, MARGIN, TEXT = 14, 12, 13  # rows of the bar, around it, and of its text
PAPER, INK = (255, 255, 255), (30, 30, 30)


def from_oklab(lab: NDArray[np.float64]) -> NDArray[np.float64]:
    """sRGB `(..., 3)` in 0..1, outside it where the colour cannot be shown."""
    to_cone = np.array(
        [
            [1, 0.3963377774, 0.2158037573],
            [1, -0.1055613458, -0.0638541728],
            [1, -0.0894841775, -1.2914855480],
        ]
    )
    to_linear = np.array(
        [
            [4.0767416621, -3.3077115913, 0.2309699292],
            [-1.2684380046, 2.6097574011, -0.3413193965],
            [-0.0041960863, -0.7034186147, 1.7076147010],
        ]
    )
    linear = (lab @ to_cone.T) ** 3 @ to_linear.T
    colours: NDArray[np.float64] = np.where(
        linear <= 0.0031308,
        12.92 * linear,
        1.055 * np.maximum(linear, 0.0031308) ** (1 / 2.4) - 0.055,
    )
    return colours


def path() -> NDArray[np.float64]:
    """The 256 colours in OKLab, `(256, 3)`, each as far from the next."""
    L, C, h = np.array(STATIONS, float).T
    angle = np.radians(np.unwrap(h, period=360))
    corners = np.stack([L, C * np.cos(angle), C * np.sin(angle)], 1)
    fine = np.linspace(0, len(corners) - 1, 64 * COLOURS)
    line = np.stack([np.interp(fine, np.arange(len(corners)), column) for column in corners.T], 1)
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    even = np.linspace(0, length[-1], COLOURS)
    return np.stack([np.interp(even, length, column) for column in line.T], 1)


@functools.cache
def palette() -> Pixels:
    """The colours, `(256, 3)`; read-only."""
    colours = np.rint(255 * from_oklab(path())).clip(0, 255).astype(np.uint8)
    colours.setflags(write=False)
    return colours


def limit(bits: Bits) -> float:
    """The bits that the lightest colour stands for: of two digits, at least as much as 99.5 % of
    the pixels take.
    """
    top = float(np.quantile(bits, SHARE_SHOWN))
    if top <= 0:
        return 1.0
    step = 10.0 ** (np.floor(np.log10(top)) - 1)
    return float(np.ceil(top / step - 1e-9) * step)


def coloured(bits: Bits, top: float | None = None) -> Pixels:
    """Bits per pixel `(h, w)` as colours `(h, w, 3)`: 0 and less the darkest, `top` (default:
    `limit`) and more the lightest.
    """
    index = (
        np.rint(bits * ((COLOURS - 1) / (top or limit(bits)))).clip(0, COLOURS - 1).astype(np.intp)
    )
    return np.asarray(palette()[index])


def picture(bits: Bits) -> Pixels:
    """The map with its bar below, `(H, W, 3)`; small images are enlarged by a whole number."""
    top, mean = limit(bits), float(bits.mean())
    scale = max(1, -(-LEAST_SIDE // max(bits.shape)))
    found = coloured(bits, top).repeat(scale, 0).repeat(scale, 1)
    width = max(found.shape[1], LEAST_SIDE)
    page = PillowImage.new("RGB", (width, found.shape[0] + BAR + TEXT + 3 * MARGIN), PAPER)
    page.paste(PillowImage.fromarray(found), ((width - found.shape[1]) // 2, 0))
    left, right, y = MARGIN, width - MARGIN, found.shape[0] + MARGIN
    bar = palette()[np.linspace(0, COLOURS - 1, right - left).astype(np.intp)]
    page.paste(PillowImage.fromarray(np.broadcast_to(bar, (BAR, *bar.shape)).copy()), (left, y))
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(TEXT)
    below = y + BAR + MARGIN // 2
    over = " and more" if float(bits.max()) > top else ""
    draw.text((left, below), "0", INK, font)
    draw.text(
        ((left + right) / 2, below), f"bits per pixel, mean {mean:.2f}", INK, font, anchor="ma"
    )
    draw.text((right, below), f"{top:g}{over}", INK, font, anchor="ra")
    return np.asarray(page)


def save(bits: Bits, target: Path, *, overwrite: bool = False) -> None:
    """Write the picture as PNG. Raises OutputExistsError, OutputError."""
    images.atomic_write(target, png(picture(bits)), overwrite=overwrite)


def png(pixels: NDArray[Any]) -> bytes:
    """Pixels `(h, w)` or `(h, w, 3)` as a PNG file."""
    buffer = io.BytesIO()
    images.write_image(images.from_array(pixels), buffer)
    return buffer.getvalue()
