"""The torch backend: channels-last convolutions in a float carrier, shielded from the caller's reduced-precision settings.

A float32 convolution is exact only if the library multiplies float32 numbers. A caller may have allowed bf16 or TF32 inside
float32 operations; then the float64 carrier, which no such setting touches, is used instead. Global state is read, never set.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from bbans.exact.layers import IntConv


def reduced_precision_allowed(device: str) -> bool:
    """Whether this process lets float32 convolutions use shorter mantissas (bf16 fast-math, TF32) on `device`."""
    backends = [torch.backends.cudnn, torch.backends.cuda.matmul] if device.startswith("cuda") else [torch.backends.mkldnn]
    holders = [torch.backends, *backends, *(getattr(b, part, None) for b in backends for part in ("conv", "matmul"))]
    if any(getattr(h, "fp32_precision", "none") not in ("none", "ieee") for h in holders if h is not None):
        return True
    if device.startswith("cuda"):
        return bool(torch.backends.cudnn.allow_tf32)
    return torch.get_float32_matmul_precision() != "highest"


@dataclass(frozen=True)
class TorchOps:
    """`device` as torch names it; `wide` forces the float64 carrier. The carrier is chosen when the object is made."""

    device: str = "cpu"
    wide: bool = False

    @property
    def dtype(self) -> torch.dtype:
        """The carrier."""
        return torch.float64 if self.wide else torch.float32

    def widened(self) -> TorchOps:
        """See `ops.Ops`."""
        return TorchOps(self.device, wide=True)

    def load(self, array: NDArray[np.integer]) -> torch.Tensor:
        """See `ops.Ops`."""
        x = torch.from_numpy(np.ascontiguousarray(array.reshape(-1, *array.shape[-3:]))).to(self.device, self.dtype)
        return x.contiguous(memory_format=torch.channels_last)

    def store(self, array: torch.Tensor) -> NDArray[np.int32]:
        """See `ops.Ops`."""
        return array.permute(0, 2, 3, 1).reshape(-1, array.shape[1]).to(torch.int32).cpu().numpy()

    def prepare(self, layer: IntConv) -> tuple[torch.Tensor, torch.Tensor]:
        """See `ops.Ops`."""
        kind = np.float64 if self.wide else np.float32
        weight = torch.from_numpy(layer.carrier_weight(kind)).to(self.device)
        return weight.contiguous(memory_format=torch.channels_last), torch.from_numpy(layer.carrier_bias(kind)).to(self.device)

    def conv(self, prepared: tuple[torch.Tensor, torch.Tensor], x: torch.Tensor, bias_row: int | None = None) -> torch.Tensor:
        """See `ops.Ops`."""
        weight, bias = prepared
        if bias_row is not None:
            bias = bias[bias_row]
        with torch.autocast(x.device.type, enabled=False):
            if weight.shape[-1] > 1:
                return F.conv2d(x, weight, bias, padding=weight.shape[-1] // 2)
            # image rows as a batch: on large maps a 1 x 1 kernel is then two to three times as fast on a CPU
            images, channels, h, w = x.shape
            rows = x.permute(0, 2, 3, 1).reshape(images * h, 1, w, channels).permute(0, 3, 1, 2)
            y = F.conv2d(rows, weight, bias)
            return y.permute(0, 2, 3, 1).reshape(images, h, w, len(weight)).permute(0, 3, 1, 2)

    def round_clip(self, x: torch.Tensor, low: Any, high: Any) -> torch.Tensor:
        """See `ops.Ops`."""
        return x.round_().clamp_(low, high)

    def table(self, x: torch.Tensor, table: NDArray[np.int64]) -> torch.Tensor:
        """See `ops.Ops`."""
        return torch.tensor(table).to(x.device)[x.abs().long()].to(self.dtype)

    def pool(self, x: torch.Tensor, block: int) -> torch.Tensor:
        """See `ops.Ops`."""
        h, w = x.shape[-2:]
        if h % block or w % block:
            x = F.pad(x, (0, -w % block, 0, -h % block), mode="replicate")
        # sums of block^2 integers, not means: the order of a mean's division is not fixed
        sums = F.avg_pool2d(x, block, divisor_override=1)
        return sums.mul_(1.0 / block**2).round_().contiguous(memory_format=torch.channels_last)

    def modulate(self, x: torch.Tensor, scale: torch.Tensor, shift: torch.Tensor, block: int) -> torch.Tensor:
        """See `ops.Ops`."""
        images, channels, h, w = x.shape
        if h % block or w % block:
            return x.mul_(self.spread(scale, block, h, w)).add_(self.spread(shift, block, h, w))
        factors, terms = (a.permute(0, 2, 3, 1)[:, :, None, :, None].contiguous() for a in (scale, shift))
        blocks = x.permute(0, 2, 3, 1).view(images, h // block, block, w // block, block, channels)  # fails unless channels-last
        torch.addcmul(terms, blocks, factors, out=blocks)
        return x

    def spread(self, x: torch.Tensor, block: int, h: int, w: int) -> torch.Tensor:
        """See `ops.Ops`."""
        # one copy, straight into channels-last
        images, channels, rows, columns = x.shape
        y = x.permute(0, 2, 3, 1)[:, :, None, :, None].expand(images, rows, block, columns, block, channels)
        y = y.reshape(images, rows * block, columns * block, channels)[:, :h, :w].contiguous()
        return y.permute(0, 3, 1, 2)

    def to_depth(self, x: torch.Tensor, rows: int, columns: int) -> torch.Tensor:
        """See `ops.Ops`."""
        images, channels, h, w = x.shape
        x = F.pad(x, (0, -w % columns, 0, -h % rows))
        down, across = x.shape[2] // rows, x.shape[3] // columns
        blocks = x.reshape(images, channels, down, rows, across, columns).permute(0, 3, 5, 1, 2, 4)
        return blocks.reshape(images, rows * columns * channels, down, across).contiguous(memory_format=torch.channels_last)

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
                # numpy asks for huge pages: a tile's maps have 25 MB each, and the page faults cost more than what is written
                found = torch.from_numpy(np.empty((images, height, w, channels), np.int16)).to(self.device).permute(0, 3, 1, 2)
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
    """The fastest exact backend under the process's present settings."""
    return TorchOps(device, wide=reduced_precision_allowed(device))
