"""Heat maps: bits per pixel of an image as a picture with perceptually uniform colours and a colour
bar.

The colours lie on a path from dark to light through OKLab (Ottosson 2020, "A perceptual color space
for image processing"), at equal distances, so that equal differences of bits look equally large, in
grey as well.
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
LEAST_SIDE = 320
"""Smallest side of a picture: pixels of smaller images are enlarged to squares."""
SHARE_SHOWN = 0.995
"""Share of the pixels below the largest value of the scale; the rest has the lightest colour."""
BAR, MARGIN, TEXT = 14, 12, 13
"""Rows of the colour bar, of the margin around it, and of its text."""
PAPER, INK = (255, 255, 255), (30, 30, 30)


def from_oklab(lab: NDArray[np.float64]) -> NDArray[np.float64]:
    """Convert OKLab `(..., 3)` to sRGB `(..., 3)`, in 0..1 for colours that sRGB can represent.

    Source: Ottosson 2020, "A perceptual color space for image processing".

    Examples:
        >>> from_oklab(np.array([1.0, 0.0, 0.0])).round(3)
        array([1., 1., 1.])
    """
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
    """Return the colours in OKLab, `(256, 3)`, at equal distances along the path of STATIONS.

    Examples:
        >>> path().shape
        (256, 3)
    """
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
    """Return the colours as sRGB, uint8 `(256, 3)`, read-only.

    Examples:
        >>> palette().shape
        (256, 3)
    """
    colours = np.rint(255 * from_oklab(path())).clip(0, 255).astype(np.uint8)
    colours.setflags(write=False)
    return colours


def limit(bits: Bits) -> float:
    """Return the bits per pixel of the lightest colour: the 99.5 % quantile, rounded up to two
    significant digits.

    Examples:
        >>> limit(np.full((2, 2), 3.14159))
        3.2
    """
    top = float(np.quantile(bits, SHARE_SHOWN))
    if top <= 0:
        return 1.0
    step = 10.0 ** (np.floor(np.log10(top)) - 1)
    return float(np.ceil(top / step - 1e-9) * step)


def coloured(bits: Bits, top: float | None = None) -> Pixels:
    """Map bits per pixel `(h, w)` to colours uint8 `(h, w, 3)`.

    Values up to 0 get the darkest colour, values from `top` (default: `limit(bits)`) the lightest.

    Examples:
        >>> bool((coloured(np.array([[0.0, 8.0]]), top=8.0)[0] == palette()[[0, 255]]).all())
        True
    """
    index = (
        np.rint(bits * ((COLOURS - 1) / (top or limit(bits)))).clip(0, COLOURS - 1).astype(np.intp)
    )
    return np.asarray(palette()[index])


def picture(bits: Bits) -> Pixels:
    """Draw bits per pixel `(h, w)` with a colour bar below: uint8 `(H, W, 3)`.

    Small images are enlarged by an integer factor.

    Examples:
        >>> picture(np.ones((160, 160))).shape
        (383, 320, 3)
    """
    top, mean = limit(bits), float(bits.mean())
    scale = max(1, -(-LEAST_SIDE // max(bits.shape)))
    heat_map = coloured(bits, top).repeat(scale, 0).repeat(scale, 1)
    height, width = heat_map.shape[0], max(heat_map.shape[1], LEAST_SIDE)
    page = PillowImage.new("RGB", (width, height + BAR + TEXT + 3 * MARGIN), PAPER)
    page.paste(PillowImage.fromarray(heat_map), ((width - heat_map.shape[1]) // 2, 0))
    left, right, y = MARGIN, width - MARGIN, height + MARGIN
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
    """Write the heat map of bits per pixel `(h, w)` as a PNG file.

    Raises OutputExistsError unless `overwrite`, and OutputError.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save(np.ones((4, 4)), Path(folder, "bits.png"))
        ...     Path(folder, "bits.png").read_bytes()[1:4]
        b'PNG'
    """
    images.atomic_write(target, png(picture(bits)), overwrite=overwrite)


def png(pixels: NDArray[Any]) -> bytes:
    """Return the bytes of a PNG file of pixels `(h, w)` or `(h, w, 3)`, uint8.

    Examples:
        >>> png(np.zeros((2, 2), np.uint8))[1:4]
        b'PNG'
    """
    buffer = io.BytesIO()
    images.write_image(images.from_array(pixels), buffer)
    return buffer.getvalue()
