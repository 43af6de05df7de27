"""Polyphase decomposition in integers: level x^(s+1) is phase 00 of x^(s); the other phases, 11, 01
and 10, are what a level codes.

Images are int32 `(3, h, w)`. The grid of a level is that of its phase 00. Where an odd side leaves
another phase a row or column shorter, the networks see its edge repeated, and nothing is coded
there.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

COARSEST_SIDE = 8
"""Largest side of the coarsest image."""
OFFSETS = ((1, 1), (0, 1), (1, 0))
"""Row and column offsets of the coded phases, in decoding order."""

Ints = NDArray[np.int32]


def level_shapes(h: int, w: int) -> list[tuple[int, int]]:
    """Return the sizes of x^(0), x^(1), ... down to the coarsest image.

    Examples:
        >>> level_shapes(20, 33)
        [(20, 33), (10, 17), (5, 9), (3, 5)]
    """
    shapes = [(h, w)]
    while max(shapes[-1]) > COARSEST_SIDE:
        h, w = -(-h // 2), -(-w // 2)
        shapes.append((h, w))
    return shapes


def phase_shape(h: int, w: int, phase: int) -> tuple[int, int]:
    """Return rows and columns of a phase of an `h x w` image; either may be 0.

    Examples:
        >>> phase_shape(5, 1, 0), phase_shape(5, 1, 2)
        ((2, 0), (2, 1))
    """
    row, column = OFFSETS[phase]
    return (h - row + 1) // 2, (w - column + 1) // 2


def complete(values: Ints, grid: tuple[int, int], substitute: Ints) -> Ints:
    """Pad a phase to the whole grid by repeating its edge; an empty phase becomes `substitute`.

    Examples:
        >>> complete(np.ones((3, 1, 2), np.int32), (2, 2), np.zeros((3, 2, 2), np.int32)).shape
        (3, 2, 2)
    """
    _, h, w = values.shape
    if h == 0 or w == 0:
        return substitute
    if (h, w) == grid:
        return values
    return np.pad(values, ((0, 0), (0, grid[0] - h), (0, grid[1] - w)), mode="edge")


def shift(x: Ints, rows: int, columns: int) -> Ints:
    """Return x[i + rows, j + columns] with the edge repeated; rows and columns are in {-1, 0, 1}.

    Examples:
        >>> shift(np.array([[[1, 2, 3]]]), 0, 1).tolist()
        [[[2, 3, 3]]]
    """
    for axis, step in ((1, rows), (2, columns)):
        if step:
            x = _shifted(x, axis, step)
    return x


def _shifted(x: Ints, axis: int, step: int) -> Ints:
    """`shift` by 1 or -1 along one axis."""
    moved = np.empty_like(x)
    target, source = np.moveaxis(moved, axis, 0), np.moveaxis(x, axis, 0)
    if step > 0:
        target[:-1], target[-1] = source[1:], source[-1]
    else:
        target[1:], target[0] = source[:-1], source[0]
    return moved


def neighbour_sums(phase: int, known: list[Ints]) -> Ints:
    """Return four times the prediction of a phase: the sum of its four nearest known samples.

    `known`: phase 00 and, for phases 1 and 2, phase 11, int32 `(3, rows, columns)` each.

    Examples:
        >>> neighbour_sums(0, [np.full((3, 1, 1), 5, np.int32)]).ravel().tolist()
        [20, 20, 20]
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
    """Select the rows of a `(grid rows * grid columns, n)` array that lie within a phase of
    `shape`.

    Returns `(rows * columns, n)`.

    Examples:
        >>> positions(np.arange(6, dtype=np.int16)[:, None], (2, 3), (2, 2)).ravel().tolist()
        [0, 1, 3, 4]
    """
    n = array.shape[1]
    return np.asarray(array.reshape(*grid, n)[: shape[0], : shape[1]].reshape(-1, n))


def to_positions(x: Ints, shape: tuple[int, int]) -> Ints:
    """Crop `(3, h, w)` to `shape` and return it as `(rows * columns, 3)`.

    Examples:
        >>> to_positions(np.zeros((3, 4, 5), np.int32), (2, 3)).shape
        (6, 3)
    """
    return np.asarray(x[:, : shape[0], : shape[1]].transpose(1, 2, 0).reshape(-1, x.shape[0]))


def from_positions(values: NDArray[np.integer], shape: tuple[int, int]) -> Ints:
    """Return `(rows * columns, channels)` as int32 `(3, rows, columns)`; a single channel is
    repeated.

    Examples:
        >>> from_positions(np.zeros((6, 1)), (2, 3)).shape
        (3, 2, 3)
    """
    x = values.reshape(*shape, -1).transpose(2, 0, 1).astype(np.int32)
    return np.repeat(x, 3, axis=0) if x.shape[0] == 1 else x
