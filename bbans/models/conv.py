"""a_(i+1) = clip(round(W_i * a_i + b_i [+ a_i])): convolutional networks over batches of small
images, in wide integers.

`walk` executes the steps of a plan (`models.conv_plans`), on integers here and on reals in the
trainable twin `training.networks.conv`. Units and bounds are those of `models.mlp`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from bbans.distributions.distribution import Ints
from bbans.exact.layers import FLOAT64_BOUND, Accumulator, IntConv, check_accumulators
from bbans.exact.ops import Engine, Ops
from bbans.exact.threads import one_openmp_thread
from bbans.models import mlp
from bbans.models.conv_plans import Conv, Layer, Reshape, ToDepth, ToSpace
from bbans.models.mlp import ACT_TOP, OUT_TOP, ExactMlp, Mlp

POSITIONS = 2**16  # positions of the largest map computed at once: bounds the memory of a batch


def accumulators(name: str, plan: Conv) -> dict[str, Accumulator]:
    """Return every accumulator of a network, by name, with the largest magnitude of each of its
    inputs.

    Examples:
        >>> from bbans.models.conv_vae import ConvVaeConfig
        >>> sorted(accumulators("q", ConvVaeConfig(blocks=0).plans["posterior1"]))
        ['q.level1', 'q.level2', 'q.out']
    """
    result = {}
    for layer in plan.layers:
        maxima = np.concatenate(
            [np.full(f.count, max(abs(f.low), abs(f.high)), np.int64) for f in layer.inputs]
        )
        shape = sum(f.count for f in layer.outputs), layer.side
        result[f"{name}.{layer.name}"] = Accumulator(
            (f"{name}.{layer.name}",), (maxima,), ACT_TOP if layer.residual else 0, shape
        )
    return result


def check_networks(plans: Mapping[str, Mlp | Conv], layers: Mapping[str, IntConv]) -> float:
    """Check that the layers are those of the networks, dense or convolutional, and exact.

    Returns the largest possible sum as a fraction of 2^53. Raises ModelFormatError on missing or
    misshapen layers, AccumulatorBoundError where a sum might not be exact.

    Examples:
        >>> from bbans.models.conv_vae import ConvVaeConfig
        >>> from bbans.training.networks.families import export, float_network
        >>> config = ConvVaeConfig(4, 4, latents=(3,), maps=2, halvings=1)
        >>> check_networks(config.plans, export(float_network(config))) < 1
        True
    """
    wanted = mlp.accumulators({name: plan for name, plan in plans.items() if isinstance(plan, Mlp)})
    for name, plan in plans.items():
        if isinstance(plan, Conv):
            wanted |= accumulators(name, plan)
    return check_accumulators(wanted, layers, FLOAT64_BOUND)


def network(
    name: str, plan: Mlp | Conv, layers: Mapping[str, IntConv], ops: Engine
) -> ExactMlp | ExactConv:
    """Build a plan's network on a backend. Its layers must have passed `check_networks`.

    Examples:
        >>> from bbans.exact.numpy_ops import NumpyOps
        >>> plan = Mlp((mlp.Field(2, 1, 0, 1),), (), (mlp.Field(1, 1, -9, 9),))
        >>> bias, shift = np.zeros(1, np.int32), np.zeros(1, np.int8)
        >>> layer = IntConv(np.ones((1, 2, 1, 1), np.int16), bias, shift)
        >>> network("q", plan, {"q.0": layer}, NumpyOps())(np.array([[0, 1], [1, 1]]))[0].tolist()
        [[1], [2]]
    """
    return (
        ExactConv(name, plan, layers, ops)
        if isinstance(plan, Conv)
        else ExactMlp(name, plan, layers, ops)
    )


def walk(plan: Conv, x: Any, rest: list[Any], ops: Ops, layer: Callable[[Layer, Any], Any]) -> Any:
    """Execute a plan's steps on x `(B, C, h, w)` and return the result, `(B, C', h', w')`.

    `rest` holds the other inputs, `(B, count, 1, 1)` each; `layer(step, x)` computes a convolution;
    `ops` re-arranges positions. Arrays are integers or reals.

    Examples:
        >>> from bbans.exact.numpy_ops import NumpyOps
        >>> from bbans.models.conv_vae import ConvVaeConfig
        >>> plan = ConvVaeConfig(4, 4, maps=4, halvings=1, blocks=0).plans["posterior1"]
        >>> walk(plan, np.ones((1, 1, 4, 4)), [], NumpyOps(), lambda layer, x: x).shape
        (1, 16, 1, 1)
    """
    for step in plan.steps:
        if isinstance(step, Layer):
            x = layer(step, x)
        elif isinstance(step, ToDepth):
            x = ops.to_depth(x, *step)
        elif isinstance(step, ToSpace):
            x = ops.to_space(x, *step)
        elif isinstance(step, Reshape):
            x = x.reshape(len(x), *step)
        else:
            x = ops.concat([x, *rest])
    return x


class ExactConv:
    """A convolutional network on a backend: integers `(items, inputs)` to integers `(items,
    outputs)`.

    Its layers must have passed `check_networks`.
    """

    def __init__(self, name: str, plan: Conv, layers: Mapping[str, IntConv], ops: Engine) -> None:
        self.plan = plan
        self.ops = ops.widened()
        self._layers = {
            layer.name: self.ops.prepare(layers[f"{name}.{layer.name}"]) for layer in plan.layers
        }

    @one_openmp_thread(wanted=False)
    def __call__(self, *inputs: Ints) -> list[Ints]:
        """Evaluate the network: one int64 array `(items, count)` for each input field in, one for
        each output field out.
        """
        at_once = max(1, POSITIONS // self.plan.positions)
        parts = [
            self._some([x[i : i + at_once] for x in inputs])
            for i in range(0, len(inputs[0]), at_once)
        ]
        return [np.concatenate(field) for field in zip(*parts, strict=True)]

    def _some(self, inputs: list[Ints]) -> list[Ints]:
        items, plan = len(inputs[0]), self.plan
        x = inputs[0].reshape(items, plan.height, plan.width, -1).transpose(0, 3, 1, 2)
        rest = [self.ops.load(side.reshape(items, -1, 1, 1)) for side in inputs[1:]]
        emitted = self.ops.store(walk(plan, self.ops.load(x), rest, self.ops, self._layer)).astype(
            np.int64
        )
        counts = [field.count for field in plan.outputs]
        low, high = (
            np.repeat([getattr(field, end) for field in plan.outputs], counts)
            for end in ("low", "high")
        )
        fields = np.split(emitted.clip(low, high), np.cumsum(counts)[:-1], axis=1)
        return [field.reshape(items, -1) for field in fields]

    def _layer(self, layer: Layer, x: Any) -> Any:
        low, high = (-OUT_TOP, OUT_TOP) if layer.last else (0, ACT_TOP)
        if layer.side > 1:
            y = self.ops.conv(self._layers[layer.name], x)
            return self.ops.round_clip(y + x if layer.residual else y, low, high)
        # items become positions of one image: a single matrix product
        items = len(x)
        y = self.ops.conv(self._layers[layer.name], x.swapaxes(0, 1).reshape(1, -1, items, 1))
        return self.ops.round_clip(y, low, high).reshape(-1, items, 1, 1).swapaxes(0, 1)
