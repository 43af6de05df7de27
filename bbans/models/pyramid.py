"""Hyper-parameters of the pyramid VAE that inference needs, and the order in which it codes the
samples of an image.

Phase 00 of x^(s) = x[::2^s, ::2^s] is x^(s + 1). A step codes one channel of phase 11, 01 or 10 of
one level; the coarsest image comes first, finer levels follow.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bbans.errors import ModelFormatError
from bbans.models.heads import Head, gaussian_fields, latent_field
from bbans.models.image_config import ImageConfig, check_common
from bbans.models.mlp import ACT_TOP, ACT_UNIT, Field, Mlp

COARSEST = 2  # no side of the coarsest image is longer
DRAWN_SIDE = (
    16  # z draws planes on grids of up to this side; finer levels have what the features carry on
)
SEEN_SIDE = 32  # q(z | x) reads the finest image of the pyramid with no longer side
PHASES = ((1, 1), (0, 1), (1, 0))  # in the order of coding: (row offset, column offset)


@dataclass(frozen=True)
class PyramidConfig(ImageConfig):
    """Shape of the networks. `latents` has one entry: the dimensions of z."""

    latents: tuple[int, ...] = (16,)
    hidden: int = 256  # width of the dense layers, of q(z | x) and of the planes that z draws
    hidden_layers: int = 2
    planes: int = 4  # that z draws on the grid of every level but the finest of large images
    trunk: int = 32  # channels of the convolutions
    blocks: int = 1  # residual blocks of a step
    latent_precision: int = 12  # bits of a latent under the prior

    def head_of(self, dims: int) -> Head:
        """p of `dims` samples."""
        return Head(dims, self.levels, self.likelihood, self.components)


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


def plane_field(count: int) -> Field:
    """Planes that z draws, as convolutions read them."""
    return Field(count, ACT_UNIT, -ACT_TOP, ACT_TOP)


def plans(config: PyramidConfig) -> dict[str, Mlp]:
    """The dense networks: `posterior1` is q(z | x), `drawing` turns z into the coarsest image's p
    and the planes of each level.
    """
    hidden = (config.hidden,) * config.hidden_layers
    rows, columns = coarsest(config)
    first = config.head_of(rows * columns * config.channels)
    drawn = tuple(plane_field(config.planes * h * w) for h, w in drawn_grids(config))
    return {
        "posterior1": Mlp(
            (config.head_of(len(seen(config))).input_field(),),
            hidden,
            gaussian_fields(config.latents[0]),
        ),
        "drawing": Mlp((latent_field(config.latents[0]),), hidden, (*first.fields(), *drawn)),
        **first.plans(),
    }


def check(config: PyramidConfig) -> None:
    """Bound every field before anything is built from it. Raises ModelFormatError."""
    ranges = {"latent_precision": (4, 12), "planes": (1, 64), "trunk": (1, 512), "blocks": (0, 16)}
    check_common(config, ranges, config.latents)
    if len(config.latents) != 1:
        raise ModelFormatError(
            f"a pyramid has one layer of latents; found {config.latents}; the model file is "
            "malformed"
        )
