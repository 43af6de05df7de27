"""The interface of a backend, against which an exact network is written once.

Arrays are `(B, C, h, w)` floats that hold integers, for B images of one size. Every operation is
exact, so backends differ in speed and never in a value.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bbans.exact.layers import IntConv
from bbans.exact.network import Input, Network, Step

Array = Any  # the backend's own array type
# the type in which a backend stores arrays between uses: 16-bit integers, to save memory
Kept = Any


class Engine(Hashable, Protocol):
    """What runs networks whose sums fit 32 bits, and what such networks read."""

    def widened(self) -> Ops:
        """Returns the same backend with the float64 carrier, for layers within 2^53."""

    def independently(self) -> Engine:
        """Returns a backend with which results of this one can be verified: one that multiplies by
        other code, or that compares two ways when it makes a network.
        """

    def load(self, array: NDArray[np.integer]) -> Array:
        """Converts integers, an image `(C, h, w)` or images `(B, C, h, w)`, |value| < 2^24, to an
        array of the backend.
        """

    def store(self, array: Array) -> NDArray[np.integer]:
        """Converts an array to integers, int16 or int32 `(B * h * w, C)`: image by image, row by
        row.
        """

    def network(
        self, layers: Mapping[str, IntConv], inputs: Sequence[Input], steps: Sequence[Step]
    ) -> Network:
        """Returns a network of these layers, which reads and returns stored arrays."""

    def table(self, x: Array, table: NDArray[np.int64]) -> Array:
        """Returns table[|x|]; every |x| must be an index of the table."""

    def pool(self, x: Array, block: int) -> Array:
        """Averages blocks: sums over block x block positions, with edges repeated to complete the
        blocks, are divided by block^2 (a power of two) and rounded half to even.
        """

    def spread(self, x: Array | Kept, block: int, h: int, w: int) -> Array | Kept:
        """Repeats each value over a block, and crops to (h, w); a stored array (`keep`) stays in
        its type.
        """

    def concat(self, arrays: list[Array]) -> Array:
        """Concatenates arrays along the channels."""

    def zeros(self, channels: int, h: int, w: int, images: int = 1) -> Array:
        """Returns zeros `(images, channels, h, w)`."""


class Ops(Engine, Protocol):
    """An engine that gives each operation by itself: for networks of whole images, whose sums may
    need 53 bits.
    """

    def prepare(self, layer: IntConv) -> Any:
        """Returns the layer's weights and biases in the backend, for `conv`."""

    def conv(self, prepared: Any, x: Array, bias_row: int | None = None) -> Array:
        """Returns the unrounded sum of a layer at output scale, an integer times 2^-shift;
        `bias_row` selects a row of a `(levels, O)` bias.
        """

    def round_clip(self, x: Array, low: int | Array, high: int | Array) -> Array:
        """Rounds half to even, then clips to low..high; arrays `(1, C, 1, 1)` give every channel
        its own range.

        May overwrite x.
        """

    def modulate(self, x: Array, scale: Array, shift: Array, block: int) -> Array:
        """Returns x * scale + shift, where scale and shift have one value for each block; the
        result is exact.

        May overwrite x.
        """

    def to_depth(self, x: Array, rows: int, columns: int) -> Array:
        """Moves blocks of rows x columns positions to channels: channel c at (i, j) of a block
        becomes channel (i columns + j) C + c.

        Zeros complete the blocks at the edges.
        """

    def to_space(self, x: Array, rows: int, columns: int, h: int, w: int) -> Array:
        """Inverse of `to_depth`, cropped to (h, w)."""

    def keep(self, bands: Iterable[tuple[slice, Array]], height: int) -> Kept:
        """Stores bands of rows, |value| < 2^15, as one array of 16-bit integers with `height` rows;
        each band comes with the slice of rows that it fills, from top to bottom.
        """

    def take(self, kept: Kept, rows: slice) -> Array:
        """Returns some rows of a stored array, in the carrier."""
