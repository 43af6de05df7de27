"""y = clip(round(sum_i W_i * a_i + b)): a network as a sequence of steps, so that an engine may run
rows through all of them.

A step adds up convolutions of earlier maps, adds one map as it is, rounds half to even and clips;
or it modulates a map with scales and offsets that blocks of positions share. Maps are numbered:
inputs first, then the results of steps. The last step's is the result.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bbans.exact.layers import IntConv
from bbans.exact.threads import in_bands

if TYPE_CHECKING:
    from bbans.exact.ops import Ops

BAND = 48  # rows that a float carrier computes at once: activations of a band stay in the cache
SCALE_BITS = 6  # a scale of 64 stands for one

Range: TypeAlias = "int | NDArray[np.int32]"
Rows: TypeAlias = "tuple[int, int]"


@dataclass(frozen=True)
class Input:
    """A map that the network is given: its channels, and the largest magnitude of a value."""

    channels: int
    largest: int


@dataclass(frozen=True)
class Affine:
    """clip(round(sum of the layers + residual), low, high).

    terms: pairs of a layer's name and the number of the map that it reads; layers that are added
    have the same shifts. residual: the number of a map that is added, or None. low, high: one
    integer, or int32 `(O,)`.
    """

    terms: tuple[tuple[str, int], ...]
    low: Range
    high: Range
    residual: int | None = None


@dataclass(frozen=True)
class Modulate:
    """clip(round(map * scale / 64 + offset), low, high), with one scale and offset a channel for
    each block of positions. Steps after it have kernels of one position.
    """

    source: int
    low: int
    high: int


Step: TypeAlias = "Affine | Modulate"


@dataclass(frozen=True)
class Film:
    """Scales and offsets of `Modulate`: an array of the backend `(1, 2 C, rows, columns)`, scales
    first, and the side of a block.
    """

    array: Any
    block: int


class Network(Protocol):
    """A network on a backend."""

    def __call__(
        self, inputs: Sequence[Any], shape: Rows, film: Film | None = None, bias_row: int = 0
    ) -> Any:
        """Returns the last step's map on a grid of `shape` rows and columns, as a stored array.

        inputs: stored arrays of the backend. bias_row: the row of biases `(levels, O)`; layers with
        fewer rows use their last.
        """


def layers_of(steps: Sequence[Step]) -> list[str]:
    """Returns the names of the layers that steps read, each once, in order.

    Examples:
        >>> layers_of([Affine((("a", 0), ("b", 1)), 0, 9), Modulate(2, 0, 9)])
        ['a', 'b']
    """
    names = (name for step in steps if isinstance(step, Affine) for name, _ in step.terms)
    return list(dict.fromkeys(names))


def reaches(inputs: int, steps: Sequence[Step], sides: Mapping[str, int]) -> tuple[int, ...]:
    """Returns for each map how many rows beyond those of the result are needed; `sides` are those
    of the layers' kernels.

    Examples:
        >>> steps = [Affine((("a", 0),), 0, 9), Affine((("b", 1),), 0, 9, residual=0)]
        >>> reaches(1, steps, {"a": 3, "b": 3})
        (2, 1, 0)
    """
    reach = [0] * (inputs + len(steps))
    for number in reversed(range(len(steps))):
        step, own = steps[number], reach[inputs + number]
        if isinstance(step, Modulate):
            reach[step.source] = max(reach[step.source], own)
            continue
        for name, source in step.terms:
            reach[source] = max(reach[source], own + sides[name] // 2)
        if step.residual is not None:
            reach[step.residual] = max(reach[step.residual], own)
    return tuple(reach)


@dataclass(frozen=True)
class FloatNetwork:
    """A network on a backend whose carrier is a float: bands of rows through all steps.

    prepared: the layers in the backend. sides: those of their kernels. bias_rows: their rows of
    biases, 0 where biases are `(O,)`. reach: as `reaches` returns it.
    """

    ops: Ops
    steps: tuple[Step, ...]
    prepared: Mapping[str, Any]
    sides: Mapping[str, int]
    bias_rows: Mapping[str, int]
    reach: tuple[int, ...]

    def __call__(
        self, inputs: Sequence[Any], shape: Rows, film: Film | None = None, bias_row: int = 0
    ) -> Any:
        """Returns the last step's map, as `Network` says."""
        height = shape[0]

        def band(first: int) -> tuple[slice, Any]:
            rows = slice(first, min(first + BAND, height))
            return rows, self._band(inputs, height, rows, film, bias_row)

        return self.ops.keep(in_bands(band, range(0, height, BAND)), height)

    def _band(
        self, inputs: Sequence[Any], height: int, rows: slice, film: Film | None, bias_row: int
    ) -> Any:
        maps: list[_Part] = []
        for number, reach in enumerate(self.reach):
            wanted = slice(max(0, rows.start - reach), min(height, rows.stop + reach))
            if number < len(inputs):
                array = self.ops.take(inputs[number], wanted)
            elif isinstance(step := self.steps[number - len(inputs)], Modulate):
                array = self._modulated(step, maps, wanted, film)
            else:
                array = self._sum(step, maps, wanted, bias_row)
            maps.append(_Part(wanted, array))
        return maps[-1].array

    def _sum(self, step: Affine, maps: list[_Part], rows: slice, bias_row: int) -> Any:
        ops, total = self.ops, None
        for name, source in step.terms:
            edge, have = self.sides[name] // 2, maps[source].rows
            read = slice(max(have.start, rows.start - edge), min(have.stop, rows.stop + edge))
            levels = self.bias_rows[name]
            row = min(bias_row, levels - 1) if levels else None
            sums = ops.conv(self.prepared[name], maps[source].cut(read), row)
            part = _Part(read, sums).cut(rows)
            total = part if total is None else total + part
        if step.residual is not None:
            total = total + maps[step.residual].cut(rows)
        return ops.round_clip(total, _limit(ops, step.low), _limit(ops, step.high))

    def _modulated(self, step: Modulate, maps: list[_Part], rows: slice, film: Film | None) -> Any:
        assert film is not None, "a network that modulates is given scales and offsets"
        channels = film.array.shape[1] // 2
        first, end = rows.start // film.block, -(-rows.stop // film.block)
        blocks = self.ops.take(film.array, slice(first, end))
        scale, offset = blocks[:, :channels] * 2.0**-SCALE_BITS, blocks[:, channels:]
        total = self.ops.modulate(maps[step.source].cut(rows), scale, offset, film.block)
        return self.ops.round_clip(total, step.low, step.high)


