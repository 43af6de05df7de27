"""Transforms of samples before a model codes them, and their inverses: recovered luma and chroma in
place of RGB (`ycc_lattice`), then orientation.

Where a lattice was found, the payload begins with the list of exceptions, pixels whose colours do
not lie on it: their number, then for each the number of pixels skipped since the previous exception
(variable-length integers) and its three samples. The message follows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbans.container.binary import Cursor, varint
from bbans.container.part_records import TilePart
from bbans.errors import FormatError
from bbans.tiles.transforms import ycc_lattice
from bbans.tiles.transforms.orientation import detect_orientation, turn

Samples = NDArray[Any]
Ints = NDArray[np.int64]
MOST_EXCEPTIONS = 256
"""A decoder accepts at most one exception per this many pixels."""


@dataclass(frozen=True)
class Prepared:
    """Samples as a model codes them, the transforms applied, and the bytes that precede the
    message.
    """

    samples: Samples
    orientation: int = 0
    lattice: int = 0
    before: bytes = b""


def prepare(samples: Samples, orientations: Sequence[int] = ()) -> list[Prepared]:
    """Return samples `(h, w, channels)` as a model may code them: in luma and chroma where these
    can be recovered, in each of `orientations`, or in the detected orientation if none are given.

    Examples:
        >>> [p.orientation for p in prepare(np.zeros((4, 6, 1), np.uint8), orientations=(0, 1))]
        [0, 1]
    """
    recovered = (
        ycc_lattice.recover(samples)
        if samples.dtype == np.uint8 and samples.shape[2] == 3
        else None
    )
    planes = samples if recovered is None else recovered.planes
    lattice, prefix = 0, b""
    if recovered is not None:
        gaps = np.diff(recovered.at, prepend=-1) - 1
        entries = b"".join(
            varint(int(gap)) + colour.tobytes()
            for gap, colour in zip(gaps, recovered.colours, strict=True)
        )
        lattice, prefix = recovered.lattice, varint(len(recovered.at)) + entries
    return [
        Prepared(turn(planes, o), o, lattice, prefix)
        for o in orientations or (detect_orientation(planes),)
    ]


def reapply(samples: Samples, part: TilePart) -> Samples:
    """Apply the transforms of a coded part to samples `(h, w, channels)`; exceptions become the
    nearest colours on the lattice.

    The result is what the part's model coded, except at the exceptions.

    Examples:
        >>> from bbans.container.tile_codecs import PREPARED
        >>> samples = np.arange(6, dtype=np.uint8).reshape(2, 3, 1)
        >>> (prepared,) = prepare(samples, orientations=(1,))
        >>> part = TilePart(PREPARED, 1, b"", orientation=1)
        >>> np.array_equal(reapply(samples, part), prepared.samples)
        True
    """
    return turn(
        ycc_lattice.to_planes(samples, part.lattice) if part.lattice else samples, part.orientation
    )


def split_payload(part: TilePart, shape: tuple[int, int]) -> tuple[Ints, NDArray[np.uint8], bytes]:
    """Split a part's payload: return indices int64 `(n,)` and samples uint8 `(n, 3)` of its
    exceptions, and its message.

    Raises FormatError on damaged data.

    Examples:
        >>> from bbans.container.tile_codecs import PREPARED
        >>> part = TilePart(PREPARED, 3, bytes([1, 4, 10, 20, 30]) + b"rest", lattice=1)
        >>> at, colours, message = split_payload(part, (16, 32))
        >>> at.tolist(), colours.tolist(), message
        ([4], [[10, 20, 30]], b'rest')
    """
    if not part.lattice:
        return np.zeros(0, np.int64), np.zeros((0, 3), np.uint8), part.payload
    pixels = shape[0] * shape[1]
    cursor = Cursor(part.payload, "list of exceptions")
    count = cursor.varint("their number", pixels // MOST_EXCEPTIONS)
    pixels_listed, colours, pixel = np.empty(count, np.int64), np.empty((count, 3), np.uint8), -1
    for i in range(count):
        pixel += 1 + cursor.varint("a gap", pixels)
        pixels_listed[i], colours[i] = pixel, np.frombuffer(cursor.take(3), np.uint8)
    if pixel >= pixels:
        raise FormatError(f"an exception is pixel {pixel} of {pixels}: the file is damaged")
    return pixels_listed, colours, part.payload[cursor.position :]


def undo_lattice(
    planes: Samples,
    lattice: int,
    at: Ints,
    colours: NDArray[np.uint8],
    width: int = 0,
    step: int = 1,
) -> Samples:
    """Convert planes of luma and chroma to RGB `(h, w, 3)`, with the exceptions `at` set to their
    `colours`.

    The planes hold every step-th row and column of a tile of this width; `width` 0 is that of the
    planes.

    Examples:
        >>> at, colours = np.array([1]), np.array([[9, 8, 7]], np.uint8)
        >>> undo_lattice(np.full((1, 2, 3), 128, np.uint8), ycc_lattice.JPEG, at, colours).tolist()
        [[[128, 128, 128], [9, 8, 7]]]
    """
    rgb = ycc_lattice.to_rgb(planes, lattice)
    row, column = np.divmod(at, width or rgb.shape[1])
    included = (row % step == 0) & (column % step == 0)
    rgb[row[included] // step, column[included] // step] = colours[included]
    return rgb
