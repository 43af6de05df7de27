"""The torch backend: channels-last convolutions in a float carrier, by ways that are known to be
exact (`convolutions`).

Global state is read, never set, and no result depends on it: default device and type, thread
counts, and what the caller allows of reduced precision.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from bbans.exact.convolutions import Kernel, Way, convolve, library, products, wide_products
from bbans.exact.layers import IntConv
from bbans.exact.numpy_ops import NumpyOps


@dataclass(frozen=True)
class TorchOps:
    """`device` as torch names it; `wide`: the float64 carrier; `independent`: convolutions as
    matrix products.

    An independent backend multiplies by another library than the default one where that has
    convolutions of its own: what one of them coded, the other verifies. On CUDA all are independent
    of the library's convolutions.
    """

    device: str = "cpu"
    wide: bool = False
    independent: bool = False

    @property
    def ways(self) -> tuple[Way, ...]:
        """How convolutions may be computed, best first."""
        alone = self.independent or not self.device.startswith("cpu")
        return (products, wide_products) if alone else (library, products, wide_products)

    @property
    def dtype(self) -> torch.dtype:
        """The carrier."""
        return torch.float64 if self.wide else torch.float32

    def widened(self) -> TorchOps:
        """See `ops.Ops`."""
        return replace(self, wide=True)

    def independently(self) -> TorchOps | NumpyOps:
        """See `ops.Ops`."""
        return NumpyOps(np.float64) if self.independent else replace(self, independent=True)

    def load(self, array: NDArray[np.integer]) -> torch.Tensor:
        """See `ops.Ops`."""
        x = torch.from_numpy(np.ascontiguousarray(array.reshape(-1, *array.shape[-3:]))).to(
            self.device, self.dtype
        )
        return x.contiguous(memory_format=torch.channels_last)

    def store(self, array: torch.Tensor) -> NDArray[np.int32]:
        """See `ops.Ops`."""
        return array.permute(0, 2, 3, 1).reshape(-1, array.shape[1]).to(torch.int32).cpu().numpy()

    def prepare(self, layer: IntConv) -> Kernel:
        """See `ops.Ops`."""
        kind = np.float64 if self.wide else np.float32
        weight = torch.from_numpy(layer.carrier_weight(kind)).to(self.device)
        bias = torch.from_numpy(layer.carrier_bias(kind)).to(self.device)
        return Kernel(weight.contiguous(memory_format=torch.channels_last), bias, layer.shift)

    def conv(self, prepared: Kernel, x: torch.Tensor, bias_row: int | None = None) -> torch.Tensor:
        """See `ops.Ops`."""
        return convolve(
            x, prepared, prepared.bias if bias_row is None else prepared.bias[bias_row], self.ways
        )

    def round_clip(self, x: torch.Tensor, low: Any, high: Any) -> torch.Tensor:
        """See `ops.Ops`."""
        return x.round_().clamp_(low, high)

    def table(self, x: torch.Tensor, table: NDArray[np.int64]) -> torch.Tensor:
        """See `ops.Ops`."""
        return torch.tensor(table, device=x.device)[x.abs().long()].to(self.dtype)

    def pool(self, x: torch.Tensor, block: int) -> torch.Tensor:
        """See `ops.Ops`."""
        h, w = x.shape[-2:]
        if h % block or w % block:
            x = F.pad(x, (0, -w % block, 0, -h % block), mode="replicate")
        # sums of block^2 integers, not means: the order of a mean's division is not fixed
        sums = F.avg_pool2d(x, block, divisor_override=1)
        return sums.mul_(1.0 / block**2).round_().contiguous(memory_format=torch.channels_last)

    def modulate(
        self, x: torch.Tensor, scale: torch.Tensor, shift: torch.Tensor, block: int
    ) -> torch.Tensor:
        """See `ops.Ops`."""
        images, channels, h, w = x.shape
        if h % block or w % block:
            return x.mul_(self.spread(scale, block, h, w)).add_(self.spread(shift, block, h, w))
        factors, terms = (
            a.permute(0, 2, 3, 1)[:, :, None, :, None].contiguous() for a in (scale, shift)
        )
        blocks = x.permute(0, 2, 3, 1).view(
            images, h // block, block, w // block, block, channels
        )  # fails unless channels-last
        torch.addcmul(terms, blocks, factors, out=blocks)
        return x

    def spread(self, x: torch.Tensor, block: int, h: int, w: int) -> torch.Tensor:
        """See `ops.Ops`."""
        # one copy, straight into channels-last
        images, channels, rows, columns = x.shape
        y = x.permute(0, 2, 3, 1)[:, :, None, :, None].expand(
            images, rows, block, columns, block, channels
        )
        y = y.reshape(images, rows * block, columns * block, channels)[:, :h, :w].contiguous()
        return y.permute(0, 3, 1, 2)

    def to_depth(self, x: torch.Tensor, rows: int, columns: int) -> torch.Tensor:
        """See `ops.Ops`."""
        images, channels, h, w = x.shape
        x = F.pad(x, (0, -w % columns, 0, -h % rows))
        down, across = x.shape[2] // rows, x.shape[3] // columns
        blocks = x.reshape(images, channels, down, rows, across, columns).permute(0, 3, 5, 1, 2, 4)
        return blocks.reshape(images, rows * columns * channels, down, across).contiguous(
            memory_format=torch.channels_last
        )

    def to_space(self, x: torch.Tensor, rows: int, columns: int, h: int, w: int) -> torch.Tensor:
        """See `ops.Ops`."""
        images, depth, down, across = x.shape
        channels = depth // (rows * columns)
        blocks = x.reshape(images, rows, columns, channels, down, across).permute(0, 3, 4, 1, 5, 2)
        blocks = blocks.reshape(images, channels, down * rows, across * columns)[:, :, :h, :w]
        return blocks.contiguous(memory_format=torch.channels_last)

    def concat(self, arrays: list[torch.Tensor]) -> torch.Tensor:
        """See `ops.Ops`."""
        return torch.cat(arrays, 1)

    def keep(self, bands: Iterable[tuple[slice, torch.Tensor]], height: int) -> torch.Tensor:
        """See `ops.Ops`."""
        found: torch.Tensor | None = None
        for rows, band in bands:
            if found is None:
                images, channels, _, w = band.shape
                # numpy asks for huge pages: a tile's maps have 25 MB each, and the page faults cost
                # more than what is written
                found = (
                    torch.from_numpy(np.empty((images, height, w, channels), np.int16))
                    .to(self.device)
                    .permute(0, 3, 1, 2)
                )
            found[..., rows, :] = band
        assert found is not None
        return found

    def take(self, kept: torch.Tensor, rows: slice) -> torch.Tensor:
        """See `ops.Ops`."""
        return kept[..., rows, :].to(self.dtype)

    def zeros(self, channels: int, h: int, w: int, images: int = 1) -> torch.Tensor:
        """See `ops.Ops`."""
        x = torch.zeros(images, channels, h, w, dtype=self.dtype, device=self.device)
        return x.contiguous(memory_format=torch.channels_last)


def torch_ops(device: str = "cpu") -> TorchOps:
    """The fastest exact backend."""
    return TorchOps(device)
