"""Places the n values of a sample on the grey scale 0..255, the line on which a mixture is a
density: for samples of 8 bits, of fewer, of 16, or of a range.

A model is trained on grey levels 0..255. A sample with n values covers the same range, so that the
model's densities are evaluated on a finer or coarser grid, and its networks receive the nearest
grey level. All arithmetic is integer; the tables are part of the file format.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import isqrt

import numpy as np
from numpy.typing import NDArray

from bbans.distributions.tables import Table

UNIT = 13  # fractional bits of a boundary in grey levels, 8 more than a location has
MAX_VALUES = 2**16
TOP = 255
LINEAR, SQUARE_ROOT = 0, 1
CURVES = {LINEAR: "linear", SQUARE_ROOT: "square root"}


@dataclass(frozen=True, eq=False)
class Axis:
    """The positions of values 0..n-1: value x covers `boundaries[x]` to `boundaries[x + 1]`.

    `boundaries`: int64 `(n + 1,)` in 2^-13 grey level, never decreasing. `centres`: int64 `(n,)` in
    1/32 grey level. `levels`: int32 `(n,)`, the nearest grey level.

    Examples:
        >>> stretched(3).levels
        array([  0, 128, 255], dtype=int32)
    """

    boundaries: Table
    centres: Table  # int64 (n,), in 1/32 grey level
    levels: NDArray[np.int32]  # (n,), the nearest grey level

    @property
    def n(self) -> int:
        """Number of values."""
        return len(self.centres)


def _axis(boundaries: Table) -> Axis:
    """The axis with these boundaries; its arrays are read-only."""
    centres = (boundaries[:-1] + boundaries[1:]) >> (UNIT - 4)
    levels = np.clip((centres + 16) >> 5, 0, TOP).astype(np.int32)
    for table in (boundaries, centres, levels):
        table.setflags(write=False)
    return Axis(boundaries, centres, levels)


def _checked(n: int) -> int:
    """n itself. Raises ValueError unless 1 <= n <= 2^16."""
    if not 1 <= n <= MAX_VALUES:
        raise ValueError(f"a sample has 1 to {MAX_VALUES} values; found {n}")
    return n


@lru_cache(maxsize=16)
def regular(n: int = 256) -> Axis:
    """Value x lies at grey level x, as in 8-bit samples; boundaries are at x - 1/2.

    Raises ValueError unless 1 <= n <= 2^16.

    Examples:
        >>> regular(4).centres / 32
        array([0., 1., 2., 3.])
    """
    return _axis((2 * np.arange(_checked(n) + 1, dtype=np.int64) - 1) << (UNIT - 1))


@lru_cache(maxsize=16)
def stretched(n: int, curve: int = LINEAR) -> Axis:
    """n values from grey level 0 to 255: value x lies at 255 t, or at 255 sqrt(t) with curve
    SQUARE_ROOT, where t = x / (n - 1); boundaries are at t = (x - 1/2) / (n - 1).

    The square root suits samples that are proportional to light. Raises ValueError unless 2 <= n <=
    2^16 and the curve is known.

    Examples:
        >>> stretched(4).centres / 32
        array([  0.,  85., 170., 255.])
    """
    if _checked(n) < 2 or curve not in CURVES:
        raise ValueError(
            f"expected two values or more and a curve in {sorted(CURVES)}; found {n} and {curve}"
        )
    twice = range(1, 2 * n + 1, 2)  # 2 x - 1 for x = 1..n
    if curve == LINEAR:
        upper = [(t * TOP << (UNIT - 1)) // (n - 1) for t in twice]
    else:
        upper = [isqrt(t * (TOP << UNIT) ** 2 // (2 * (n - 1))) for t in twice]
    return _axis(np.array([-upper[0], *upper], np.int64))
