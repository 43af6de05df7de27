"""One level of the pyramid while it is coded: its known samples, the activations of the networks
that depend on them, and the predicted distributions of the samples that come next.
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


class PyramidPredictor(Protocol):
    """Predictor of the pyramid's samples, for example `models.photo.ExactPhoto` or
    `models.fixed_predictor.FixedPredictor`.

    Phases 0, 1, 2 are 11, 01, 10 (`polyphase.OFFSETS`). Trunks and carried states are opaque to the
    scheme. All results are functions of integers, equal on every machine.
    """

    def latent_shape(self, h: int, w: int) -> tuple[int, int, int]:
        """Return (channels, rows, columns) of the latents of a level whose phase 00 is `h x w`."""

    def start(self, h: int, w: int) -> Any:
        """Return the state carried into the coarsest coded level, whose phase 00, the coarsest
        image, is `h x w`.
        """

    def carry_up(self, trunk: Any, h: int, w: int) -> Any:
        """Return the state carried into the next finer level, whose phase 00 is `h x w`, from the
        last trunk of this level.
        """

    def trunk(self, phase: int, known: list[Ints], sums: Ints, carried: Any, level: int) -> Any:
        """Return the activations for a phase.

        known: the phases so far, 00 first, `(3, rows, columns)` each. sums: sums of four
        neighbours, four times the prediction. carried: the trunk of the previous phase, or for
        phase 0 the state carried into the level. level: 0 is the full resolution.
        """

    def posterior(self, trunk: Any, residuals: list[Ints]) -> tuple[Ints, Ints]:
        """Return mean in 1/128 and sigma index of u, each int32 `(rows * columns, channels)`.

        residuals: four times the errors of the predictions of phases 11 and 01.
        """

    def outputs(self, phase: int, trunk: Any, u: Ints) -> NDArray[np.int16]:
        """Return mixture parameters int16 `(rows * columns, n)` of a phase, given u `(channels,
        rows, columns)`.
        """


@dataclass
class Level:
    """One level in progress; its phases are added in decoding order, 00 first.

    index: 0 is the full resolution. shape: rows and columns of the level. values: samples of the
    phases so far, int32 `(3, rows, columns)` each. known: the same as the networks see them: grey
    levels, padded to the grid of phase 00. sums, trunks: one entry for each opened phase.
    """

    net: PyramidPredictor
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
        """Return rows and columns of phase 00."""
        return self.known[0].shape[1], self.known[0].shape[2]

    def open_phase(self, phase: int) -> None:
        """Compute the prediction and the trunk of a phase from the phases known so far."""
        self.sums.append(polyphase.neighbour_sums(phase, self.known))
        flow = self.trunks[-1] if phase else self.carried
        self.trunks.append(self.net.trunk(phase, self.known, self.sums[phase], flow, self.index))

    def close_phase(self, phase: int, x: Ints) -> None:
        """Add the samples of a phase, int32 `(3, rows, columns)`."""
        self.values.append(x)
        self.known.append(polyphase.complete(self.axis.levels[x], self.grid, self.known[0]))

    def posterior(self) -> tuple[Ints, Ints]:
        """Return mean in 1/128 and sigma index of u, each int32 `(rows * columns, channels)`."""
        return self.net.posterior(
            self.trunks[1], [4 * self.known[i + 1] - self.sums[i] for i in range(2)]
        )

    def pixel_model(self, phase: int, u: Ints) -> PixelModel:
        """Return the mixture parameters at the positions of a phase; u int32 `(rows * columns,
        channels)` in 1/128.
        """
        shape = polyphase.phase_shape(*self.shape, phase)
        outputs = self.net.outputs(phase, self.trunks[phase], self._map(u))
        return PixelModel(
            polyphase.positions(outputs, self.grid, shape),
            polyphase.to_positions(self.sums[phase], shape),
            self.axis,
        )

    def zeros(self) -> Ints:
        """Return u = 0, int32 `(rows * columns, channels)`."""
        channels, rows, columns = self.net.latent_shape(*self.grid)
        return np.zeros((rows * columns, channels), np.int32)

    def _map(self, u: Ints) -> Ints:
        """Return u as `(channels, rows, columns)`."""
        channels, rows, columns = self.net.latent_shape(*self.grid)
        return np.asarray(u.reshape(rows, columns, channels).transpose(2, 0, 1))

    def assemble(self) -> Ints:
        """Return the samples of the whole level, int32 `(3, h, w)`."""
        h, w = self.shape
        x = np.empty((3, h, w), np.int32)
        x[:, 0::2, 0::2] = self.values[0]
        for phase, (row, column) in enumerate(polyphase.OFFSETS):
            x[:, row::2, column::2] = self.values[phase + 1]
        return x


def open_level(
    net: PyramidPredictor, index: int, shape: tuple[int, int], carried: Any, axis: Axis, x: Ints
) -> Level:
    """Return level `index` with phase 00 known: x int32 `(3, rows, columns)`.

    Examples:
        >>> from bbans.models.fixed_predictor import FixedPredictor
        >>> net, x = FixedPredictor(), np.zeros((3, 5, 3), np.int32)
        >>> level = open_level(net, 0, (10, 6), net.start(5, 3), regular(), x)
        >>> level.shape, level.grid
        ((10, 6), (5, 3))
    """
    return Level(net, index, shape, carried, axis, [x], [axis.levels[x]])


def analyse(net: PyramidPredictor, x: Ints, axis: Axis | None = None) -> tuple[list[Level], Ints]:
    """Run the networks over all levels of an image; return the levels, finest first, and the
    coarsest image.

    x int32 `(3, h, w)`, values of `axis` (by default 0 to 255); a grey image repeats its channel.

    Examples:
        >>> from bbans.models.fixed_predictor import FixedPredictor
        >>> levels, coarsest = analyse(FixedPredictor(), np.zeros((3, 20, 12), np.int32))
        >>> [level.shape for level in levels], coarsest.shape
        ([(20, 12), (10, 6)], (3, 5, 3))
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
