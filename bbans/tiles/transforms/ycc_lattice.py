"""RGB samples that were computed from 8-bit luma and chroma, taken back to these: one bit a sample
less to code, and more.

A conversion of 8-bit luma and chroma to 8-bit RGB reaches one colour in 4.2 (JPEG) or 9.4 (Photo
CD) of those in its range, so that log2 4.2 or log2 9.4 bits a pixel of what a smooth density of RGB
costs say nothing. Where chroma was interpolated from half resolution it is nearly certain too, once
it is seen in whole numbers. No format of pixels says where they came from; the colours do: all of a
decoded JPEG's lie on the lattice, and a hundredth to a half of another photograph's.

A model of photographs codes (Y + Cr, Y, Y + Cb), modulo 256 and with chroma counted from grey: it
looks like red, green and blue, and each such triple is one of luma and chroma. Colours that no luma
and chroma give are listed as exceptions. All arithmetic is of integers.

Sources: ITU-T T.871 (JFIF) with the constants of 16 bits that libjpeg has; Photo YCC with the
constants of Kodak's Photo CD documents and the rounding that gives the 24 photographs known as
Kodak's, but for 323 of 9.4 million pixels (`docs/decisions/0017-lattices.md`).
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
LOOKED_AT = 4096  # pixels, before all are
AT_ONCE = 1 << 16  # pixels of a tile that is decoded: bounds the memory
EXCEPTIONS = 1024  # an encoder takes one pixel in so many
WRAPPED = 64  # nor where more than one pixel in so many leaves 0..255, which looks like noise
NEAR = sorted(itertools.product((-1, 0, 1), repeat=3), key=lambda step: sum(map(abs, step)))
BEYOND = range(3, 90, 3)  # how far a sample that was cut off at 0 or 255 may have been beyond


@dataclass(frozen=True)
class Lattice:
    """A conversion. `to_rgb` takes luma, blue and red chroma `(n,)` to red, green and blue before
    they are cut to 0..255.

    `grey` are the two chroma of no colour. `inverse`, in 2^-16, takes RGB to luma and chroma from
    `grey`, nearly.
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
    green = (
        13584 * y - 1940 * (b // 10000) - 5090 * (r // 10000) - 1
    )  # down, from whole numbers too
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


@dataclass(frozen=True)
class Recovered:
    """What a model codes instead of RGB, uint8 `(h, w, 3)`, and the exceptions: indices of pixels,
    ascending, and their RGB.
    """

    lattice: int
    planes: NDArray[np.uint8]
    at: NDArray[np.intp]
    colours: NDArray[np.uint8]


def recover(samples: Samples) -> Recovered | None:
    """The lattice that the colours of samples `(h, w, 3)` lie on, of 8 bits, and what they were
    there; None if there is none.
    """
    rgb = _rows(samples)
    pixels = rgb.shape[1]
    for number, lattice in LATTICES.items():
        looked_at = np.ascontiguousarray(rgb[:, :: -(-pixels // LOOKED_AT)])
        if (
            _hopeless(lattice, looked_at)
            or 64 * len(_invert(lattice, looked_at)[1]) > looked_at.shape[1]
        ):
            continue
        found, missing = _invert(lattice, rgb)
        sums = _sums(lattice, found)
        if len(missing) * EXCEPTIONS > pixels or WRAPPED * int((sums >> 8).any(0).sum()) > pixels:
            continue
        planes = _planes(sums, samples.shape)
        if not np.array_equal(planes, samples):  # as all grey ones are
            return Recovered(number, planes, missing, samples.reshape(-1, 3)[missing])
    return None


def to_planes(samples: Samples, number: int) -> NDArray[np.uint8]:
    """What samples `(h, w, 3)` are on a lattice; exceptions as near as can be."""
    found, _ = _invert(LATTICES[number], _rows(samples))
    return _planes(_sums(LATTICES[number], found), samples.shape)


def to_rgb(planes: Samples, number: int) -> NDArray[np.uint8]:
    """Inverse of `to_planes` for colours on the lattice: samples `(h, w, 3)` of planes."""
    lattice = LATTICES[number]
    first, second = lattice.grey
    flat = planes.reshape(-1, 3)
    found = np.empty(flat.shape, np.uint8)
    for start in range(0, len(flat), AT_ONCE):
        red, luma, blue = _rows(flat[start : start + AT_ONCE])
        ycc = np.stack([luma, (blue - luma + first) & 255, (red - luma + second) & 255])
        found[start : start + AT_ONCE] = _forward(lattice, ycc).T
    return found.reshape(planes.shape)


def _rows(samples: Samples) -> Ints:
    """`(h, w, 3)` as `(3, h * w)`, along whose rows numpy is fast."""
    return np.ascontiguousarray(samples.reshape(-1, 3).T, np.int32)


def _sums(lattice: Lattice, ycc: Ints) -> Ints:
    luma, blue, red = ycc
    first, second = lattice.grey
    return np.stack([luma + red - second, luma, luma + blue - first])


def _planes(sums: Ints, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    return np.ascontiguousarray((sums & 255).astype(np.uint8).T).reshape(shape)


def _invert(lattice: Lattice, rgb: Ints) -> tuple[Ints, NDArray[np.intp]]:
    """Luma and chroma `(3, n)` of RGB, and the indices of those that have none, for which they are
    near.
    """
    found = _start(lattice, rgb)
    missing = np.flatnonzero((_forward(lattice, found) != rgb).any(0))
    missing = _search(lattice, rgb, found, missing, found[:, missing], NEAR[1:])
    cut = missing[((rgb[:, missing] == 0) | (rgb[:, missing] == 255)).any(0)]
    for beyond in BEYOND:
        if not len(cut):
            break
        there = rgb[:, cut]
        cut = _search(
            lattice,
            rgb,
            found,
            cut,
            _start(lattice, there + beyond * (there == 255) - beyond * (there == 0)),
            NEAR,
        )
    return found, missing[(_forward(lattice, found[:, missing]) != rgb[:, missing]).any(0)]


def _hopeless(lattice: Lattice, rgb: Ints) -> bool:
    """Whether so many colours within the cube are none of the nearest luma and chroma that a search
    around these would find too few.
    """
    inside = rgb[:, ((rgb > 0) & (rgb < 255)).all(0)]
    missed = (_forward(lattice, _start(lattice, inside)) != inside).any(0)
    return 2 * int(missed.sum()) > int(inside.shape[1])


def _start(lattice: Lattice, rgb: Ints) -> Ints:
    """Luma and chroma near RGB, within 0..255."""
    twice = [2 * row + lattice.half for row in rgb]
    offsets = 0, *lattice.grey
    near = [sum(m * row for m, row in zip(line, twice, strict=True)) for line in lattice.inverse]
    return np.stack(
        [((row + 65536) >> 17) + offset for row, offset in zip(near, offsets, strict=True)]
    ).clip(0, 255)


def _search(
    lattice: Lattice, rgb: Ints, found: Ints, wanted: NDArray[np.intp], start: Ints, steps: Steps
) -> NDArray[np.intp]:
    """Look around `start` for what gives the wanted pixels' RGB and write it to `found`.

    Returns the indices of those left.
    """
    for step in steps:
        if not len(wanted):
            break
        tried = (start + np.array(step, np.int32)[:, None]).clip(0, 255)
        missed = (_forward(lattice, tried) != rgb[:, wanted]).any(0)
        found[:, wanted[~missed]] = tried[:, ~missed]
        wanted, start = wanted[missed], start[:, missed]
    return wanted


def _forward(lattice: Lattice, ycc: Ints) -> Ints:
    return np.stack(lattice.to_rgb(*ycc)).clip(0, 255)
