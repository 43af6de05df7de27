"""a_(i+1) = clip(round(W_i a_i + b_i)): multi-layer perceptrons over many items at once, in wide
integers.

A plan lists input fields, hidden widths and output fields; the trainable twin is
`training.networks.mlp`. Items lie along the first axis of an image of width one, so that a dense
layer is a 1 x 1 convolution. Sums stay below 2^53 and are exact in float64; activations are
integers 0..ACT_TOP in units of 1 / ACT_UNIT.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from bbans.distributions.distribution import Ints
from bbans.exact.layers import FLOAT64_BOUND, Accumulator, IntConv, check_accumulators
from bbans.exact.ops import Engine
from bbans.exact.threads import one_openmp_thread

ACT_UNIT = 2048
ACT_TOP = 2**15 - 1
OUT_TOP = 2**24 - 1


@dataclass(frozen=True)
class Field:
    """Columns of an input or output: integer = clip(round(unit (real + offset)), low, high).

    Examples:
        >>> Field(count=10, unit=128, low=-1024, high=1024).offset
        0.0
    """

    count: int
    unit: float
    low: int
    high: int
    offset: float = 0.0


@dataclass(frozen=True)
class Mlp:
    """The plan of a network: inputs side by side, hidden layers with clipped rectifiers, outputs
    side by side.

    `skip`: every layer after the first also reads the inputs (Dieng et al. 2019, arXiv:1807.04863).
    """

    inputs: tuple[Field, ...]
    hidden: tuple[int, ...]
    outputs: tuple[Field, ...]
    skip: bool = False

    @property
    def widths(self) -> tuple[int, ...]:
        """The number of columns of the input, of each hidden layer and of the output."""
        return sum(f.count for f in self.inputs), *self.hidden, sum(f.count for f in self.outputs)


def layer_names(name: str, plan: Mlp) -> list[tuple[str, ...]]:
    """Return the names of the layers that are summed in each accumulator, in order.

    Examples:
        >>> layer_names("q", Mlp((Field(2, 1, 0, 1),), (8,), (Field(1, 1, 0, 1),), skip=True))
        [('q.0',), ('q.1', 'q.1.skip')]
    """
    return [
        (f"{name}.{i}", f"{name}.{i}.skip") if plan.skip and i else (f"{name}.{i}",)
        for i in range(len(plan.hidden) + 1)
    ]


def accumulators(plans: Mapping[str, Mlp]) -> dict[str, Accumulator]:
    """Return every accumulator of the networks, by name, with the largest magnitude of each of its
    inputs.

    Examples:
        >>> plan = Mlp((Field(2, 1, 0, 1),), (8,), (Field(1, 1, 0, 1),))
        >>> sorted(accumulators({"q": plan}))
        ['q.0', 'q.1']
    """
    result = {}
    for name, plan in plans.items():
        entering = np.concatenate(
            [np.full(f.count, max(abs(f.low), abs(f.high)), np.int64) for f in plan.inputs]
        )
        for i, names in enumerate(layer_names(name, plan)):
            main = np.full(plan.hidden[i - 1], ACT_TOP, np.int64) if i else entering
            result[names[0]] = Accumulator(
                names, (main, entering)[: len(names)], shape=(plan.widths[i + 1], 1)
            )
    return result


def check_networks(plans: Mapping[str, Mlp], layers: Mapping[str, IntConv]) -> float:
    """Check that the layers are those of the networks, and exact; return the largest possible sum
    as a fraction of 2^53.

    Raises ModelFormatError on missing or misshapen layers, AccumulatorBoundError where a sum might
    not be exact.

    Examples:
        >>> from bbans.models.vae import VaeConfig
        >>> from bbans.training.networks.families import export, float_network
        >>> config = VaeConfig(2, 2, latents=(3,), hidden=4)
        >>> check_networks(config.plans, export(float_network(config))) < 1
        True
    """
    return check_accumulators(accumulators(plans), layers, FLOAT64_BOUND)


class ExactMlp:
    """A network on a backend: integers `(items, inputs)` to integers `(items, outputs)`.

    Its layers must have passed `check_networks`.
    """

    def __init__(self, name: str, plan: Mlp, layers: Mapping[str, IntConv], ops: Engine) -> None:
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
        """Evaluate the network: one int64 array `(items, count)` for each input field in, one for
        each output field out.
        """
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
