"""The compiled backend: maps of 16-bit integers through whole networks at once.

Arrays are int16 `(B, C, h, w)`, views of memory that is channels-last. Layers whose sums need more
than 32 bits (wide models) run on the reference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bbans.exact import engines
from bbans.exact.layers import IntConv
from bbans.exact.network import Affine, Film, Input, Rows, Step, layers_of
from bbans.exact.numpy_ops import NumpyOps
from bbans.exact.threads import spare_permits

Array: TypeAlias = Any  # int16 (B, C, h, w)
ROWS_OF_A_THREAD = 64


@dataclass(frozen=True)
class Spread:
    """A stored array whose values stand for blocks of positions, `shape` rows and columns."""

    array: Array
    block: int
    shape: Rows


@dataclass(frozen=True)
class NativeOps:
    """The compiled core at one of its levels.

    winograd: multiply 3 x 3 kernels by Winograd's F(2 x 2, 3 x 3) where 16 bits suffice (Lavin and
    Gray 2015, arXiv:1509.09308), in integers that stand for four times the sums. checked: do so in
    networks that, when they were made, gave what plain sums give.
    """

    core: ModuleType
    level: str
    winograd: bool = True
    checked: bool = False

    def widened(self) -> NumpyOps:
        """Returns the reference in float64, for layers within 2^53."""
        return NumpyOps(np.float64)

    def independently(self) -> NativeOps:
        """Returns a backend with which results of this one can be verified: for every network that
        it makes, it compares its two ways of multiplying.
        """
        return replace(self, checked=True)

    def network(
        self, layers: Mapping[str, IntConv], inputs: Sequence[Input], steps: Sequence[Step]
    ) -> NativeNetwork:
        """Returns a network of these layers, which reads and returns stored arrays."""
        network = self._compiled(layers, inputs, steps, self.winograd)
        if self.winograd and self.checked:
            plain = self._compiled(layers, inputs, steps, False)
            arguments = _example(layers, inputs, steps)
            if not np.array_equal(network(*arguments), plain(*arguments)):
                return plain
        return network

    def _compiled(
        self,
        layers: Mapping[str, IntConv],
        inputs: Sequence[Input],
        steps: Sequence[Step],
        winograd: bool,
    ) -> NativeNetwork:
        names = layers_of(steps)
        compiled = self.core.Network(
            [_layer(layers[name]) for name in names],
            [(i.channels, i.largest) for i in inputs],
            [_step(step, names) for step in steps],
            self.level,
            winograd,
        )
        return NativeNetwork(compiled, _channels(layers, inputs, steps)[-1])

    def load(self, array: NDArray[np.integer]) -> Array:
        """Converts integers `(C, h, w)` or `(B, C, h, w)`, |value| < 2^15, to an array."""
        return _stored(array.reshape(-1, *array.shape[-3:]))

    def store(self, array: Array) -> NDArray[np.int16]:
        """Converts an array to integers `(B * h * w, C)`, image by image, row by row."""
        rows: NDArray[np.int16] = array.transpose(0, 2, 3, 1).reshape(-1, array.shape[1])
        return rows

    def table(self, x: Array, table: NDArray[np.int64]) -> Array:
        """Returns table[|x|]."""
        rows = np.abs(x.transpose(0, 2, 3, 1))
        return np.take(table.astype(np.int16), rows).transpose(0, 3, 1, 2)

    def pool(self, x: Array, block: int) -> Array:
        """Averages blocks, edges repeated to complete them, and rounds half to even."""
        images, channels, h, w = x.shape
        out = np.empty((images, -(-h // block), -(-w // block), channels), np.int16)
        for image, means in zip(x.transpose(0, 2, 3, 1), out, strict=True):
            self.core.pool(np.ascontiguousarray(image), block, means)
        return out.transpose(0, 3, 1, 2)

    def spread(self, x: Array, block: int, h: int, w: int) -> Spread:
        """Repeats each value over a block, and crops to (h, w), when it is read."""
        return Spread(x, block, (h, w))

    def concat(self, arrays: list[Array]) -> Array:
        """Concatenates arrays along the channels."""
        return np.concatenate([a.transpose(0, 2, 3, 1) for a in arrays], 3).transpose(0, 3, 1, 2)

    def zeros(self, channels: int, h: int, w: int, images: int = 1) -> Array:
        """Returns zeros `(images, channels, h, w)`."""
        return np.zeros((images, h, w, channels), np.int16).transpose(0, 3, 1, 2)


@dataclass(frozen=True)
class NativeNetwork:
    """A network in the compiled core, and its number of outputs."""

    compiled: Any
    outputs: int

    def __call__(
        self,
        inputs: Sequence[Array | Spread],
        shape: Rows,
        film: Film | None = None,
        bias_row: int = 0,
    ) -> Array:
        """Returns the last step's map, as `Network` says."""
        maps = [i if isinstance(i, Spread) else Spread(i, 1, shape) for i in inputs]
        out = np.empty((len(maps[0].array), *shape, self.outputs), np.int16)
        rows = [(_rows(map_.array), map_.block) for map_ in maps]
        scales = None if film is None else _rows(film.array)
        with spare_permits(shape[0] // ROWS_OF_A_THREAD) as helpers:
            for number, image in enumerate(out):
                self.compiled.run(
                    [(map_[number], block) for map_, block in rows],
                    None if scales is None else scales[number],
                    1 if film is None else film.block,
                    image,
                    bias_row,
                    helpers + 1,
                )
        return out.transpose(0, 3, 1, 2)


def native_ops(level: str | None = None) -> NativeOps:
    """Returns the compiled backend, at the level that `engines` chooses unless one is named.

    It must have been built (`engines.native`).

    Examples:
        >>> core = engines.native()
        >>> core is None or native_ops().level in core.levels()
        True
    """
    core = engines.native()
    assert core is not None
    return NativeOps(core, level or engines.engine())


def _stored(array: NDArray[Any]) -> Array:
    """int16 `(B, C, h, w)`, channels-last in memory."""
    return np.ascontiguousarray(array.transpose(0, 2, 3, 1), np.int16).transpose(0, 3, 1, 2)


def _rows(array: Array) -> Array:
    """`(B, h, w, C)`, without a copy of what is stored so."""
    return np.ascontiguousarray(array.transpose(0, 2, 3, 1))


def _channels(
    layers: Mapping[str, IntConv], inputs: Sequence[Input], steps: Sequence[Step]
) -> list[int]:
    """The channels of every map."""
    channels = [i.channels for i in inputs]
    for step in steps:
        if isinstance(step, Affine):
            channels.append(len(layers[step.terms[0][0]].shift))
        else:
            channels.append(channels[step.source])
    return channels


def _example(
    layers: Mapping[str, IntConv], inputs: Sequence[Input], steps: Sequence[Step]
) -> tuple[list[Array], Rows, Film | None]:
    """Arguments of a network: noise, half of it as large as it may be."""
    rng, shape, block = np.random.default_rng(0), (13, 22), 8
    maps = []
    for i in inputs:
        values = rng.integers(-i.largest, i.largest + 1, (1, i.channels, *shape))
        extreme = rng.choice((-i.largest, i.largest), values.shape)
        maps.append(_stored(np.where(rng.integers(0, 2, values.shape), values, extreme)))
    channels, film = _channels(layers, inputs, steps), None
    for step in steps:
        if not isinstance(step, Affine):
            sides = 1, 2 * channels[step.source], -(-shape[0] // block), -(-shape[1] // block)
            film = Film(_stored(rng.integers(-128, 129, sides)), block)
    return maps, shape, film


def _layer(layer: IntConv) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Weights `(O, I, k, k)`, biases `(levels, O)` and shifts."""
    bias = layer.bias.reshape(-1, len(layer.shift))
    return tuple(map(np.ascontiguousarray, (layer.weight, bias, layer.shift)))  # type: ignore[return-value]


def _step(step: Step, names: list[str]) -> tuple[list[tuple[int, int]], int, list[int], list[int]]:
    """Terms, source and limits of a step, as the core takes them."""
    low, high = (np.atleast_1d(limit).tolist() for limit in (step.low, step.high))
    if not isinstance(step, Affine):
        return [], step.source, low, high
    terms = [(names.index(name), source) for name, source in step.terms]
    return terms, -1 if step.residual is None else step.residual, low, high
