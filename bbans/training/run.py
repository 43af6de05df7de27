"""`bbans train`: from images to a model file of the family that suits them, or of the one that a
recipe names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch

from bbans.errors import InputError, OutputExistsError
from bbans.images import atomic_write
from bbans.training import discrete, objectives, photo_run
from bbans.training.chain_run import (
    default_recipe,
    discrete_recipe,
    estimated,
    model_file,
    read_recipe,
    told,
    with_posterior,
)
from bbans.training.chains import ChainRecipe, train
from bbans.training.distributed import Processes, processes, wanted
from bbans.training.recipes import read_record, read_toml
from bbans.training.small_images import SmallImages, gather, split
from bbans.training.tensorboard import logged
from bbans.training.terms import LAX

Report = Callable[[dict[str, float]], None]
PHOTO = "photo"


def train_model(
    source: Path,
    output: Path,
    *,
    recipe: Path | None = None,
    shape: tuple[int, int] | None = None,
    labels: Path | None = None,
    latents: str | None = None,
    estimator: str | None = None,
    seed: int | None = None,
    steps: int | None = None,
    minutes: float | None = None,
    objective: str | None = None,
    particles: int | None = None,
    posterior: str | None = None,
    checkpoint: Path | None = None,
    float_weights: Path | None = None,
    tensorboard: Path | None = None,
    device: str | None = None,
    threads: int | None = None,
    report: Report = lambda row: None,
    overwrite: bool = False,
) -> None:
    """Train on images and write a model file.

    A recipe's `family` decides what is trained; a recipe without one is the photograph family's.
    Without a recipe, images of one shape with a side below 128 pixels make a latent chain
    (`chain_run.default_recipe`), others are photographs, which come from a folder. `shape` (H, W)
    and `labels` (one integer an image, for conditional models) are for latent chains,
    `float_weights` and `minutes`, a budget in place of steps, for photographs. `latents` in place
    of a recipe asks for a VAE of bits (`bernoulli`) or of categories (`categorical`). `estimator`
    (`training.terms.ESTIMATORS`, of gradients by q), `seed` and `steps` go before the recipe's, and
    so do `objective` and `particles` (`objectives.chosen`) and `posterior`
    (`chain_run.with_posterior`) of chains of Gaussian latents. A run goes on from `checkpoint`
    (default: beside the output; that of a latent chain goes when the model is there).
    `tensorboard`: a folder for logs. With WORLD_SIZE set, as by torchrun, the processes share the
    batches of a latent chain. Raises InputError, OutputExistsError, OutputError, and
    AccumulatorBoundError if a network cannot be made exact.
    """
    if output.exists() and not overwrite:
        raise OutputExistsError(
            f"{output}: exists already: ask for overwriting (-f) or choose another name"
        )
    with (
        _threads(threads),
        processes(device) as group,
        logged(tensorboard if group.first else None, report) as reported,
    ):
        family = PHOTO if recipe is not None else None
        if recipe is not None:
            family = read_toml(recipe).get("family", PHOTO)
        _check_discrete(recipe, family, latents, estimator)
        images = (
            None
            if family == PHOTO
            else gather(source, shape, labels, photographs=family is None and latents is None)
        )
        if images is not None:
            if float_weights is not None:
                raise InputError(
                    "float weights are written of photograph models only; leave --float-weights out"
                )
            settings = _settings(images, recipe, seed, steps, latents, estimator)
            if minutes is not None:
                raise InputError(
                    "a number of minutes is for photograph models, whose schedule follows the "
                    "clock; give --steps"
                )
            if posterior is not None:
                settings = with_posterior(settings, posterior, given=recipe is not None)
            settings = replace(
                settings, training=objectives.chosen(settings.training, objective, particles)
            )
            _chain(images, output, settings, recipe, checkpoint, reported, overwrite, group)
            return
        if any(option is not None for option in (objective, particles, posterior, estimator)):
            said = (
                "objectives, particles and posteriors are for latent chains, and so are "
                "estimators; these are photographs: leave them out"
            )
            raise InputError(said)
        _check_photographs(source, shape, labels)
        photo_run.run(
            source,
            output,
            recipe=recipe,
            checkpoint=checkpoint,
            float_weights=float_weights,
            seed=seed,
            steps=steps,
            minutes=minutes,
            device=group.device,
            report=reported,
            overwrite=overwrite,
        )


def _check_discrete(
    recipe: Path | None, family: str | None, latents: str | None, estimator: str | None
) -> None:
    """Raise InputError on latents beside a recipe, and on an estimator with a model that has no
    discrete latents.
    """
    if recipe is not None and latents is not None:
        raise InputError(
            f"{recipe} says which latents a model has; leave --latents out, or the recipe"
        )
    if latents is None and estimator not in (None, LAX) and family not in discrete.FAMILIES:
        found = "no recipe" if family is None else f"a recipe of the family {family}"
        raise InputError(
            "an estimator is for --latents bernoulli or categorical, or a recipe of "
            f"{' or '.join(discrete.FAMILIES)}; found {found}"
        )


def _check_photographs(source: Path, shape: tuple[int, int] | None, labels: Path | None) -> None:
    if not source.is_dir():
        raise InputError(
            f"{source}: photographs are read from a folder; give a folder, or a recipe whose "
            "family is a latent chain"
        )
    if shape is not None or labels is not None:
        raise InputError(
            "a shape and labels are for latent chains, and these are photographs; leave them out"
        )
    if wanted() > 1:
        raise InputError("photograph models train in one process; start without torchrun")


def _settings(
    images: SmallImages,
    path: Path | None,
    seed: int | None,
    steps: int | None,
    latents: str | None = None,
    estimator: str | None = None,
) -> ChainRecipe:
    """The recipe for these images. Raises InputError where one was given that they do not fit."""
    sizes = images.sizes
    if latents is not None:
        if images.labels is not None:
            raise InputError(
                f"{latents} latents are told no labels; leave --labels or --latents out"
            )
        recipe = discrete_recipe(latents, *images.shape, sizes["levels"], len(images.x), estimator)
    elif path is None:
        found = default_recipe(
            *images.shape, sizes["levels"], len(images.x), sizes.get("classes", 0)
        )
        assert isinstance(found, ChainRecipe)
        recipe = found
    else:
        recipe = read_recipe(path, sizes)
    if latents is None and estimator is not None:
        recipe = estimated(recipe, estimator)
    _check_fit(images, recipe)
    if steps is not None:  # the schedule is stretched
        warm, every = (
            round(part * steps / recipe.steps)
            for part in (recipe.kl_warmup_steps, recipe.validate_every)
        )
        recipe = replace(recipe, steps=steps, kl_warmup_steps=warm, validate_every=max(1, every))
    return recipe if seed is None else replace(recipe, seed=seed)


def _check_fit(images: SmallImages, recipe: ChainRecipe) -> None:
    model = recipe.model
    shape = (model.height, model.width, model.channels)
    largest = int(images.x.max())
    if shape != images.shape or largest >= model.levels:
        raise InputError(
            f"the recipe is for images {shape} of values to {model.levels - 1}; found "
            f"{images.shape}, up to {largest}; change the recipe"
        )
    classes: int = getattr(model, "classes", 0)
    if images.labels is None and classes:
        raise InputError(
            f"the recipe's model is given one of {classes} labels with every image; give them "
            "with --labels"
        )
    if images.labels is not None and int(images.labels.max()) >= classes:
        raise InputError(
            f"labels to {images.labels.max()} were given, and the recipe's model takes {classes}; "
            "change `classes`"
        )


def _chain(
    images: SmallImages,
    output: Path,
    settings: ChainRecipe,
    recipe: Path | None,
    checkpoint: Path | None,
    report: Report,
    overwrite: bool,
    group: Processes,
) -> None:
    described = read_record(recipe)
    training, validation = (told(settings.model, part) for part in split(images))
    resume = checkpoint or output.with_suffix(".checkpoint")
    net, history = train(training, validation, settings, resume, report, group=group)
    if not group.first:
        return
    counts = {
        "training": len(training.x),
        "validation": len(validation.x),
        "skipped": images.skipped,
    }
    data = model_file(net.to("cpu"), settings, history, validation, {**described, "images": counts})
    atomic_write(output, data, overwrite=overwrite)
    if checkpoint is None:
        resume.unlink(missing_ok=True)


@contextmanager
def _threads(count: int | None) -> Iterator[None]:
    """torch with so many threads, and with as many as before afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
