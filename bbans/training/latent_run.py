"""From samples to a model file with a latent model: recipes in files, training, export, the exact
rate.
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
    """A recipe from TOML: `family` names the model, `[model]` and `[training]` hold its settings.

    Raises InputError.

    `sizes` are fields of the model that hold where the recipe does not say them: those of the
    images to train on.
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
    """Raise NoCodecError on a model that no model file holds."""
    if isinstance(model, RichVaeConfig):
        rich_vae.check_codes(model.posterior)


def conditioned(config: Any, data: Samples) -> Samples:
    """Whole images as a model of the config takes them: those that are conditioned on their first
    rows have them as labels.
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
    """Train and return the model file: integer networks, with the recipe, history and exact
    validation rate in its record.

    `group` says on which device.

    Raises NoCodecError before it trains what no model file holds.
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
    """A trained network as a model file.

    Raises AccumulatorBoundError if a layer cannot be made exact.
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


def exact_rates(chain: Any, data: Samples, draws: int = 1, seed: int = 0) -> dict[str, float]:
    """The ELBO's three terms and their sum of the integer model in bits per dimension, z drawn as
    the coder draws it.
    """
    totals = np.zeros(3)
    for first in range(0, len(data.x), BLOCK):
        x = data.x[first : first + BLOCK].astype(np.int64)
        given: LatentModel = (
            chain if data.labels is None else chain.given(data.labels[first : first + BLOCK])
        )
        terms = ideal_bits(given, x, draws, seed + first, BLOCK)
        totals += [float(part.sum()) for part in (terms.prior, terms.likelihood, -terms.posterior)]
    prior, likelihood, posterior = (float(total) / data.x.size for total in totals)
    return {
        "prior": prior,
        "likelihood": likelihood,
        "posterior": posterior,
        "rate": prior + likelihood - posterior,
    }
