"""a_(i+1) = clip(round(W_i * a_i + b_i [+ a_i])): convolutional networks over batches of small
images, in wide integers.

A plan is a list of steps: convolutions, re-arrangements of positions into channels and back,
reshapes. `walk` goes through them for integers and, on the same operations, for the reals of the
trainable twin in `conv`. Units and bounds are those of `models.mlp`. Inputs have no offset, because
zeros lie beyond the edges: sides that a block does not divide are filled up with them, and cropped
later.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bbans.exact.layers import FLOAT64_BOUND, Accumulator, IntConv, check_accumulators
from bbans.exact.ops import Ops
from bbans.exact.threads import one_openmp_thread
from bbans.models import mlp
from bbans.models.mlp import ACT_TOP, ACT_UNIT, OUT_TOP, ExactMlp, Field, Mlp

POSITIONS = 2**16  # of the largest map computed at once: bounds the memory of a batch

Ints = NDArray[np.int64]


class Layer(NamedTuple):
    """A convolution with a kernel of `side` x `side`, 1 on maps of one position only; `residual`:
    what it reads is added to its sums.

    The fields list its channels; one that is not `last` ends in clipped rectifiers.
    """

    name: str
    inputs: tuple[Field, ...]
    outputs: tuple[Field, ...]
    side: int = 3
    residual: bool = False
    last: bool = False


class ToDepth(NamedTuple):
    """`Ops.to_depth`."""

    rows: int
    columns: int


class ToSpace(NamedTuple):
    """`Ops.to_space`."""

    rows: int
    columns: int
    height: int
    width: int


class Reshape(NamedTuple):
    """Each item's numbers as another map: channel by channel, row by row."""

    channels: int
    height: int
    width: int


class Join(NamedTuple):
    """The inputs besides the first, as further channels of a map of one position."""


Step = Layer | ToDepth | ToSpace | Reshape | Join


