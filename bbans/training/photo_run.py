"""`bbans train` for photographs: read a folder of images, split it by content hash, train, export,
measure the integer model.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image as PillowImage

from bbans.errors import InputError
from bbans.exact.torch_ops import torch_ops
from bbans.images import atomic_write, load_folder, split_holdout
from bbans.models.model_file import serialise
from bbans.models.photo import ExactPhoto, PhotoConfig
from bbans.options import TrainOptions
from bbans.schemes.pyramid import self_funding
from bbans.schemes.pyramid.level import analyse
from bbans.training.crops import Image
from bbans.training.networks import float_weights as stored_weights
from bbans.training.networks.photo import export
from bbans.training.photo_task import train
from bbans.training.photographs import PhotoRecipe, compiled, losses
from bbans.training.recipes import checked, read_record, read_toml

MEGAPIXEL = 1_000_000
HOLDOUT_ONE_IN = 10
HOLDOUT_SIDE = 256
DOWNSCALES = (0.3, 0.8)


def read_recipe(path: Path | None) -> PhotoRecipe:
    """Read a recipe from TOML; `[model]` holds PhotoConfig's fields; None gives the default recipe.

    Raises InputError on unknown or ill-typed keys.

    Examples:
        >>> read_recipe(None).steps
        12000
    """
    if path is None:
        return PhotoRecipe()
    raw = read_toml(path)
    raw.pop("record", None)
    raw.pop("family", None)
    model = PhotoConfig(**checked(path, PhotoConfig(), raw.pop("model", {})))
    recipe = PhotoRecipe(model=model, **checked(path, PhotoRecipe(), raw))
    if (
        recipe.crop % 2**recipe.levels
        or recipe.crop > HOLDOUT_SIDE
        or min(recipe.steps, recipe.batch, recipe.levels) < 1
    ):
        raise InputError(
            f"recipe {path}: crop must be a multiple of 2^levels up to {HOLDOUT_SIDE}, and steps, "
            "batch, levels at least 1"
        )
    return recipe


def downscaled(images: list[Image], recipe: PhotoRecipe) -> list[Image]:
    """Return the images, and copies at random scales of those over a megapixel, which add detail of
    every sharpness.

    Examples:
        >>> len(downscaled([np.zeros((8, 8, 3), np.uint8)], PhotoRecipe()))
        1
    """
    rng = np.random.default_rng(recipe.seed)
    result = list(images)
    for image in images:
        if image.shape[0] * image.shape[1] > MEGAPIXEL:
            for _ in range(recipe.downscaled_copies):
                factor = rng.uniform(*DOWNSCALES)
                size = round(image.shape[1] * factor), round(image.shape[0] * factor)
                result.append(
                    np.asarray(
                        PillowImage.fromarray(image).resize(size, PillowImage.Resampling.LANCZOS)
                    )
                )
    return result


def exact_rate(net: ExactPhoto, images: list[Image]) -> float:
    """Return the mean bits per subpixel of the coder's messages on central crops of held-out
    images, uint8 `(H, W, 3)`: the rate of files without framing.

    Examples:
        >>> from bbans.training.networks.photo import PhotoNet
        >>> config = PhotoConfig(channels=4, hidden=4)
        >>> net = ExactPhoto(config, export(PhotoNet(config)), torch_ops())
        >>> exact_rate(net, [np.zeros((8, 8, 3), np.uint8)]) > 0
        True
    """
    bits, count = 0.0, 0
    for image in images:
        h, w = (min(side, HOLDOUT_SIDE) for side in image.shape[:2])
        top, left = (image.shape[0] - h) // 2, (image.shape[1] - w) // 2
        x = image[top : top + h, left : left + w].transpose(2, 0, 1).astype(np.int32)
        levels, coarsest = analyse(net, x)
        bits += 32 * len(
            next(self_funding.encodings(levels, coarsest, 3, net.config.latents)).words
        )
        count += x.size
    return bits / count


def run(
    folder: Path,
    output: Path,
    options: TrainOptions = TrainOptions(),  # noqa: B008 frozen, and all its fields are
    device: torch.device | None = None,
    report: Callable[[dict[str, float]], None] = lambda row: None,
    overwrite: bool = False,
) -> None:
    """Train on a folder of images and write a model file.

    Options: the checkpoint (default: the output's name with `.checkpoint`) makes the run resumable;
    float_weights is a path for the float weights, for a later recipe's `init`; seed and steps
    override the recipe's; minutes is a time budget that overrides steps, and a resumed run counts
    the time before its checkpoint. `torch.compile` is tried on a GPU. Raises InputError,
    OutputExistsError.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> settings = "batch = 1", "crop = 16", "levels = 1", "model = {channels = 4, hidden = 4}"
        >>> with TemporaryDirectory() as folder:
        ...     recipe, output = Path(folder, "recipe.toml"), Path(folder, "small.safetensors")
        ...     _ = recipe.write_text("\\n".join(settings))
        ...     PillowImage.new("RGB", (20, 20)).save(Path(folder, "black.png"))
        ...     run(Path(folder), output, TrainOptions(recipe, steps=2))
        ...     output.exists()
        True
    """
    recipe, minutes = options.recipe, options.minutes
    settings, described = read_recipe(recipe), read_record(recipe)
    settings = replace(
        settings,
        seed=settings.seed if options.seed is None else options.seed,
        steps=settings.steps if options.steps is None else options.steps,
    )
    initial = None
    if recipe is not None and settings.init:
        initial = stored_weights.read(recipe.parent / settings.init, settings.model)
    named = load_folder(folder)
    training, holdout = split_holdout(named, HOLDOUT_ONE_IN)
    train_images = downscaled(
        [a for _, a in training if min(a.shape[:2]) >= settings.crop], settings
    )
    holdout_images = [a for _, a in holdout if min(a.shape[:2]) >= HOLDOUT_SIDE]
    if not train_images:
        raise InputError(
            f"{folder} has no image of {settings.crop} x {settings.crop} pixels or more to train "
            "on; add images or lower `crop`"
        )
    resume = options.checkpoint or output.with_suffix(".checkpoint")
    seconds = None if minutes is None else 60 * minutes
    function = compiled() if device is not None and device.type == "cuda" else losses
    net, history = train(
        train_images,
        holdout_images,
        settings,
        resume,
        report,
        initial=initial,
        device=device,
        seconds=seconds,
        function=function,
    )
    layers = export(net)
    record: dict[str, Any] = {
        **described,
        "recipe": asdict(settings),
        **({} if minutes is None else {"minutes": minutes}),
        "images": {"training": len(training), "held_out": len(holdout)},
        "history": history,
        "torch": str(torch.__version__),
    }
    if holdout_images:
        record["exact_holdout_bpsp"] = exact_rate(
            ExactPhoto(settings.model, layers, torch_ops()), holdout_images
        )
    data = serialise(settings.model, layers, record)
    if options.float_weights is not None:
        atomic_write(options.float_weights, stored_weights.to_bytes(net), overwrite=overwrite)
    atomic_write(output, data, overwrite=overwrite)
    atomic_write(
        output.with_suffix(".json"),
        (json.dumps(record, indent=1, sort_keys=True) + "\n").encode(),
        overwrite=overwrite,
    )