@dataclass(frozen=True)
class _Part:
    """Some rows of a map."""

    rows: slice
    array: Any

    def cut(self, rows: slice) -> Any:
        """Return some of these rows."""
        return self.array[..., rows.start - self.rows.start : rows.stop - self.rows.start, :]


def _limit(ops: Ops, limit: Range) -> Any:
    return limit if isinstance(limit, int) else ops.load(limit[:, None, None])


def float_network(
    ops: Ops, layers: Mapping[str, IntConv], inputs: Sequence[Input], steps: Sequence[Step]
) -> FloatNetwork:
    """Returns a network on a backend whose carrier is a float.

    Examples:
        >>> from bbans.exact.numpy_ops import NumpyOps
        >>> ops, ones, bias = NumpyOps(), np.ones((1, 1, 3, 3), np.int16), np.zeros(1, np.int32)
        >>> layers = {"a": IntConv(ones, bias, shift=np.ones(1, np.int8))}
        >>> net = float_network(ops, layers, [Input(1, 9)], [Affine((("a", 0),), 0, 99)])
        >>> net([ops.load(np.full((1, 2, 2), 7))], (2, 2))[0, 0]  # 28 / 2
        array([[14, 14],
               [14, 14]], dtype=int16)
    """
    names = layers_of(steps)
    sides = {name: layers[name].weight.shape[-1] for name in names}
    return FloatNetwork(
        ops,
        tuple(steps),
        {name: ops.prepare(layers[name]) for name in names},
        sides,
        {name: len(layers[name].bias) if layers[name].bias.ndim == 2 else 0 for name in names},
        reaches(len(inputs), steps, sides),
    )
