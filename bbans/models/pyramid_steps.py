"""The steps in which a pyramid model codes an image: grids from the coarsest to the finest, and on
each grid one phase and channel after the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bbans.distributions.distribution import Ints

if TYPE_CHECKING:
    from bbans.models.pyramid import PyramidConfig

COARSEST = 2  # longest side of the coarsest image
# longest side of a grid with latent planes; finer levels read z through the carried features only
LATENT_SIDE = 16
POSTERIOR_SIDE = 32  # longest side of the image that q(z | x) reads
PHASES = ((1, 1), (0, 1), (1, 0))  # in the order of coding: (row offset, column offset)


@dataclass(frozen=True)
class Step:
    """One step: channel `channel` of phase `phase` of level `level`, `rows` x `columns` samples on
    a grid of `grid` positions.
    """

    level: int
    phase: int
    channel: int
    rows: int
    columns: int
    grid: tuple[int, int]

    @property
    def name(self) -> str:
        """The prefix of the names of the step's layers."""
        return f"step{self.level}.{self.phase}.{self.channel}"

    def planes(self, channels: int) -> int:
        """Return the number of planes of known samples: every channel of phase 00 and of earlier
        phases, and the earlier channels of the step's own phase.
        """
        return (self.phase + 1) * channels + self.channel

    def latent_planes(self, planes: int) -> int:
        """Return the number of latent planes that the step reads: `planes` on small grids, else
        0.
        """
        return planes if max(self.grid) <= LATENT_SIDE else 0


def grids(config: PyramidConfig) -> list[tuple[int, int]]:
    """Return the sizes of phase 00 of level 0, 1, ...; the last is the size of the coarsest image.

    Empty for an image that is no larger than the coarsest.

    Examples:
        >>> from bbans.models.pyramid import PyramidConfig
        >>> grids(PyramidConfig(height=8, width=6))
        [(4, 3), (2, 2)]
    """
    sizes = []
    h, w = config.height, config.width
    while max(h, w) > COARSEST:
        h, w = -(-h // 2), -(-w // 2)
        sizes.append((h, w))
    return sizes


def latent_grids(config: PyramidConfig) -> list[tuple[int, int]]:
    """Return those of `grids` that have latent planes: no side is longer than LATENT_SIDE.

    Examples:
        >>> from bbans.models.pyramid import PyramidConfig
        >>> latent_grids(PyramidConfig(height=64, width=64))[0]
        (16, 16)
    """
    return [grid for grid in grids(config) if max(grid) <= LATENT_SIDE]


def coarsest(config: PyramidConfig) -> tuple[int, int]:
    """Return rows and columns of the coarsest image.

    Examples:
        >>> from bbans.models.pyramid import PyramidConfig
        >>> coarsest(PyramidConfig(height=8, width=6))
        (2, 2)
    """
    sizes = grids(config)
    return sizes[-1] if sizes else (config.height, config.width)


def steps(config: PyramidConfig) -> list[Step]:
    """Return every step in the order of coding.

    Examples:
        >>> from bbans.models.pyramid import PyramidConfig
        >>> [step.name for step in steps(PyramidConfig(height=4, width=4))]
        ['step0.0.0', 'step0.1.0', 'step0.2.0']
    """
    result = []
    sizes = [(config.height, config.width), *grids(config)]
    for level in reversed(range(len(sizes) - 1)):
        h, w = sizes[level]
        for phase, (row, column) in enumerate(PHASES):
            rows, columns = (h - row + 1) // 2, (w - column + 1) // 2
            if rows and columns:
                result += [
                    Step(level, phase, c, rows, columns, sizes[level + 1])
                    for c in range(config.channels)
                ]
    return result


def positions(config: PyramidConfig, step: Step | None) -> Ints:
    """Return the indices of a step's samples among an image's in the order (row, column, channel),
    int64 `(rows columns,)`; for None, those of the coarsest image.

    Examples:
        >>> from bbans.models.pyramid import PyramidConfig
        >>> positions(PyramidConfig(height=4, width=4), None).tolist()
        [0, 2, 8, 10]
    """
    order = np.arange(config.height * config.width * config.channels).reshape(
        config.height, config.width, config.channels
    )
    if step is None:
        spacing = 2 ** len(grids(config))
        return order[::spacing, ::spacing].reshape(-1)
    spacing = 2**step.level
    row, column = PHASES[step.phase]
    return order[
        row * spacing :: 2 * spacing, column * spacing :: 2 * spacing, step.channel
    ].reshape(-1)


def posterior_positions(config: PyramidConfig) -> Ints:
    """Return the indices of the samples that q(z | x) reads, int64 `(n,)`: the finest image of the
    pyramid whose sides are at most POSTERIOR_SIDE.

    Examples:
        >>> from bbans.models.pyramid import PyramidConfig
        >>> len(posterior_positions(PyramidConfig(height=64, width=64)))
        1024
    """
    order = np.arange(config.height * config.width * config.channels).reshape(
        config.height, config.width, config.channels
    )
    spacing = 1
    while -(-max(config.height, config.width) // spacing) > POSTERIOR_SIDE:
        spacing *= 2
    return order[::spacing, ::spacing].reshape(-1)


def known_planes(image: Ints, step: Step) -> Ints:
    """Return the planes of known samples that a step reads, int64 `(items, planes, h, w)`, zero
    where a phase is smaller than the grid; image int64 `(items, H, W, channels)`.

    Examples:
        >>> from bbans.models.pyramid import PyramidConfig
        >>> step = steps(PyramidConfig(height=4, width=4))[2]
        >>> known_planes(np.zeros((1, 4, 4, 1), np.int64), step).shape
        (1, 3, 2, 2)
    """
    spacing, (h, w) = 2**step.level, step.grid
    known = np.zeros((len(image), step.planes(image.shape[3]), h, w), np.int64)
    first = 0
    for i, (row, column) in enumerate([(0, 0), *PHASES[: step.phase + 1]]):
        channels = step.channel if i == step.phase + 1 else image.shape[3]
        plane = image[
            :, row * spacing :: 2 * spacing, column * spacing :: 2 * spacing, :channels
        ].transpose(0, 3, 1, 2)
        known[:, first : first + channels, : plane.shape[2], : plane.shape[3]] = plane
        first += channels
    return known
