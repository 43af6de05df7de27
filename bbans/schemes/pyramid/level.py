"""A pyramid level in progress: what of it is known, what a model's networks make of that, and the
mixtures of what comes next.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bbans.distributions.colour import PixelModel
from bbans.distributions.sample_grid import Axis, regular
from bbans.schemes.pyramid import polyphase

Ints = NDArray[np.int32]


class PyramidNet(Protocol):
    """What the scheme asks of a model; see `models.photo.ExactPhoto`."""

    def latent_shape(self, h: int, w: int) -> tuple[int, int, int]: ...
    def start(self, h: int, w: int) -> Any: ...
    def carry_up(self, trunk: Any, h: int, w: int) -> Any: ...
    def trunk(self, phase: int, known: list[Ints], sums: Ints, carried: Any, level: int) -> Any: ...
    def posterior(self, trunk: Any, residuals: list[Ints]) -> tuple[Ints, Ints]: ...
    def outputs(self, phase: int, trunk: Any, u: Ints) -> NDArray[np.int16]: ...


@dataclass
class Level:
    """One level in progress: phases are filled in decode order, 00 first.

    `values` are the samples, `(3, rows, columns)` each; `known` is what the network sees of them:
    grey levels, on the whole grid.
    """

    net: PyramidNet
    index: int
    shape: tuple[int, int]
    carried: Any
    axis: Axis
    values: list[Ints]
    known: list[Ints]
    sums: list[Ints] = field(default_factory=list)
    trunks: list[Any] = field(default_factory=list)

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of phase 00."""
        return self.known[0].shape[1], self.known[0].shape[2]

    def open_phase(self, phase: int) -> None:
        """Predict a phase and run its trunk."""
        self.sums.append(polyphase.neighbour_sums(phase, self.known))
        flow = self.trunks[-1] if phase else self.carried
        self.trunks.append(self.net.trunk(phase, self.known, self.sums[phase], flow, self.index))

    def close_phase(self, phase: int, x: Ints) -> None:
        """Add the samples of a phase, `(3, rows, columns)`."""
        self.values.append(x)
        self.known.append(polyphase.complete(self.axis.levels[x], self.grid, self.known[0]))

    def posterior(self) -> tuple[Ints, Ints]:
        """Mean and sigma index of u, each `(rows * columns, channels)`."""
        return self.net.posterior(
            self.trunks[1], [4 * self.known[i + 1] - self.sums[i] for i in range(2)]
        )

    def pixel_model(self, phase: int, u: Ints) -> PixelModel:
        """Mixture parameters at the positions of a phase; u `(rows * columns, channels)` in
        1/128.
        """
        shape = polyphase.phase_shape(*self.shape, phase)
        outputs = self.net.outputs(phase, self.trunks[phase], self._map(u))
        return PixelModel(
            polyphase.positions(outputs, self.grid, shape),
            polyphase.to_positions(self.sums[phase], shape),
            self.axis,
        )

    def zeros(self) -> Ints:
        """u = 0."""
        channels, rows, columns = self.net.latent_shape(*self.grid)
        return np.zeros((rows * columns, channels), np.int32)

    def _map(self, u: Ints) -> Ints:
        channels, rows, columns = self.net.latent_shape(*self.grid)
        return np.asarray(u.reshape(rows, columns, channels).transpose(2, 0, 1))

    def assemble(self) -> Ints:
        """The samples of the whole level, `(3, h, w)`."""
        h, w = self.shape
        x = np.empty((3, h, w), np.int32)
        x[:, 0::2, 0::2] = self.values[0]
        for phase, (row, column) in enumerate(polyphase.OFFSETS):
            x[:, row::2, column::2] = self.values[phase + 1]
        return x


def open_level(
    net: PyramidNet, index: int, shape: tuple[int, int], carried: Any, axis: Axis, x: Ints
) -> Level:
    """A level of which the samples of phase 00 are known, `(3, rows, columns)`."""
    return Level(net, index, shape, carried, axis, [x], [axis.levels[x]])


def analyse(net: PyramidNet, x: Ints, axis: Axis | None = None) -> tuple[list[Level], Ints]:
    """Trunks of every level, finest first, and the coarsest image.

    x `(3, h, w)`, values of `axis` (default: 8 bits); grey images repeat their channel.
    """
    axis = axis or regular()
    shapes = polyphase.level_shapes(*x.shape[1:])
    images = [x]
    for _ in shapes[1:]:
        images.append(images[-1][:, 0::2, 0::2])
    levels: list[Level] = []
    carried = net.start(*shapes[-1])
    for s in reversed(range(len(shapes) - 1)):
        level = open_level(net, s, shapes[s], carried, axis, images[s + 1])
        for phase, (row, column) in enumerate(polyphase.OFFSETS):
            level.open_phase(phase)
            level.close_phase(phase, images[s][:, row::2, column::2])
        if s:
            carried = net.carry_up(level.trunks[2], *shapes[s])
        levels.insert(0, level)
    return levels, images[-1]
