"""a_(i+1) = clip(W_i * a_i + b_i [+ a_i], 0, 16): the trainable twin of `models.conv`.

Its export too. Reals and integers meet as in `mlp`.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bbans.exact.layers import FLOAT64_BOUND, Accumulator, IntConv, quantise
from bbans.exact.torch_ops import TorchOps
from bbans.models.conv import accumulators, walk
from bbans.models.conv_plans import Conv, Layer
from bbans.models.mlp import ACT_TOP, ACT_UNIT, Mlp
from bbans.training.networks import mlp
from bbans.training.networks.mlp import FloatMlp, as_numpy, columns, real_range

REARRANGED = TorchOps()  # its re-arrangements are those of reals too


class FloatConv(nn.Module):
    """The plan's network on reals."""

    def __init__(self, plan: Conv) -> None:
        super().__init__()
        self.plan = plan
        self.layers = nn.ModuleDict({layer.name: _convolution(layer) for layer in plan.layers})

    def forward(self, *inputs: Tensor) -> list[Tensor]:
        """One tensor `(B, count)` for each input field in, one for each output field out."""
        items, plan = len(inputs[0]), self.plan
        x = inputs[0].reshape(items, plan.height, plan.width, -1).permute(0, 3, 1, 2)
        y = walk(plan, x, [side[:, :, None, None] for side in inputs[1:]], REARRANGED, self._layer)
        parts = torch.split(y.permute(0, 2, 3, 1), [f.count for f in plan.outputs], 3)
        return [
            part.reshape(items, -1).clamp(*real_range(f))
            for part, f in zip(parts, plan.outputs, strict=True)
        ]

    def _layer(self, layer: Layer, x: Tensor) -> Tensor:
        y: Tensor = self.layers[layer.name](x)
        if layer.residual:
            y = y + x
        return y if layer.last else F.hardtanh(y, 0.0, ACT_TOP / ACT_UNIT)

    def output_bias(self, index: int) -> Tensor:
        """The last layer's biases of one output field, a view `(positions, count)`: for initial
        values.
        """
        counts = [f.count for f in self.plan.outputs]
        bias: Tensor = self.layers[self.plan.layers[-1].name].bias.detach()  # type: ignore[operator]
        return torch.split(bias.view(-1, sum(counts)), counts, 1)[index]


def _convolution(layer: Layer) -> nn.Conv2d:
    inputs, outputs = (sum(f.count for f in fields) for fields in (layer.inputs, layer.outputs))
    found = nn.Conv2d(inputs, outputs, layer.side, padding=layer.side // 2)
    if not (layer.residual or layer.last):
        # rectifiers halve the variance (He et al. 2015, arXiv:1502.01852): with torch's usual
        # weights latents fade on the way
        nn.init.kaiming_normal_(found.weight, nonlinearity="relu")
        nn.init.zeros_(found.bias)  # type: ignore[arg-type]
    return found


def network(plan: Mlp | Conv) -> FloatMlp | FloatConv:
    """A fresh network of a plan."""
    return FloatConv(plan) if isinstance(plan, Conv) else FloatMlp(plan)


def export(networks: Mapping[str, FloatMlp | FloatConv]) -> dict[str, IntConv]:
    """Every layer of the networks in integers, by name.

    Raises AccumulatorBoundError if a layer cannot be made exact.
    """
    found = mlp.export({name: net for name, net in networks.items() if isinstance(net, FloatMlp)})
    for name, net in networks.items():
        if isinstance(net, FloatConv):
            wanted = accumulators(name, net.plan)
            found |= {
                f"{name}.{layer.name}": _exported(net, layer, wanted[f"{name}.{layer.name}"])
                for layer in net.plan.layers
            }
    return found


def _exported(net: FloatConv, layer: Layer, wanted: Accumulator) -> IntConv:
    trained, unit_out = net.layers[layer.name], columns(layer.outputs, "unit")
    weight = (
        as_numpy(trained.weight)
        * unit_out[:, None, None, None]
        / columns(layer.inputs, "unit")[:, None, None]
    )
    bias = (as_numpy(trained.bias) + columns(layer.outputs, "offset")) * unit_out
    (found,) = quantise([weight], bias, list(wanted.maxima), wanted.residual, FLOAT64_BOUND)
    return found
