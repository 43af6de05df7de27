"""a_(i+1) = clip(W_i * a_i + b_i [+ a_i], 0, 16): the trainable twin of `models.conv`, and its
export.

The fields of a plan relate reals to integers, as in `training.networks.mlp`.
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

REARRANGED = TorchOps()  # re-arranges positions, on reals as on integers


class FloatConv(nn.Module):
    """A plan's convolutional network on reals."""

    def __init__(self, plan: Conv) -> None:
        super().__init__()
        self.plan = plan
        self.layers = nn.ModuleDict({layer.name: _convolution(layer) for layer in plan.layers})

    def forward(self, *inputs: Tensor) -> list[Tensor]:
        """Evaluate the network: one tensor `(B, count)` for each input field in, one for each
        output field out.
        """
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
        """Return a view `(positions, count)` of the last layer's biases of one output field, to set
        initial values.
        """
        counts = [f.count for f in self.plan.outputs]
        bias: Tensor = self.layers[self.plan.layers[-1].name].bias.detach()  # type: ignore[operator]
        return torch.split(bias.view(-1, sum(counts)), counts, 1)[index]


def _convolution(layer: Layer) -> nn.Conv2d:
    inputs, outputs = (sum(f.count for f in fields) for fields in (layer.inputs, layer.outputs))
    convolution = nn.Conv2d(inputs, outputs, layer.side, padding=layer.side // 2)
    if not (layer.residual or layer.last):
        # rectifiers halve the variance (He et al. 2015, arXiv:1502.01852): with torch's default
        # weights the signal of the latents fades from layer to layer
        nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
        nn.init.zeros_(convolution.bias)  # type: ignore[arg-type]
    return convolution


def network(plan: Mlp | Conv) -> FloatMlp | FloatConv:
    """Return an untrained network of a plan.

    Examples:
        >>> from bbans.models.conv_vae import ConvVaeConfig
        >>> net = network(ConvVaeConfig(latents=(3,)).plans["likelihood0"])
        >>> net(torch.zeros(2, 3))[0].shape
        torch.Size([2, 2352])
    """
    return FloatConv(plan) if isinstance(plan, Conv) else FloatMlp(plan)


def export(networks: Mapping[str, FloatMlp | FloatConv]) -> dict[str, IntConv]:
    """Return every layer of the networks in integers, by name.

    Raises AccumulatorBoundError if a layer cannot be made exact.

    Examples:
        >>> from bbans.models.conv_vae import ConvVaeConfig
        >>> plan = ConvVaeConfig(4, 4, maps=2, halvings=1, blocks=0).plans["posterior1"]
        >>> sorted(export({"q": FloatConv(plan)}))
        ['q.level1', 'q.out']
    """
    layers = mlp.export({name: net for name, net in networks.items() if isinstance(net, FloatMlp)})
    for name, net in networks.items():
        if isinstance(net, FloatConv):
            wanted = accumulators(name, net.plan)
            layers |= {
                f"{name}.{layer.name}": _exported(net, layer, wanted[f"{name}.{layer.name}"])
                for layer in net.plan.layers
            }
    return layers


def _exported(net: FloatConv, layer: Layer, wanted: Accumulator) -> IntConv:
    trained, unit_out = net.layers[layer.name], columns(layer.outputs, "unit")
    weight = (
        as_numpy(trained.weight)
        * unit_out[:, None, None, None]
        / columns(layer.inputs, "unit")[:, None, None]
    )
    bias = (as_numpy(trained.bias) + columns(layer.outputs, "offset")) * unit_out
    (exported,) = quantise([weight], bias, list(wanted.maxima), wanted.residual, FLOAT64_BOUND)
    return exported
