"""What is done to samples before a model codes them, and how it is undone: luma and chroma in place
of RGB, another orientation.

Where there is a lattice, the payload begins with the exceptions to it: their number, then for each
the pixels passed over since the one before and its three samples. The message follows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbans.container.binary import Cursor, varint
from bbans.container.file_records import TilePart
from bbans.errors import FormatError
from bbans.tiles.transforms import ycc_lattice
from bbans.tiles.transforms.orientation import detect_orientation, turn

Samples = NDArray[Any]
Ints = NDArray[np.int64]
MOST_EXCEPTIONS = 256  # a decoder takes one pixel in so many


@dataclass(frozen=True)
class Prepared:
    """Samples as a model codes them, how they were made, and what the payload begins with."""

    samples: Samples
    orientation: int = 0
    lattice: int = 0
    before: bytes = b""


def prepare(samples: Samples, orientations: Sequence[int] = ()) -> list[Prepared]:
    """Samples `(h, w, channels)` in luma and chroma where these are found, in each of the
    orientations, or in the one that suits them.
    """
    found = (
        ycc_lattice.recover(samples)
        if samples.dtype == np.uint8 and samples.shape[2] == 3
        else None
    )
    planes = samples if found is None else found.planes
    lattice, before = 0, b""
    if found is not None:
        gaps = np.diff(found.at, prepend=-1) - 1
        listed = b"".join(
            varint(int(gap)) + colour.tobytes()
            for gap, colour in zip(gaps, found.colours, strict=True)
        )
        lattice, before = found.lattice, varint(len(found.at)) + listed
    return [
        Prepared(turn(planes, o), o, lattice, before)
        for o in orientations or (detect_orientation(planes),)
    ]


def reapply(samples: Samples, part: TilePart) -> Samples:
    """What a part's model coded for these samples, exceptions as near as can be."""
    return turn(
        ycc_lattice.to_planes(samples, part.lattice) if part.lattice else samples, part.orientation
    )


def split_payload(part: TilePart, shape: tuple[int, int]) -> tuple[Ints, NDArray[np.uint8], bytes]:
    """Indices and samples `(n, 3)` of a part's exceptions, and its message.

    Raises FormatError on damage.
    """
    if not part.lattice:
        return np.zeros(0, np.int64), np.zeros((0, 3), np.uint8), part.payload
    pixels = shape[0] * shape[1]
    cursor = Cursor(part.payload, "list of exceptions")
    count = cursor.varint("their number", pixels // MOST_EXCEPTIONS)
    at, colours, place = np.empty(count, np.int64), np.empty((count, 3), np.uint8), -1
    for i in range(count):
        place += 1 + cursor.varint("a gap", pixels)
        at[i], colours[i] = place, np.frombuffer(cursor.take(3), np.uint8)
    if place >= pixels:
        raise FormatError(f"an exception is pixel {place} of {pixels}: the file is damaged")
    return at, colours, part.payload[cursor.position :]


def undo_lattice(
    planes: Samples,
    lattice: int,
    at: Ints,
    colours: NDArray[np.uint8],
    width: int = 0,
    step: int = 1,
) -> Samples:
    """RGB `(h, w, 3)` of planes, which hold every step-th row and column of a tile of this
    width.
    """
    rgb = ycc_lattice.to_rgb(planes, lattice)
    row, column = np.divmod(at, width or rgb.shape[1])
    kept = (row % step == 0) & (column % step == 0)
    rgb[row[kept] // step, column[kept] // step] = colours[kept]
    return rgb
