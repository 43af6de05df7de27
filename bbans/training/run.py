"""`bbans train`: from images to a model file, of the default family for these images or of the
family that a recipe names.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from bbans.errors import InputError

try:
    import torch
except ModuleNotFoundError as error:
    raise InputError(
        "training needs torch, which is not installed: pip install torch, or bbans[train]"
    ) from error

from bbans.images import atomic_write
from bbans.images.atomic import check_free
from bbans.models.base import ANY_SIZE, LABEL
from bbans.models.registry import FAMILIES, family_of, media_of
from bbans.options import TrainOptions
from bbans.training import objectives, photo_run
from bbans.training.default_recipes import discrete_recipe, estimated, latent_recipe, with_posterior
from bbans.training.distributed import Processes, processes, wanted
from bbans.training.latent import LatentRecipe
from bbans.training.latent_run import conditioned, model_file, read_recipe
from bbans.training.latent_task import train
from bbans.training.loop import Report, silent
from bbans.training.networks.families import families_where, trains
from bbans.training.recipes import read_record, read_toml
from bbans.training.small_images import SmallImages, gather, split
from bbans.training.tensorboard import logged
from bbans.training.terms import LAX

PHOTOGRAPHS = "photo"  # the default family of a recipe


def train_model(
    source: Path,
    output: Path,
    options: TrainOptions = TrainOptions(),  # noqa: B008 frozen, and all its fields are
    *,
    report: Report = silent,
    overwrite: bool = False,
) -> None:
    """Train a model on images and write its file.

    source: a folder of images, an `.npy`, `.npz` or idx file. `report` is called with rates and
    steps during training. With WORLD_SIZE set, as by torchrun, processes share the batches of a
    latent model. Raises InputError, OutputExistsError, OutputError, and AccumulatorBoundError if a
    network cannot be made exact.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> import numpy as np
        >>> pixels = np.random.default_rng(0).integers(256, size=(60, 6, 6), dtype=np.uint8)
        >>> with TemporaryDirectory() as folder:
        ...     images, output = Path(folder, "images.npy"), Path(folder, "model.safetensors")
        ...     np.save(images, pixels)
        ...     train_model(images, output, TrainOptions(steps=2))
        ...     output.exists()
        True
    """
    check_free(output, overwrite)
    with (
        _threads(options.threads),
        processes(options.device) as group,
        logged(options.tensorboard if group.first else None, report) as reported,
    ):
        family = None
        if options.recipe is not None:
            family = read_toml(options.recipe).get("family", PHOTOGRAPHS)
        photographs = family in FAMILIES and media_of(FAMILIES[family]) == ANY_SIZE
        _check_discrete(options, family)
        images = None
        if not photographs:
            maybe = family is None and options.latents is None
            images = gather(source, options.shape, options.labels, photographs=maybe)
        if images is None:
            _check_photographs(source, options)
            photo_run.run(source, output, options, group.device, reported, overwrite)
            return
        _train_latent_model(images, output, options, reported, overwrite, group)


def _check_discrete(options: TrainOptions, family: str | None) -> None:
    """Raise InputError on latents in addition to a recipe, and on an estimator for a model without
    discrete latents.
    """
    if options.recipe is not None and options.latents is not None:
        raise InputError(
            f"{options.recipe} says which latents a model has; leave --latents out, or the recipe"
        )
    if options.latents is not None or options.estimator in (None, LAX):
        return
    if family in FAMILIES and trains(FAMILIES[family].config()).sampled:
        return
    where = "no recipe" if family is None else f"a recipe of the family {family}"
    known = families_where(lambda declared: declared.sampled).replace(", ", " or ")
    raise InputError(
        "an estimator is for --latents bernoulli or categorical, or a recipe of "
        f"{known}; found {where}"
    )


def _check_photographs(source: Path, options: TrainOptions) -> None:
    latent = options.objective, options.particles, options.posterior, options.estimator
    if any(option is not None for option in latent):
        raise InputError(
            "objectives, particles and posteriors are for latent chains, and so are "
            "estimators; these are photographs: leave them out"
        )
    if not source.is_dir():
        raise InputError(
            f"{source}: photographs are read from a folder; give a folder, or a recipe whose "
            "family is a latent chain"
        )
    if options.shape is not None or options.labels is not None:
        raise InputError(
            "a shape and labels are for latent chains, and these are photographs; leave them out"
        )
    if wanted() > 1:
        raise InputError("photograph models train in one process; start without torchrun")


def _settings(images: SmallImages, options: TrainOptions) -> LatentRecipe:
    """Return the recipe for these images. Raises InputError if the given recipe or options do not
    fit them.
    """
    if options.float_weights is not None:
        raise InputError(
            "float weights are written of photograph models only; leave --float-weights out"
        )
    sizes, latents, estimator = images.sizes, options.latents, options.estimator
    if latents is not None:
        if images.labels is not None:
            raise InputError(f"{latents} latents take no labels; leave --labels or --latents out")
        recipe = discrete_recipe(latents, *images.shape, sizes["levels"], len(images.x), estimator)
    elif options.recipe is None:
        recipe = latent_recipe(
            *images.shape, sizes["levels"], len(images.x), sizes.get("classes", 0)
        )
    else:
        recipe = read_recipe(options.recipe, sizes)
    if latents is None and estimator is not None:
        recipe = estimated(recipe, estimator)
    _check_fit(images, recipe)
    if options.minutes is not None:
        raise InputError(
            "a number of minutes is for photograph models, whose schedule follows the "
            "clock; give --steps"
        )
    if options.steps is not None:  # scale the schedule
        warm, every = (
            round(part * options.steps / recipe.steps)
            for part in (recipe.kl_warmup_steps, recipe.validate_every)
        )
        recipe = replace(
            recipe, steps=options.steps, kl_warmup_steps=warm, validate_every=max(1, every)
        )
    if options.seed is not None:
        recipe = replace(recipe, seed=options.seed)
    if options.posterior is not None:
        recipe = with_posterior(recipe, options.posterior, given=options.recipe is not None)
    training = objectives.chosen(recipe.training, options.objective, options.particles)
    return replace(recipe, training=training)


def _check_fit(images: SmallImages, recipe: LatentRecipe) -> None:
    model = recipe.model
    shape = (model.height, model.width, model.channels)
    largest = int(images.x.max())
    if shape != images.shape or largest >= model.levels:
        raise InputError(
            f"the recipe is for images {shape} of values to {model.levels - 1}; found "
            f"{images.shape}, up to {largest}; change the recipe"
        )
    labelled = family_of(model).capabilities(model).side_information == LABEL
    classes: int = model.classes if labelled else 0
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


def _train_latent_model(
    images: SmallImages,
    output: Path,
    options: TrainOptions,
    report: Report,
    overwrite: bool,
    group: Processes,
) -> None:
    settings, described = _settings(images, options), read_record(options.recipe)
    training, validation = (conditioned(settings.model, part) for part in split(images))
    resume = options.checkpoint or output.with_suffix(".checkpoint")
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
    if options.checkpoint is None:
        resume.unlink(missing_ok=True)


@contextmanager
def _threads(count: int | None) -> Iterator[None]:
    """Set torch's number of threads, and restore it at the end."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
