"""From samples to the model file of a latent model: recipe files, training, export, and the rate of
the integer model.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from bbans.errors import InputError
from bbans.exact.torch_ops import torch_ops
from bbans.models import rich_vae
from bbans.models.base import ANY_SIZE, ROWS, LatentModel
from bbans.models.model_file import serialise
from bbans.models.registry import FAMILIES, family_of, media_of
from bbans.models.rich_vae import RichVaeConfig
from bbans.schemes.bounds import ideal_bits
from bbans.training import discrete
from bbans.training.distributed import ALONE, Processes
from bbans.training.latent import COSINE, LINEAR, LatentRecipe, Samples
from bbans.training.latent_task import train
from bbans.training.networks.families import export
from bbans.training.recipes import checked, read_toml
from bbans.training.terms import Training

BLOCK = 256


def read_recipe(path: Path, sizes: Mapping[str, int] | None = None) -> LatentRecipe:
    """Read a recipe from TOML: `family` names the model, `[model]` and `[training]` hold its
    settings.

    `sizes` are defaults of the model's fields where the recipe does not set them: the sizes of the
    training images. Raises InputError, ModelFormatError, and NoCodecError on a model that cannot be
    coded.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder, "recipe.toml")
        ...     _ = path.write_text('family = "vae"')
        ...     read_recipe(path, {"height": 4, "width": 4}).model.height
        4
    """
    raw = read_toml(path)
    raw.pop("record", None)
    name = raw.pop("family", None)
    if name not in FAMILIES or media_of(FAMILIES[name]) == ANY_SIZE:
        raise InputError(
            f"recipe {path}: family = {name!r} is not one of {', '.join(sorted(FAMILIES))[:80]}; "
            "name one"
        )
    default = FAMILIES[name].config()
    known = {f.name for f in fields(default)}
    default = replace(
        default, **{name: size for name, size in (sizes or {}).items() if name in known}
    )
    model = replace(default, **checked(path, default, raw.pop("model", {})))
    training = replace(Training(), **checked(path, Training(), raw.pop("training", {})))
    recipe = LatentRecipe(model=model, training=training)
    recipe = replace(recipe, **checked(path, recipe, raw))
    if min(recipe.steps, recipe.batch, recipe.validate_every) < 1 or recipe.decay not in (
        COSINE,
        LINEAR,
    ):
        raise InputError(
            f"recipe {path}: steps, batch and validate_every are at least 1, decay is {COSINE!r} "
            f"or {LINEAR!r}"
        )
    try:
        discrete.check(training, model, recipe.free_bits)
    except InputError as error:
        raise InputError(f"recipe {path}: {error}") from error
    _check_codes(model)
    FAMILIES[name].check(model)
    return recipe


def _check_codes(model: Any) -> None:
    """Raise NoCodecError on a model that can be trained but not coded."""
    if isinstance(model, RichVaeConfig):
        rich_vae.check_codes(model.posterior)


def conditioned(config: Any, data: Samples) -> Samples:
    """Split whole images into coded samples and side information, where a model is conditioned on
    the first rows; return other data unchanged.

    Examples:
        >>> from bbans.models.structured import StructuredConfig
        >>> config = StructuredConfig(height=4, width=2, condition=1)
        >>> conditioned(config, Samples(np.zeros((5, 8), np.uint8))).x.shape
        (5, 6)
    """
    if family_of(config).capabilities(config).side_information != ROWS:
        return data
    return Samples(data.x[:, config.conditioning :], data.x[:, : config.conditioning])


def run(
    training: Samples,
    validation: Samples,
    recipe: LatentRecipe,
    checkpoint: Path | None = None,
    report: Callable[[dict[str, float]], None] = lambda row: None,
    record: dict[str, Any] | None = None,
    group: Processes = ALONE,
) -> bytes:
    """Train a latent model and return its model file: integer networks, and a record with the
    recipe, the history and the integer model's validation rate.

    `group` names the processes and the device. Raises InputError, NoCodecError on a model that
    cannot be coded (before training), AccumulatorBoundError if a layer cannot be made exact.

    Examples:
        >>> from bbans.models.vae import VaeConfig
        >>> data = Samples(np.zeros((8, 4), np.uint8))
        >>> recipe = LatentRecipe(VaeConfig(2, 2, hidden=4, latents=(3,)), steps=2, batch=4)
        >>> run(data, data, recipe)[8:9]
        b'{'
    """
    _check_codes(recipe.model)
    net, history = train(training, validation, recipe, checkpoint, report, group=group)
    return model_file(net.to("cpu"), recipe, history, validation, record)


def model_file(
    net: nn.Module,
    recipe: LatentRecipe,
    history: list[dict[str, float]],
    validation: Samples,
    record: dict[str, Any] | None = None,
) -> bytes:
    """Return a trained network as a model file.

    Raises AccumulatorBoundError if a layer cannot be made exact.

    Examples:
        >>> from bbans.models.vae import VaeConfig
        >>> from bbans.training.networks.families import float_network
        >>> recipe = LatentRecipe(VaeConfig(2, 2, hidden=4, latents=(3,)))
        >>> data = Samples(np.zeros((8, 4), np.uint8))
        >>> model_file(float_network(recipe.model), recipe, [], data)[8:9]
        b'{'
    """
    layers = export(net)
    family = family_of(recipe.model)
    described = {
        **(record or {}),
        "recipe": asdict(recipe),
        "history": history,
        "torch": str(torch.__version__),
    }
    if len(validation.x):
        described["exact_validation"] = exact_rates(
            family.network(recipe.model, layers, torch_ops()), validation
        )
    return serialise(recipe.model, layers, json.loads(json.dumps(described)))


def exact_rates(model: Any, data: Samples, draws: int = 1, seed: int = 0) -> dict[str, float]:
    """Measure the ELBO of the integer model in bits per dimension, with z sampled as the coder
    samples it.

    Keys: prior, likelihood, posterior, rate = prior + likelihood - posterior. `draws` is the number
    of samples per item.

    Examples:
        >>> from bbans.models.analytic import LinearGaussian
        >>> list(exact_rates(LinearGaussian(), Samples(np.full((3, 6), 512))))
        ['prior', 'likelihood', 'posterior', 'rate']
    """
    totals = np.zeros(3)
    for first in range(0, len(data.x), BLOCK):
        x = data.x[first : first + BLOCK].astype(np.int64)
        conditional: LatentModel = (
            model if data.labels is None else model.given(data.labels[first : first + BLOCK])
        )
        terms = ideal_bits(conditional, x, draws, seed + first, BLOCK)
        totals += [float(part.sum()) for part in (terms.prior, terms.likelihood, -terms.posterior)]
    prior, likelihood, posterior = (float(total) / data.x.size for total in totals)
    return {
        "prior": prior,
        "likelihood": likelihood,
        "posterior": posterior,
        "rate": prior + likelihood - posterior,
    }
