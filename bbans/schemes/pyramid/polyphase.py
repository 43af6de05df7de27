"""The polyphase pyramid in integers: x^(s+1) is phase 00 of x^(s); phases 11, 01, 10 are what a
level codes.

Arrays are `(3, h, w)` int32. The grid of a level is that of its phase 00; where an odd side leaves
a phase shorter, the networks see its edge repeated, and nothing is coded there.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

COARSEST = 8  # no side of the coarsest image is longer
OFFSETS = ((1, 1), (0, 1), (1, 0))

Ints = NDArray[np.int32]


def level_shapes(h: int, w: int) -> list[tuple[int, int]]:
    """Sizes of x^(0), x^(1), ... down to the coarsest image."""
    shapes = [(h, w)]
    while max(shapes[-1]) > COARSEST:
        h, w = -(-h // 2), -(-w // 2)
        shapes.append((h, w))
    return shapes


def phase_shape(h: int, w: int, phase: int) -> tuple[int, int]:
    """Rows and columns of a phase of an `h x w` image (either may be 0)."""
    row, column = OFFSETS[phase]
    return (h - row + 1) // 2, (w - column + 1) // 2


def complete(values: Ints, grid: tuple[int, int], substitute: Ints) -> Ints:
    """A phase on the whole grid: its edge repeated, or `substitute` where the phase is empty."""
    _, h, w = values.shape
    if h == 0 or w == 0:
        return substitute
    return np.pad(values, ((0, 0), (0, grid[0] - h), (0, grid[1] - w)), mode="edge")


def shift(x: Ints, rows: int, columns: int) -> Ints:
    """x[i + rows, j + columns] with the edge repeated; rows, columns in {-1, 0, 1}."""
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1)), mode="edge")
    moved: Ints = padded[
        :, 1 + rows : padded.shape[1] - 1 + rows, 1 + columns : padded.shape[2] - 1 + columns
    ]
    return moved


def neighbour_sums(phase: int, known: list[Ints]) -> Ints:
    """Four times the prediction of a phase from phases 00 (and 11): the sum of the four nearest
    known pixels.
    """
    a = known[0]
    if phase == 0:
        return a + shift(a, 0, 1) + shift(a, 1, 0) + shift(a, 1, 1)
    d = known[1]
    if phase == 1:
        return a + shift(a, 0, 1) + d + shift(d, -1, 0)
    return a + shift(a, 1, 0) + d + shift(d, 0, -1)


def positions(
    array: NDArray[np.int16], grid: tuple[int, int], shape: tuple[int, int]
) -> NDArray[np.int16]:
    """Rows of a position-major `(h * w, n)` array that lie within a phase of `shape`, `(rows *
    columns, n)`.
    """
    n = array.shape[1]
    return np.asarray(array.reshape(*grid, n)[: shape[0], : shape[1]].reshape(-1, n))


def to_positions(x: Ints, shape: tuple[int, int]) -> Ints:
    """`(3, h, w)` cropped to `shape`, as `(rows * columns, 3)`."""
    return np.asarray(x[:, : shape[0], : shape[1]].transpose(1, 2, 0).reshape(-1, x.shape[0]))


def from_positions(values: NDArray[np.integer], shape: tuple[int, int]) -> Ints:
    """`(rows * columns, channels)` as `(3, rows, columns)`; a single channel is repeated."""
    x = values.reshape(*shape, -1).transpose(2, 0, 1).astype(np.int32)
    return np.repeat(x, 3, axis=0) if x.shape[0] == 1 else x
