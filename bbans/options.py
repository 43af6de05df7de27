"""What users choose among and how their choices travel: small values, made once where they come in
and passed on whole. Light: importing this takes no library.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bbans.errors import InputError

NO_MODEL = "none"  # the model that stands for the fixed predictor


@dataclass(frozen=True)
class Effort:
    """How hard photographs are compressed where no model is named.

    model: the model's name. exhaustive: whether every orientation of a tile is tried.
    """

    name: str
    model: str
    exhaustive: bool = False


EFFORTS: dict[str, Effort] = {
    effort.name: effort
    for effort in (
        Effort("fast", "photo-fast-1"),
        Effort("default", "photo-2"),
        Effort("max", "photo-2", exhaustive=True),
    )
}
"""The efforts by name."""


def effort_named(name: str) -> Effort:
    """The effort of a name. Raises InputError."""
    if name not in EFFORTS:
        raise InputError(f"effort is {', '.join(EFFORTS)}; found {name!r}")
    return EFFORTS[name]


@dataclass(frozen=True)
class SchemeOptions:
    """How a latent model shall code: a scheme's name, its particles, steps of refinement; None: as
    suits the model.
    """

    scheme: str | None = None
    particles: int | None = None
    refine: int | None = None

    @property
    def given(self) -> bool:
        """Whether anything was asked for."""
        return self.scheme is not None or self.particles is not None or bool(self.refine)


@dataclass(frozen=True)
class TrainOptions:
    """How a model is trained; None: as the recipe says, or as suits the images.

    recipe: a TOML file, whose `family` decides what is trained; a recipe without one is the
    photograph family's. Without a recipe, images of one shape with a side below 128 pixels make a
    latent model (`training.default_recipes.default_recipe`), others are photographs, which come
    from a folder. shape (H, W) and labels (one integer an image, for conditional models) are for
    latent models, float_weights, a file to write, and minutes, a budget in place of steps, for
    photographs. latents in place of a recipe asks for a VAE of bits ("bernoulli") or of categories
    ("categorical"). estimator (`training.terms.ESTIMATORS`, of gradients by q), seed and steps go
    before the recipe's, and so do objective (`training.registry`), particles and posterior of
    models with Gaussian latents. A run goes on from its checkpoint (default: beside the output;
    that of a latent model goes when the model is there). tensorboard: a folder for logs. device: of
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