@dataclass(frozen=True)
class Conv:
    """Steps from an input of `height` x `width` positions to `outputs`, whose fields count the
    numbers of one position.
    """

    height: int
    width: int
    steps: tuple[Step, ...]
    outputs: tuple[Field, ...]

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The convolutions, in order."""
        return tuple(step for step in self.steps if isinstance(step, Layer))

    @property
    def positions(self) -> int:
        """Of the largest map."""
        return max(
            [
                self.height * self.width,
                *(step.height * step.width for step in self.steps if isinstance(step, ToSpace)),
            ]
        )


@dataclass(frozen=True)
class Sizes:
    """Of a network for images of `height` x `width` positions: `halvings` times both sides are
    halved, down to 1 position.

    At every size below the first the network has `maps` channels, entered by one convolution, and
    `blocks` residual ones.
    """

    height: int
    width: int
    maps: int
    halvings: int
    blocks: int

    @property
    def factors(self) -> list[tuple[int, int]]:
        """By how much each halving divides rows and columns: 2, or 1 where there is only one."""
        return [(min(2, h), min(2, w)) for h, w in self.shapes[:-1]]

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """Rows and columns of the images and after each halving."""
        found = [(self.height, self.width)]
        for _ in range(self.halvings):
            h, w = found[-1]
            found.append((-(-h // 2), -(-w // 2)))
        return found

    @property
    def flat(self) -> int:
        """Numbers in the smallest map."""
        h, w = self.shapes[-1]
        return self.maps * h * w


def encoder(image: Field, sides: tuple[Field, ...], sizes: Sizes, to: tuple[Field, ...]) -> Conv:
    """From an image, `image.count` samples, and `sides` to the fields `to`."""
    hidden, last = activations(sizes.maps), activations(sizes.flat)
    entering = _of_a_position(image, sizes)
    steps: list[Step] = []
    for level, (rows, columns) in enumerate(sizes.factors, 1):
        steps += [
            ToDepth(rows, columns),
            Layer(f"level{level}", (entering,) * (rows * columns), (hidden,)),
        ]
        steps += _residual(level, hidden, sizes.blocks)
        entering = hidden
    steps += [Reshape(sizes.flat, 1, 1), Join(), Layer("out", (last, *sides), to, 1, last=True)]
    return Conv(sizes.height, sizes.width, tuple(steps), to)


def decoder(source: tuple[Field, ...], sizes: Sizes, to: tuple[Field, ...]) -> Conv:
    """The mirror image: from the fields `source` to fields of an image's samples, each field sample
    by sample.
    """
    hidden, outputs = activations(sizes.maps), tuple(_of_a_position(field, sizes) for field in to)
    steps: list[Step] = [
        Join(),
        Layer("in", source, (activations(sizes.flat),), 1),
        Reshape(sizes.maps, *sizes.shapes[-1]),
    ]
    for level, (rows, columns) in reversed(list(enumerate(sizes.factors, 1))):
        steps += _residual(level, hidden, sizes.blocks)
        emitted = outputs if level == 1 else (hidden,)
        steps += [Layer(f"level{level}", (hidden,), emitted * (rows * columns), last=level == 1)]
        steps += [ToSpace(rows, columns, *sizes.shapes[level - 1])]
    return Conv(1, 1, tuple(steps), outputs)


def _of_a_position(field: Field, sizes: Sizes) -> Field:
    return replace(field, count=field.count // (sizes.height * sizes.width))


def activations(count: int) -> Field:
    """What a hidden layer emits."""
    return Field(count, ACT_UNIT, 0, ACT_TOP)


def _residual(level: int, hidden: Field, blocks: int) -> list[Step]:
    return [
        Layer(f"level{level}residual{block}", (hidden,), (hidden,), residual=True)
        for block in range(blocks)
    ]


def accumulators(name: str, plan: Conv) -> dict[str, Accumulator]:
    """Every accumulator of a network with the largest magnitude of each of its inputs."""
    found = {}
    for layer in plan.layers:
        maxima = np.concatenate(
            [np.full(f.count, max(abs(f.low), abs(f.high)), np.int64) for f in layer.inputs]
        )
        shape = sum(f.count for f in layer.outputs), layer.side
        found[f"{name}.{layer.name}"] = Accumulator(
            (f"{name}.{layer.name}",), (maxima,), ACT_TOP if layer.residual else 0, shape
        )
    return found


def check_networks(plans: Mapping[str, Mlp | Conv], layers: Mapping[str, IntConv]) -> float:
    """`mlp_exact.check_networks` for networks of both kinds."""
    wanted = mlp.accumulators({name: plan for name, plan in plans.items() if isinstance(plan, Mlp)})
    for name, plan in plans.items():
        if isinstance(plan, Conv):
            wanted |= accumulators(name, plan)
    return check_accumulators(wanted, layers, FLOAT64_BOUND)


def network(
    name: str, plan: Mlp | Conv, layers: Mapping[str, IntConv], ops: Ops
) -> ExactMlp | ExactConv:
    """A plan's network on a backend. Layers must have been checked."""
    return (
        ExactConv(name, plan, layers, ops)
        if isinstance(plan, Conv)
        else ExactMlp(name, plan, layers, ops)
    )


def walk(plan: Conv, x: Any, rest: list[Any], ops: Ops, layer: Callable[[Layer, Any], Any]) -> Any:
    """x `(B, C, h, w)` through the steps; `rest` `(B, count, 1, 1)` are the other inputs, `layer`
    computes a convolution.
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
    """A network on a backend: integers `(items, inputs)` to integers `(items, outputs)`.

    Layers must have been checked.
    """

    def __init__(self, name: str, plan: Conv, layers: Mapping[str, IntConv], ops: Ops) -> None:
        self.plan = plan
        self.ops = ops.widened()
        self._layers = {
            layer.name: self.ops.prepare(layers[f"{name}.{layer.name}"]) for layer in plan.layers
        }

    @one_openmp_thread(wanted=False)
    def __call__(self, *inputs: Ints) -> list[Ints]:
        """One array `(items, count)` for each input field in, one for each output field out."""
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
        # items along the first axis of one image: a single matrix product
        items = len(x)
        y = self.ops.conv(self._layers[layer.name], x.swapaxes(0, 1).reshape(1, -1, items, 1))
        return self.ops.round_clip(y, low, high).reshape(-1, items, 1, 1).swapaxes(0, 1)
