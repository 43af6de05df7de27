"""What a backend must provide.

Arrays are `(B, C, h, w)` floats that hold integers, B images of one size; every operation is exact.

An exact network is written once against this protocol; backends differ in speed, never in a value.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bbans.exact.layers import IntConv

Array = Any  # the backend's own array type
# what it keeps such arrays as between uses: 16-bit integers, so that large maps take little memory
Kept = Any


class Ops(Protocol):
    """A backend."""

    def widened(self) -> Ops:
        """The same backend with the float64 carrier, for layers within 2^53."""

    def independently(self) -> Ops:
        """A backend that multiplies by other code than this one: what was coded with one is
        verified with the other.
        """

    def load(self, array: NDArray[np.integer]) -> Array:
        """Integers `(C, h, w)`, an image, or `(B, C, h, w)`, with |value| < 2^24 into the
        backend.
        """

    def store(self, array: Array) -> NDArray[np.int32]:
        """Back to integers `(B * h * w, C)`: image by image, position by position."""

    def prepare(self, layer: IntConv) -> Any:
        """The layer's weights and biases in the backend, for `conv`."""

    def conv(self, prepared: Any, x: Array, bias_row: int | None = None) -> Array:
        """The unrounded sum of a layer, dyadic, at output scale; `bias_row` picks a row of a
        `(levels, O)` bias.
        """

    def round_clip(self, x: Array, low: int | Array, high: int | Array) -> Array:
        """Round half to even, then clip; with arrays `(1, C, 1, 1)` each channel to a range of its
        own. May overwrite x.
        """

    def table(self, x: Array, table: NDArray[np.int64]) -> Array:
        """table[|x|]; x within the table."""

    def pool(self, x: Array, block: int) -> Array:
        """Block sums over edge-completed blocks, divided by block^2 (a power of two) and rounded
        half to even.
        """

    def modulate(self, x: Array, scale: Array, shift: Array, block: int) -> Array:
        """x scale + shift, of which scale and shift hold a value a block; the result is exact.

        May overwrite x.
        """

    def spread(self, x: Array | Kept, block: int, h: int, w: int) -> Array | Kept:
        """Each value repeated over a block, cropped to (h, w); what was kept stays kept."""

    def to_depth(self, x: Array, rows: int, columns: int) -> Array:
        """Blocks of rows x columns positions as channels: channel c at (i, j) of a block becomes (i
        columns + j) C + c.

        Zeros complete the blocks at the edges.
        """

    def to_space(self, x: Array, rows: int, columns: int, h: int, w: int) -> Array:
        """Inverse of `to_depth`, cropped to (h, w)."""

    def concat(self, arrays: list[Array]) -> Array:
        """Along the channels."""

    def keep(self, bands: Iterable[tuple[slice, Array]], height: int) -> Kept:
        """Bands of rows with |value| < 2^15, one below the other, `height` in all; each with the
        rows that it takes.
        """

    def take(self, kept: Kept, rows: slice) -> Array:
        """Some rows of what was kept."""

    def zeros(self, channels: int, h: int, w: int, images: int = 1) -> Array:
        """`(images, channels, h, w)` zeros."""
