"""Options that users choose, as small immutable values that are passed between layers.

This module imports no third-party library, so that the command line starts quickly.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from bbans.errors import InputError

Progress: TypeAlias = Callable[[str, int, int], None]
"""Is called during long work: what is done with its parts, how many of them are done, how many
there are. "coded", 3, 12.
"""
NO_MODEL = "none"
"""Name of the fixed predictor, which needs no model file."""


@dataclass(frozen=True)
class Effort:
    """A trade-off of compression against time, used if no model is named.

    name: for users. model: the model's name. exhaustive: whether every orientation of a tile is
    tried. library_margin: JPEG XL, WebP and LZMA code a tile too where their estimated bytes are at
    most this times the model's.
    """

    name: str
    model: str
    exhaustive: bool = False
    library_margin: float = 1.03


EFFORTS: dict[str, Effort] = {
    effort.name: effort
    for effort in (
        Effort("fast", "photo-fast-1", library_margin=0.85),
        Effort("default", "photo-2"),
        Effort("max", "photo-2", exhaustive=True),
    )
}
"""All efforts by name."""


def effort_named(name: str) -> Effort:
    """Return the effort of a name. Raises InputError on an unknown name.

    Examples:
        >>> effort_named("fast").model
        'photo-fast-1'
    """
    if name not in EFFORTS:
        raise InputError(f"effort is {', '.join(EFFORTS)}; found {name!r}")
    return EFFORTS[name]


@dataclass(frozen=True)
class SchemeOptions:
    """Options for coding with a latent model.

    scheme: a name in `schemes.registry.NAMES`; None: the model's default. particles: number of
    importance samples of the scheme; None: its default. refine: steps of posterior refinement;
    None: 0.
    """

    scheme: str | None = None
    particles: int | None = None
    refine: int | None = None

    @property
    def given(self) -> bool:
        """Return whether any option differs from the default.

        Examples:
            >>> SchemeOptions().given, SchemeOptions(refine=2).given
            (False, True)
        """
        return self.scheme is not None or self.particles is not None or bool(self.refine)


@dataclass(frozen=True)
class TrainOptions:
    """Options of training; None: the value of the recipe, or the default for the images.

    recipe: a TOML file, whose `family` decides what is trained (default: the photograph family).
    Without a recipe, images of one shape with a side below 128 pixels train a latent model of whole
    images (`training.default_recipes.default_recipe`); a folder of other images trains a photograph
    model. latents: instead of a recipe, "bernoulli" or "categorical" for a VAE with such latents.

    estimator (of gradients through q, one of `training.terms.ESTIMATORS`), seed and steps
    override the recipe, and so do objective (a key of `training.registry.OBJECTIVES`), particles
    and posterior for models with Gaussian latents.

    shape `(H, W)`: of images that arrays hold flat. labels: a file of one integer per image, for a
    conditional model. Both are for latent models of whole images. float_weights: a file to write
    the float weights to. minutes: a time budget in place of steps. Both are for photograph models.

    checkpoint: a file from which an interrupted run continues (default: beside the output; that of
    a latent model is deleted when the model is written). tensorboard: a folder for logs. device: of
    torch, such as "cuda". threads: of torch.
    """

    recipe: Path | None = None
    shape: tuple[int, int] | None = None
    labels: Path | None = None
    latents: str | None = None
    estimator: str | None = None
    seed: int | None = None
    steps: int | None = None
    minutes: float | None = None
    objective: str | None = None
    particles: int | None = None
    posterior: str | None = None
    checkpoint: Path | None = None
    float_weights: Path | None = None
    tensorboard: Path | None = None
    device: str | None = None
    threads: int | None = None
