"""The plain numpy backend: unfold and matrix product in the carrier's precision.

The oracle of `torch_ops`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbans.exact.layers import IntConv

Array = NDArray[np.floating]
Kept = NDArray[np.int16]


@dataclass(frozen=True)
class NumpyOps:
    """`dtype` is the carrier: float32 or float64, equal results for models within the float32
    bound.
    """

    dtype: type[np.floating] = np.float64

    def widened(self) -> NumpyOps:
        """See `ops.Ops`."""
        return NumpyOps(np.float64)

    def independently(self) -> NumpyOps:
        """See `ops.Ops`: float64, in which sums of a narrow model have 29 bits to spare."""
        return NumpyOps(np.float64)

    def load(self, array: NDArray[np.integer]) -> Array:
        """See `ops.Ops`."""
        return array.reshape(-1, *array.shape[-3:]).astype(self.dtype)

    def store(self, array: Array) -> NDArray[np.int32]:
        """See `ops.Ops`."""
        stored: NDArray[np.int32] = (
            array.transpose(0, 2, 3, 1).reshape(-1, array.shape[1]).astype(np.int32)
        )
        return stored

    def prepare(self, layer: IntConv) -> tuple[Array, Array]:
        """See `ops.Ops`."""
        return layer.carrier_weight(self.dtype), layer.carrier_bias(self.dtype)

    def conv(self, prepared: tuple[Array, Array], x: Array, bias_row: int | None = None) -> Array:
        """See `ops.Ops`."""
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
        """See `ops.Ops`."""
        return np.asarray(np.rint(x).clip(low, high))

    def table(self, x: Array, table: NDArray[np.int64]) -> Array:
        """See `ops.Ops`."""
        return table[np.abs(x).astype(np.int64)].astype(self.dtype)

    def pool(self, x: Array, block: int) -> Array:
        """See `ops.Ops`."""
        images, channels, h, w = x.shape
        padded = np.pad(x, ((0, 0), (0, 0), (0, -h % block), (0, -w % block)), mode="edge")
        rows, columns = padded.shape[2:]
        sums = padded.reshape(images, channels, rows // block, block, columns // block, block).sum(
            (3, 5)
        )
        return np.asarray(np.rint(sums / block**2)).astype(self.dtype)

    def modulate(self, x: Array, scale: Array, shift: Array, block: int) -> Array:
        """See `ops.Ops`."""
        h, w = x.shape[-2:]
        return np.asarray(x * self.spread(scale, block, h, w) + self.spread(shift, block, h, w))

    def spread(self, x: NDArray[Any], block: int, h: int, w: int) -> NDArray[Any]:
        """See `ops.Ops`."""
        return x.repeat(block, 2)[:, :, :h].repeat(block, 3)[:, :, :, :w]

    def to_depth(self, x: Array, rows: int, columns: int) -> Array:
        """See `ops.Ops`."""
        images, channels, h, w = x.shape
        padded = np.pad(x, ((0, 0), (0, 0), (0, -h % rows), (0, -w % columns)))
        down, across = padded.shape[2] // rows, padded.shape[3] // columns
        blocks = padded.reshape(images, channels, down, rows, across, columns).transpose(
            0, 3, 5, 1, 2, 4
        )
        return np.ascontiguousarray(blocks.reshape(images, rows * columns * channels, down, across))

    def to_space(self, x: Array, rows: int, columns: int, h: int, w: int) -> Array:
        """See `ops.Ops`."""
        images, depth, down, across = x.shape
        channels = depth // (rows * columns)
        blocks = x.reshape(images, rows, columns, channels, down, across).transpose(
            0, 3, 4, 1, 5, 2
        )
        return np.ascontiguousarray(
            blocks.reshape(images, channels, down * rows, across * columns)[:, :, :h, :w]
        )

    def concat(self, arrays: list[Array]) -> Array:
        """See `ops.Ops`."""
        return np.concatenate(arrays, 1)

    def keep(self, bands: Iterable[tuple[slice, Array]], height: int) -> Kept:
        """See `ops.Ops`."""
        return np.concatenate([band.astype(np.int16) for _, band in bands], 2)

    def take(self, kept: Kept, rows: slice) -> Array:
        """See `ops.Ops`."""
        return kept[..., rows, :].astype(self.dtype)

    def zeros(self, channels: int, h: int, w: int, images: int = 1) -> Array:
        """See `ops.Ops`."""
        return np.zeros((images, channels, h, w), self.dtype)
