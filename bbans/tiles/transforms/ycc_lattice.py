"""RGB = clip(M (Y, C1, C2)): recovery of the 8-bit luma and chroma from which RGB samples were
computed.

A conversion from 8-bit luma and chroma to 8-bit RGB reaches one in 4.2 (JPEG) or 9.4 (Photo CD) of
the colours in its range. A smooth density over RGB therefore wastes log2 4.2 or log2 9.4 bits per
pixel. Chroma that was interpolated from half resolution is also nearly predictable once it is seen
as integers. No pixel format records where its samples come from, but the colours do: all colours of
a decoded JPEG lie on its lattice, against a hundredth to a half of those of other photographs.

A model of photographs codes (Y + Cr, Y, Y + Cb) modulo 256, with chroma relative to grey. These
planes resemble red, green and blue, and each triple is one of luma and chroma. Colours that no luma
and chroma give are listed as exceptions. All arithmetic is in integers.

Sources: ITU-T T.871 (JFIF), with the 16-bit constants of libjpeg; Photo YCC, with the constants of
Kodak's Photo CD documents and the rounding that reproduces the 24 Kodak photographs up to 323 of
9.4 million pixels (`docs/decisions/0017-lattices.md`).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int32]
Steps = Sequence[tuple[int, ...]]
Samples = NDArray[Any]

JPEG, PHOTO_YCC = 1, 2
EXAMINED = 4096  # pixels that are examined before all are
AT_ONCE = 1 << 16  # pixels that are decoded at once: bounds the memory
EXCEPTIONS = 1024  # an encoder accepts at most one exception per this many pixels
WRAPPED = 64  # and at most one pixel per this many with planes beyond 0..255, which look like noise
NEAR = sorted(itertools.product((-1, 0, 1), repeat=3), key=lambda step: sum(map(abs, step)))
BEYOND = range(3, 90, 3)  # tried distances of a clipped sample beyond 0 or 255


@dataclass(frozen=True)
class Lattice:
    """A conversion from luma and chroma to RGB.

    to_rgb: maps luma, blue and red chroma, int32 `(n,)` each, to red, green and blue before
    clipping to 0..255. grey: the two chroma values of a colour without chroma. inverse: approximate
    inverse matrix in units of 2^-16, from RGB to luma and chroma relative to `grey`. half: 1 if
    `to_rgb` rounds down, else 0.
    """

    to_rgb: Callable[[Ints, Ints, Ints], tuple[Ints, Ints, Ints]]
    grey: tuple[int, int]
    inverse: tuple[tuple[int, int, int], ...]
    half: int  # 1 if `to_rgb` rounds down


def _jpeg(y: Ints, cb: Ints, cr: Ints) -> tuple[Ints, Ints, Ints]:
    b, r = cb - 128, cr - 128
    return (
        y + (91881 * r + 32768 >> 16),
        y + (-22554 * b - 46802 * r + 32768 >> 16),
        y + (116130 * b + 32768 >> 16),
    )


def _photo_ycc(y: Ints, c1: Ints, c2: Ints) -> tuple[Ints, Ints, Ints]:
    b, r = 22179 * (c1 - 156), 18215 * (c2 - 137)
    # The 1 subtracted makes the division below round exact integers down as well.
    green = 13584 * y - 1940 * (b // 10000) - 5090 * (r // 10000) - 1
    return (13584 * y + r) // 10000, green // 10000, (13584 * y + b) // 10000


LATTICES = {
    JPEG: Lattice(
        _jpeg,
        (128, 128),
        ((19595, 38469, 7471), (-11058, -21710, 32768), (32768, -27439, -5329)),
        0,
    ),
    PHOTO_YCC: Lattice(
        _photo_ycc,
        (156, 137),
        ((14420, 28329, 5496), (-8832, -17351, 26183), (25226, -21127, -4099)),
        1,
    ),
}
"""Conversions by their numbers in files."""


@dataclass(frozen=True)
class Recovered:
    """Result of `recover`.

    lattice: number of the conversion. planes: what a model codes instead of RGB, uint8 `(h, w, 3)`.
    at, colours: indices of the exceptional pixels, ascending, and their RGB, uint8 `(n, 3)`.
    """

    lattice: int
    planes: NDArray[np.uint8]
    at: NDArray[np.intp]
    colours: NDArray[np.uint8]


def recover(samples: Samples) -> Recovered | None:
    """Find the lattice of the colours of 8-bit samples `(h, w, 3)`; None if there is none.

    Examples:
        >>> ycc = np.random.default_rng(0).integers(90, 160, (32, 32, 3)).astype(np.uint8)
        >>> rgb = to_rgb(ycc, JPEG)
        >>> recovered = recover(rgb)
        >>> recovered.lattice == JPEG, len(recovered.at)
        (True, 0)
    """
    rgb = _rows(samples)
    pixels = rgb.shape[1]
    for number, lattice in LATTICES.items():
        subset = np.ascontiguousarray(rgb[:, :: -(-pixels // EXAMINED)])
        if _hopeless(lattice, subset) or 64 * len(_invert(lattice, subset)[1]) > subset.shape[1]:
            continue
        ycc, exceptions = _invert(lattice, rgb)
        sums = _sums(lattice, ycc)
        if (
            len(exceptions) * EXCEPTIONS > pixels
            or WRAPPED * int((sums >> 8).any(0).sum()) > pixels
        ):
            continue
        planes = _planes(sums, samples.shape)
        if not np.array_equal(planes, samples):  # planes of a grey image equal its samples
            return Recovered(number, planes, exceptions, samples.reshape(-1, 3)[exceptions])
    return None


def to_planes(samples: Samples, number: int) -> NDArray[np.uint8]:
    """Return the planes of samples `(h, w, 3)` on a lattice; exceptions become nearby colours on
    it.

    Examples:
        >>> rgb = to_rgb(np.array([[[130, 120, 125]]], np.uint8), JPEG)
        >>> np.array_equal(to_rgb(to_planes(rgb, JPEG), JPEG), rgb)
        True
    """
    ycc, _ = _invert(LATTICES[number], _rows(samples))
    return _planes(_sums(LATTICES[number], ycc), samples.shape)


def to_rgb(planes: Samples, number: int) -> NDArray[np.uint8]:
    """Convert planes `(h, w, 3)` to RGB, the inverse of `to_planes` for colours on the lattice.

    Examples:
        >>> rgb = to_rgb(np.full((1, 1, 3), 128, np.uint8), JPEG)
        >>> rgb.tolist()
        [[[128, 128, 128]]]
    """
    lattice = LATTICES[number]
    first, second = lattice.grey
    flat = planes.reshape(-1, 3)
    rgb = np.empty(flat.shape, np.uint8)
    for start in range(0, len(flat), AT_ONCE):
        red, luma, blue = _rows(flat[start : start + AT_ONCE])
        ycc = np.stack([luma, (blue - luma + first) & 255, (red - luma + second) & 255])
        rgb[start : start + AT_ONCE] = _forward(lattice, ycc).T
    return rgb.reshape(planes.shape)


def _rows(samples: Samples) -> Ints:
    """Return `(h, w, 3)` as int32 `(3, h * w)`; numpy is fast along its rows."""
    return np.ascontiguousarray(samples.reshape(-1, 3).T, np.int32)


def _sums(lattice: Lattice, ycc: Ints) -> Ints:
    """Return (Y + C2, Y, Y + C1) `(3, n)`, with chroma relative to grey."""
    luma, blue, red = ycc
    first, second = lattice.grey
    return np.stack([luma + red - second, luma, luma + blue - first])


def _planes(sums: Ints, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Return sums modulo 256 as planes of `shape`."""
    return np.ascontiguousarray((sums & 255).astype(np.uint8).T).reshape(shape)


