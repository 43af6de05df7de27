"""The numpy backend: convolutions as one matrix product over unfolded windows, in the carrier's
precision. It is the reference with which `torch_ops` is compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbans.exact.layers import IntConv
from bbans.exact.network import Input, Network, Step, float_network

Array = NDArray[np.floating]
Kept = NDArray[np.int16]


@dataclass(frozen=True)
class NumpyOps:
    """A backend whose carrier is `dtype`, float32 or float64; results are equal for models within
    the float32 bound.

    Examples:
        >>> ops = NumpyOps()
        >>> x = ops.load(np.arange(4).reshape(1, 2, 2))
        >>> ops.pool(x, 2)  # the mean 1.5, rounded half to even
        array([[[[2.]]]])
    """

    dtype: type[np.floating] = np.float64

    def widened(self) -> NumpyOps:
        """Returns the same backend with the float64 carrier, for layers within 2^53."""
        return NumpyOps(np.float64)

    def independently(self) -> NumpyOps:
        """Returns a backend in float64, in which the sums of a narrow model have 29 bits to
        spare.
        """
        return NumpyOps(np.float64)

    def load(self, array: NDArray[np.integer]) -> Array:
        """Converts integers `(C, h, w)` or `(B, C, h, w)`, |value| < 2^24, to an array of the
        carrier.
        """
        return array.reshape(-1, *array.shape[-3:]).astype(self.dtype)

    def store(self, array: Array) -> NDArray[np.int32]:
        """Converts an array to integers, int32 `(B * h * w, C)`, image by image and row by row."""
        stored: NDArray[np.int32] = (
            array.transpose(0, 2, 3, 1).reshape(-1, array.shape[1]).astype(np.int32)
        )
        return stored

    def prepare(self, layer: IntConv) -> tuple[Array, Array]:
        """Returns the layer's weights and biases in the carrier, for `conv`."""
        return layer.carrier_weight(self.dtype), layer.carrier_bias(self.dtype)

    def network(
        self, layers: Mapping[str, IntConv], inputs: Sequence[Input], steps: Sequence[Step]
    ) -> Network:
        """Returns a network of these layers, which reads and returns stored arrays."""
        return float_network(self, layers, inputs, steps)

    def conv(self, prepared: tuple[Array, Array], x: Array, bias_row: int | None = None) -> Array:
        """Returns a layer's unrounded sum at output scale; `bias_row` selects a row of a `(levels,
        O)` bias.
        """
        weight, bias = prepared
        outputs, inputs, k, _ = weight.shape
        images, _, h, w = x.shape
        if bias_row is not None:
            bias = bias[bias_row]
        weight = weight.reshape(outputs, -1)
        padded = np.pad(x, ((0, 0), (0, 0), (k // 2, k // 2), (k // 2, k // 2)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (k, k), axis=(2, 3))
        columns = windows.transpose(1, 4, 5, 0, 2, 3).reshape(inputs * k * k, images * h * w)
        sums = (weight @ columns + bias[:, None]).reshape(outputs, images, h, w)
        return np.ascontiguousarray(sums.swapaxes(0, 1))

    def round_clip(self, x: Array, low: int | Array, high: int | Array) -> Array:
        """Rounds half to even, then clips; bounds `(1, C, 1, 1)` give every channel its own
        range.
        """
        return np.asarray(np.rint(x).clip(low, high))

    def table(self, x: Array, table: NDArray[np.int64]) -> Array:
        """Returns table[|x|]."""
        return table[np.abs(x).astype(np.int64)].astype(self.dtype)

    def pool(self, x: Array, block: int) -> Array:
        """Averages blocks, edges repeated to complete them, and rounds half to even."""
        images, channels, h, w = x.shape
        padded = np.pad(x, ((0, 0), (0, 0), (0, -h % block), (0, -w % block)), mode="edge")
        rows, columns = padded.shape[2:]
        sums = padded.reshape(images, channels, rows // block, block, columns // block, block).sum(
            (3, 5)
        )
        return np.asarray(np.rint(sums / block**2)).astype(self.dtype)

    def modulate(self, x: Array, scale: Array, shift: Array, block: int) -> Array:
        """Returns x * scale + shift, where scale and shift have one value for each block."""
        h, w = x.shape[-2:]
        return np.asarray(x * self.spread(scale, block, h, w) + self.spread(shift, block, h, w))

    def spread(self, x: NDArray[Any], block: int, h: int, w: int) -> NDArray[Any]:
        """Repeats each value over a block, and crops to (h, w)."""
        return x.repeat(block, 2)[:, :, :h].repeat(block, 3)[:, :, :, :w]

    def to_depth(self, x: Array, rows: int, columns: int) -> Array:
        """Moves blocks of rows x columns positions to channels; zeros complete blocks at the
        edges.
        """
        images, channels, h, w = x.shape
        padded = np.pad(x, ((0, 0), (0, 0), (0, -h % rows), (0, -w % columns)))
        down, across = padded.shape[2] // rows, padded.shape[3] // columns
        blocks = padded.reshape(images, channels, down, rows, across, columns).transpose(
            0, 3, 5, 1, 2, 4
        )
        return np.ascontiguousarray(blocks.reshape(images, rows * columns * channels, down, across))

    def to_space(self, x: Array, rows: int, columns: int, h: int, w: int) -> Array:
        """Inverse of `to_depth`, cropped to (h, w)."""
        images, depth, down, across = x.shape
        channels = depth // (rows * columns)
        blocks = x.reshape(images, rows, columns, channels, down, across).transpose(
            0, 3, 4, 1, 5, 2
        )
        return np.ascontiguousarray(
            blocks.reshape(images, channels, down * rows, across * columns)[:, :, :h, :w]
        )

    def concat(self, arrays: list[Array]) -> Array:
        """Concatenates arrays along the channels."""
        return np.concatenate(arrays, 1)

    def keep(self, bands: Iterable[tuple[slice, Array]], height: int) -> Kept:
        """Stores bands of rows as 16-bit integers, one below the other, `height` rows in all."""
        return np.concatenate([band.astype(np.int16) for _, band in bands], 2)

    def take(self, kept: Kept, rows: slice) -> Array:
        """Returns some rows of a stored array, in the carrier."""
        return kept[..., rows, :].astype(self.dtype)

    def zeros(self, channels: int, h: int, w: int, images: int = 1) -> Array:
        """Returns zeros `(images, channels, h, w)`."""
        return np.zeros((images, channels, h, w), self.dtype)
