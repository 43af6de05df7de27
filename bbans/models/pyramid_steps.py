"""The steps in which a pyramid model codes an image: its grids from the coarsest to the finest, and
in each the phases that are sampled together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from bbans.models.pyramid import PyramidConfig

COARSEST = 2  # no side of the coarsest image is longer
DRAWN_SIDE = (
    16  # z draws planes on grids of up to this side; finer levels have what the features carry on
)
SEEN_SIDE = 32  # q(z | x) reads the finest image of the pyramid with no longer side
PHASES = ((1, 1), (0, 1), (1, 0))  # in the order of coding: (row offset, column offset)


@dataclass(frozen=True)
class Step:
    """Channel `channel` of a phase of level `level`: `rows` x `columns` samples on a grid of `grid`
    positions.
    """

    level: int
    phase: int
    channel: int
    rows: int
    columns: int
    grid: tuple[int, int]

    @property
    def name(self) -> str:
        """What its layers are called."""
        return f"step{self.level}.{self.phase}.{self.channel}"

    def planes(self, channels: int) -> int:
        """Planes of known samples: every channel of phase 00 and of the phases before, and the
        channels before of its own.
        """
        return (self.phase + 1) * channels + self.channel

    def drawn(self, planes: int) -> int:
        """Planes that z draws on its grid: as many as it draws anywhere, or none."""
        return planes if max(self.grid) <= DRAWN_SIDE else 0


def grids(config: PyramidConfig) -> list[tuple[int, int]]:
    """Sizes of phase 00 of level 0, 1, ...: the last is that of the coarsest image.

    Empty for an image that is coarse already.
    """
    found = []
    h, w = config.height, config.width
    while max(h, w) > COARSEST:
        h, w = -(-h // 2), -(-w // 2)
        found.append((h, w))
    return found


def drawn_grids(config: PyramidConfig) -> list[tuple[int, int]]:
    """Those of `grids` that z draws planes on."""
    return [grid for grid in grids(config) if max(grid) <= DRAWN_SIDE]


def coarsest(config: PyramidConfig) -> tuple[int, int]:
    """Rows and columns of the coarsest image."""
    found = grids(config)
    return found[-1] if found else (config.height, config.width)


def steps(config: PyramidConfig) -> list[Step]:
    """Every step in the order of coding."""
    found = []
    sizes = [(config.height, config.width), *grids(config)]
    for level in reversed(range(len(sizes) - 1)):
        h, w = sizes[level]
        for phase, (row, column) in enumerate(PHASES):
            rows, columns = (h - row + 1) // 2, (w - column + 1) // 2
            if rows and columns:
                found += [
                    Step(level, phase, c, rows, columns, sizes[level + 1])
                    for c in range(config.channels)
                ]
    return found


def positions(config: PyramidConfig, step: Step | None) -> NDArray[np.int64]:
    """Where a step's samples (None: those of the coarsest image) lie among an image's, which are in
    the order of (row, column, channel).
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


def seen(config: PyramidConfig) -> NDArray[np.int64]:
    """Where the samples that q(z | x) reads lie among an image's."""
    order = np.arange(config.height * config.width * config.channels).reshape(
        config.height, config.width, config.channels
    )
    spacing = 1
    while -(-max(config.height, config.width) // spacing) > SEEN_SIDE:
        spacing *= 2
    return order[::spacing, ::spacing].reshape(-1)
