"""a_(i+1) = clip(W_i a_i + b_i, 0, 16): the trainable twin of `models.mlp`, and its export.

The network reads and emits reals; each field of the plan relates a real to an integer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from bbans.exact.layers import FLOAT64_BOUND, IntConv, quantise
from bbans.models.mlp import ACT_TOP, ACT_UNIT, Field, Mlp, accumulators, layer_names

Floats = NDArray[np.float64]


class FloatMlp(nn.Module):
    """A plan's network on reals.

    `masks`, one `(O, I)` of zeros and ones per layer, remove connections.
    """

    def __init__(self, plan: Mlp, masks: list[Tensor] | None = None) -> None:
        super().__init__()
        self.plan = plan
        widths = plan.widths
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))
        self.skips = nn.ModuleList(
            nn.Linear(widths[0], b, bias=False) for b in widths[2:] if plan.skip
        )
        for i, mask in enumerate(masks or []):
            self.register_buffer(f"mask{i}", mask, persistent=False)

    def weight(self, i: int) -> Tensor:
        """Return layer i's weights `(O, I)`, masked."""
        weight, mask = self.layers[i].weight, getattr(self, f"mask{i}", None)
        assert isinstance(weight, Tensor)
        return weight if mask is None else weight * mask

    def forward(self, *inputs: Tensor) -> list[Tensor]:
        """Evaluate the network: one tensor `(B, count)` for each input field in, one for each
        output field out.
        """
        entering = x = torch.cat(inputs, 1) if len(inputs) > 1 else inputs[0]
        for i, layer in enumerate(self.layers):
            y = F.linear(x, self.weight(i), layer.bias)  # type: ignore[arg-type]
            if i and self.plan.skip:
                y = y + self.skips[i - 1](entering)
            x = F.hardtanh(y, 0.0, ACT_TOP / ACT_UNIT) if i < len(self.layers) - 1 else y
        parts = torch.split(x, [f.count for f in self.plan.outputs], 1)
        return [
            part.clamp(*real_range(f)) for part, f in zip(parts, self.plan.outputs, strict=True)
        ]

    def output_bias(self, index: int) -> Tensor:
        """Return a view of the last layer's bias of one output field, to set initial values."""
        first = sum(f.count for f in self.plan.outputs[:index])
        bias: Tensor = self.layers[-1].bias.detach()  # type: ignore[operator]
        return bias[first : first + self.plan.outputs[index].count]


def real_range(field: Field) -> tuple[float, float]:
    """Return the reals that correspond to a field's lowest and highest integer.

    Examples:
        >>> real_range(Field(1, 128, -512, 512))
        (-4.0, 4.0)
    """
    return field.low / field.unit - field.offset, field.high / field.unit - field.offset


def export(networks: Mapping[str, FloatMlp]) -> dict[str, IntConv]:
    """Return every layer of the networks in integers, by name.

    Raises AccumulatorBoundError if a layer cannot be made exact.

    Examples:
        >>> net = FloatMlp(Mlp((Field(2, 1, 0, 1),), (), (Field(1, 16, -64, 64),)))
        >>> list(export({"q": net}))
        ['q.0']
    """
    plans = {name: net.plan for name, net in networks.items()}
    wanted = accumulators(plans)
    exported: dict[str, IntConv] = {}
    for name, net in networks.items():
        for i, names in enumerate(layer_names(name, net.plan)):
            weights, bias = _scaled(net, i)
            a = wanted[names[0]]
            layers = quantise(
                [w[:, :, None, None] for w in weights],
                bias,
                list(a.maxima),
                a.residual,
                FLOAT64_BOUND,
            )
            exported.update(zip(names, layers, strict=True))
    return exported


def _scaled(net: FloatMlp, i: int) -> tuple[list[Floats], Floats]:
    """Return weights `(O, I)` and bias `(O,)` of accumulator i, in units of integer inputs and
    outputs.
    """
    plan = net.plan
    layer = net.layers[i]
    bias = as_numpy(layer.bias)
    unit_out = np.full(len(bias), float(ACT_UNIT))
    if i == len(net.layers) - 1:
        unit_out = columns(plan.outputs, "unit")
        bias = bias + columns(plan.outputs, "offset")
    reading = [(as_numpy(net.weight(i)), i == 0)]
    if i and plan.skip:
        reading.append((as_numpy(net.skips[i - 1].weight), True))
    weights = []
    for weight, from_inputs in reading:
        unit_in, offset_in = columns(plan.inputs, "unit"), columns(plan.inputs, "offset")
        if from_inputs:
            bias = bias - weight @ offset_in
        weights.append(weight * unit_out[:, None] / (unit_in if from_inputs else float(ACT_UNIT)))
    return weights, bias * unit_out


def columns(fields: Iterable[Field], part: str) -> Floats:
    """Return an attribute of the fields, one float64 value per column.

    Examples:
        >>> columns([Field(2, 128, 0, 1), Field(1, 16, 0, 1)], "unit")
        array([128., 128.,  16.])
    """
    return np.concatenate([np.full(f.count, getattr(f, part), np.float64) for f in fields])


def as_numpy(tensor: object) -> Floats:
    """Return a parameter as float64.

    Examples:
        >>> as_numpy(torch.ones(2))
        array([1., 1.])
    """
    assert isinstance(tensor, Tensor)
    return tensor.detach().cpu().to(torch.float64).numpy()
