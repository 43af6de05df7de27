"""a_(i+1) = clip(round(W_i a_i + b_i)): multi-layer perceptrons over many items at once, in wide
integers.

A plan names what goes in, the hidden widths and what comes out; `mlp` is its trainable twin. Items
lie along the first axis of an image of width one, so that a dense layer is a 1 x 1 convolution.
Sums stay below 2^53 on the float64 carrier; activations are integers 0..ACT_TOP in units of 1 /
ACT_UNIT.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bbans.exact.layers import FLOAT64_BOUND, Accumulator, IntConv, check_accumulators
from bbans.exact.ops import Ops
from bbans.exact.threads import one_openmp_thread

ACT_UNIT = 2048
ACT_TOP = 2**15 - 1
OUT_TOP = 2**24 - 1

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Field:
    """Columns of an input or output: integer = clip(round(unit (real + offset)), low, high)."""

    count: int
    unit: float
    low: int
    high: int
    offset: float = 0.0


@dataclass(frozen=True)
class Mlp:
    """Inputs side by side, hidden layers with clipped rectifiers, outputs side by side.

    `skip`: every layer after the first sees the inputs as well (Dieng et al. 2019,
    arXiv:1807.04863).
    """

    inputs: tuple[Field, ...]
    hidden: tuple[int, ...]
    outputs: tuple[Field, ...]
    skip: bool = False

    @property
    def widths(self) -> tuple[int, ...]:
        """Columns before the first layer, between layers and after the last."""
        return sum(f.count for f in self.inputs), *self.hidden, sum(f.count for f in self.outputs)


def layer_names(name: str, plan: Mlp) -> list[tuple[str, ...]]:
    """The layers summed into each accumulator, in order."""
    return [
        (f"{name}.{i}", f"{name}.{i}.skip") if plan.skip and i else (f"{name}.{i}",)
        for i in range(len(plan.hidden) + 1)
    ]


def accumulators(plans: Mapping[str, Mlp]) -> dict[str, Accumulator]:
    """Every accumulator of the networks with the largest magnitude of each of its inputs."""
    found = {}
    for name, plan in plans.items():
        entering = np.concatenate(
            [np.full(f.count, max(abs(f.low), abs(f.high)), np.int64) for f in plan.inputs]
        )
        for i, names in enumerate(layer_names(name, plan)):
            main = np.full(plan.hidden[i - 1], ACT_TOP, np.int64) if i else entering
            found[names[0]] = Accumulator(
                names, (main, entering)[: len(names)], shape=(plan.widths[i + 1], 1)
            )
    return found


def check_networks(plans: Mapping[str, Mlp], layers: Mapping[str, IntConv]) -> float:
    """Refuse layers that do not make up the networks, or are inexact; returns the largest sum as a
    fraction of 2^53.

    Raises ModelFormatError and AccumulatorBoundError.
    """
    return check_accumulators(accumulators(plans), layers, FLOAT64_BOUND)


class ExactMlp:
    """A network on a backend: integers `(items, inputs)` to integers `(items, outputs)`.

    Layers must have been checked.
    """

    def __init__(self, name: str, plan: Mlp, layers: Mapping[str, IntConv], ops: Ops) -> None:
        self.plan = plan
        self.ops = ops.widened()
        self._layers = [
            [self.ops.prepare(layers[n]) for n in names] for names in layer_names(name, plan)
        ]
        counts = [f.count for f in plan.outputs]
        self._low, self._high = (
            np.repeat([getattr(f, side) for f in plan.outputs], counts).astype(np.int32)
            for side in ("low", "high")
        )

    @one_openmp_thread(wanted=False)
    def __call__(self, *inputs: Ints) -> list[Ints]:
        """One array `(items, count)` for each input field in, one for each output field out."""
        entering = self.ops.load(np.concatenate(inputs, 1).T[:, :, None])
        x = entering
        for i, layers in enumerate(self._layers):
            y = self.ops.conv(layers[0], x)
            if len(layers) > 1:
                y += self.ops.conv(layers[1], entering)
            x = (
                self.ops.round_clip(y, 0, ACT_TOP)
                if i < len(self._layers) - 1
                else self.ops.round_clip(y, -OUT_TOP, OUT_TOP)
            )
        out = self.ops.store(x).clip(self._low, self._high).astype(np.int64)
        return np.split(out, np.cumsum([f.count for f in self.plan.outputs])[:-1], axis=1)
