"""The torch backend: channels-last convolutions in a float carrier, by implementations that are
verified to be exact (`convolutions`).

Global state is read, never set, and no result depends on it: default device and type, numbers of
threads, and the reduced precision that the caller allows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from bbans.exact.convolutions import Kernel, Way, convolve, library, products, wide_products
from bbans.exact.layers import IntConv
from bbans.exact.network import Input, Network, Step, float_network
from bbans.exact.numpy_ops import NumpyOps


@dataclass(frozen=True)
class TorchOps:
    """A backend on a torch device.

    `device`: its name in torch. `wide`: the carrier is float64 instead of float32. `independent`:
    convolutions are matrix products, never torch's own. An independent backend so uses another
    library than the default one wherever that has convolutions of its own, and can verify what it
    coded. On CUDA every backend is independent of the library's convolutions.
    """

    device: str = "cpu"
    wide: bool = False
    independent: bool = False

    @property
    def ways(self) -> tuple[Way, ...]:
        """The implementations of a convolution to try, best first."""
        products_only = self.independent or not self.device.startswith("cpu")
        return (products, wide_products) if products_only else (library, products, wide_products)

    @property
    def dtype(self) -> torch.dtype:
        """The carrier, float32 or float64."""
        return torch.float64 if self.wide else torch.float32

    def widened(self) -> TorchOps:
        """Returns the same backend with the float64 carrier, for layers within 2^53."""
        return replace(self, wide=True)

    def independently(self) -> TorchOps | NumpyOps:
        """Returns a backend that multiplies by other code than this one, with which results of this
        one can be verified.
        """
        return NumpyOps(np.float64) if self.independent else replace(self, independent=True)

    def load(self, array: NDArray[np.integer]) -> torch.Tensor:
        """Converts integers `(C, h, w)` or `(B, C, h, w)`, |value| < 2^24, to an array of the
        carrier.
        """
        x = torch.from_numpy(np.ascontiguousarray(array.reshape(-1, *array.shape[-3:]))).to(
            self.device, self.dtype
        )
        return x.contiguous(memory_format=torch.channels_last)

    def store(self, array: torch.Tensor) -> NDArray[np.int32]:
        """Converts an array to integers, int32 `(B * h * w, C)`, image by image and row by row."""
        return array.permute(0, 2, 3, 1).reshape(-1, array.shape[1]).to(torch.int32).cpu().numpy()

    def prepare(self, layer: IntConv) -> Kernel:
        """Returns the layer's weights and biases in the carrier, for `conv`."""
        kind = np.float64 if self.wide else np.float32
        weight = torch.from_numpy(layer.carrier_weight(kind)).to(self.device)
        bias = torch.from_numpy(layer.carrier_bias(kind)).to(self.device)
        return Kernel(weight.contiguous(memory_format=torch.channels_last), bias, layer.shift)

    def network(
        self, layers: Mapping[str, IntConv], inputs: Sequence[Input], steps: Sequence[Step]
    ) -> Network:
        """Returns a network of these layers, which reads and returns stored arrays."""
        return float_network(self, layers, inputs, steps)

    def conv(self, prepared: Kernel, x: torch.Tensor, bias_row: int | None = None) -> torch.Tensor:
        """Returns a layer's unrounded sum at output scale; `bias_row` selects a row of a `(levels,
        O)` bias.
        """
        return convolve(
            x, prepared, prepared.bias if bias_row is None else prepared.bias[bias_row], self.ways
        )

    def round_clip(self, x: torch.Tensor, low: Any, high: Any) -> torch.Tensor:
        """Rounds half to even, then clips; bounds `(1, C, 1, 1)` give every channel its own
        range.
        """
        return x.round_().clamp_(low, high)

    def table(self, x: torch.Tensor, table: NDArray[np.int64]) -> torch.Tensor:
        """Returns table[|x|]."""
        return torch.tensor(table, device=x.device)[x.abs().long()].to(self.dtype)

    def pool(self, x: torch.Tensor, block: int) -> torch.Tensor:
        """Averages blocks, edges repeated to complete them, and rounds half to even."""
        h, w = x.shape[-2:]
        x = x.to(self.dtype)
        if h % block or w % block:
            x = F.pad(x, (0, -w % block, 0, -h % block), mode="replicate")
        # sums of block^2 integers, not means: whether a mean divides first is not specified
        sums = F.avg_pool2d(x, block, divisor_override=1)
        return sums.mul_(1.0 / block**2).round_().contiguous(memory_format=torch.channels_last)

    def modulate(
        self, x: torch.Tensor, scale: torch.Tensor, shift: torch.Tensor, block: int
    ) -> torch.Tensor:
        """Returns x * scale + shift, where scale and shift have one value for each block."""
        images, channels, h, w = x.shape
        if h % block or w % block:
            return x.mul_(self.spread(scale, block, h, w)).add_(self.spread(shift, block, h, w))
        factors, terms = (
            a.permute(0, 2, 3, 1)[:, :, None, :, None].contiguous() for a in (scale, shift)
        )
        blocks = x.permute(0, 2, 3, 1).view(
            images, h // block, block, w // block, block, channels
        )  # raises unless the layout is channels-last
        torch.addcmul(terms, blocks, factors, out=blocks)
        return x

    def spread(self, x: torch.Tensor, block: int, h: int, w: int) -> torch.Tensor:
        """Repeats each value over a block, and crops to (h, w)."""
        # one copy, straight into channels-last
        images, channels, rows, columns = x.shape
        y = x.permute(0, 2, 3, 1)[:, :, None, :, None].expand(
            images, rows, block, columns, block, channels
        )
        y = y.reshape(images, rows * block, columns * block, channels)[:, :h, :w].contiguous()
        return y.permute(0, 3, 1, 2)

    def to_depth(self, x: torch.Tensor, rows: int, columns: int) -> torch.Tensor:
        """Moves blocks of rows x columns positions to channels; zeros complete blocks at the
        edges.
        """
        images, channels, h, w = x.shape
        x = F.pad(x, (0, -w % columns, 0, -h % rows))
        down, across = x.shape[2] // rows, x.shape[3] // columns
        blocks = x.reshape(images, channels, down, rows, across, columns).permute(0, 3, 5, 1, 2, 4)
        return blocks.reshape(images, rows * columns * channels, down, across).contiguous(
            memory_format=torch.channels_last
        )

    def to_space(self, x: torch.Tensor, rows: int, columns: int, h: int, w: int) -> torch.Tensor:
        """Inverse of `to_depth`, cropped to (h, w)."""
        images, depth, down, across = x.shape
        channels = depth // (rows * columns)
        blocks = x.reshape(images, rows, columns, channels, down, across).permute(0, 3, 4, 1, 5, 2)
        blocks = blocks.reshape(images, channels, down * rows, across * columns)[:, :, :h, :w]
        return blocks.contiguous(memory_format=torch.channels_last)

    def concat(self, arrays: list[torch.Tensor]) -> torch.Tensor:
        """Concatenates arrays along the channels."""
        return torch.cat(arrays, 1)

    def keep(self, bands: Iterable[tuple[slice, torch.Tensor]], height: int) -> torch.Tensor:
        """Stores bands of rows as 16-bit integers, one below the other, `height` rows in all."""
        stored: torch.Tensor | None = None
        for rows, band in bands:
            if stored is None:
                images, channels, _, w = band.shape
                # numpy requests huge pages: a tile's maps have 25 MB each, and page faults would
                # cost more than the writing
                stored = (
                    torch.from_numpy(np.empty((images, height, w, channels), np.int16))
                    .to(self.device)
                    .permute(0, 3, 1, 2)
                )
            stored[..., rows, :] = band
        assert stored is not None
        return stored

    def take(self, kept: torch.Tensor, rows: slice) -> torch.Tensor:
        """Returns some rows of a stored array, in the carrier."""
        return kept[..., rows, :].to(self.dtype)

    def zeros(self, channels: int, h: int, w: int, images: int = 1) -> torch.Tensor:
        """Returns zeros `(images, channels, h, w)`."""
        x = torch.zeros(images, channels, h, w, dtype=self.dtype, device=self.device)
        return x.contiguous(memory_format=torch.channels_last)


def torch_ops(device: str = "cpu") -> TorchOps:
    """Returns the fastest exact backend on a device.

    Examples:
        >>> x = torch_ops().load(np.arange(4).reshape(1, 2, 2))
        >>> torch_ops().pool(x, 2)  # the mean 1.5, rounded half to even
        tensor([[[[2.]]]])
    """
    return TorchOps(device)