def _invert(lattice: Lattice, rgb: Ints) -> tuple[Ints, NDArray[np.intp]]:
    """Return luma and chroma `(3, n)` of RGB, and the indices of colours that have none.

    For these the luma and chroma returned are only near.
    """
    ycc = _start(lattice, rgb)
    missing = np.flatnonzero((_forward(lattice, ycc) != rgb).any(0))
    missing = _search(lattice, rgb, ycc, missing, ycc[:, missing], NEAR[1:])
    cut = missing[((rgb[:, missing] == 0) | (rgb[:, missing] == 255)).any(0)]
    for beyond in BEYOND:
        if not len(cut):
            break
        cut_rgb = rgb[:, cut]
        cut = _search(
            lattice,
            rgb,
            ycc,
            cut,
            _start(lattice, cut_rgb + beyond * (cut_rgb == 255) - beyond * (cut_rgb == 0)),
            NEAR,
        )
    return ycc, missing[(_forward(lattice, ycc[:, missing]) != rgb[:, missing]).any(0)]


def _hopeless(lattice: Lattice, rgb: Ints) -> bool:
    """Return whether so few colours inside the RGB cube match their nearest luma and chroma that
    the search around these cannot succeed.
    """
    inside = rgb[:, ((rgb > 0) & (rgb < 255)).all(0)]
    missed = (_forward(lattice, _start(lattice, inside)) != inside).any(0)
    return 2 * int(missed.sum()) > int(inside.shape[1])


def _start(lattice: Lattice, rgb: Ints) -> Ints:
    """Return luma and chroma near RGB, within 0..255."""
    twice = [2 * row + lattice.half for row in rgb]
    offsets = 0, *lattice.grey
    products = [
        sum(m * row for m, row in zip(line, twice, strict=True)) for line in lattice.inverse
    ]
    return np.stack(
        [((row + 65536) >> 17) + offset for row, offset in zip(products, offsets, strict=True)]
    ).clip(0, 255)


def _search(
    lattice: Lattice, rgb: Ints, ycc: Ints, pixels: NDArray[np.intp], start: Ints, steps: Steps
) -> NDArray[np.intp]:
    """Search around `start` for luma and chroma that give the RGB of the given pixels, and write
    them to `ycc`.

    Returns the indices of the pixels that remain.
    """
    for step in steps:
        if not len(pixels):
            break
        candidates = (start + np.array(step, np.int32)[:, None]).clip(0, 255)
        missed = (_forward(lattice, candidates) != rgb[:, pixels]).any(0)
        ycc[:, pixels[~missed]] = candidates[:, ~missed]
        pixels, start = pixels[missed], start[:, missed]
    return pixels


def _forward(lattice: Lattice, ycc: Ints) -> Ints:
    """Convert luma and chroma `(3, n)` to RGB, clipped to 0..255."""
    return np.stack(lattice.to_rgb(*ycc)).clip(0, 255)
