"""From samples to a model file with a latent chain: recipes and which one suits an image, training,
export, the exact rate.
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
from bbans.models.base import ANY_SIZE, DIAGONAL_GAUSSIAN, JOINT, ROWS, LatentModel
from bbans.models.bernoulli_vae import BernoulliVaeConfig
from bbans.models.categorical_vae import CategoricalVaeConfig
from bbans.models.conv_vae import ConvVaeConfig
from bbans.models.heads import BERNOULLI, CATEGORICAL, LOGISTIC
from bbans.models.model_file import serialise
from bbans.models.pyramid import PyramidConfig
from bbans.models.registry import FAMILIES, family_of, media_of
from bbans.models.rich_vae import POSTERIORS, RichVaeConfig
from bbans.models.vae import VaeConfig
from bbans.schemes.bounds import ideal_bits
from bbans.training import discrete
from bbans.training.chains import COSINE, LINEAR, ChainRecipe, Samples, train
from bbans.training.distributed import ALONE, Processes
from bbans.training.networks.families import export, trains
from bbans.training.recipes import checked, read_toml
from bbans.training.terms import VIMCO, Training
from bbans.training.train import Recipe

PHOTO_SIDE = 128  # images from this size on are coded as photographs, tile by tile
FEW_LEVELS = 32  # up to here every level has a log-weight of its own
# up to here a VAE trains in seconds, and there is little between neighbours that its z does not
# hold
TINY_DIMS = 256
# up to here networks are dense; at 127 x 127 x 3 the last dense layer would have over 200 million
# weights
DENSE_DIMS = 1024
SMALLEST_SIDE = 8  # convolutional networks halve larger sides until the map is no larger
BATCH, SMALLEST_BATCH = (
    100,
    8,
)  # items a step, fewer beyond DENSE_DIMS so that a step has as many samples
BLOCK = 256
GAUSSIAN = "gaussian"  # the posterior that the families above have
BITS, CATEGORIES = LATENTS = "bernoulli", "categorical"
VIMCO_PARTICLES = 5
# learning rate at a width of 128: on 8 x 8 images 11 % fewer bits after 3000 steps than at 1e-3
SMALL_NETS_RATE = 5e-3


def default_recipe(
    height: int, width: int, channels: int, levels: int, items: int = 60000, classes: int = 0
) -> ChainRecipe | Recipe:
    """The family and its sizes for `items` images of one shape, of `classes` kinds if that is told
    with each of them (0: it is not).

    8-bit photographs of 128 pixels and more get the photo family, small images the pyramid, tiny
    and labelled ones a VAE. The latents and the width follow the number of samples in an image, the
    steps the number of images. Early stopping is on.
    """
    if min(height, width) >= PHOTO_SIDE and levels == 256 and channels in (1, 3) and not classes:
        return Recipe()
    return latent_recipe(height, width, channels, levels, items, classes)


def latent_recipe(
    height: int, width: int, channels: int, levels: int, items: int = 60000, classes: int = 0
) -> ChainRecipe:
    """The family of latent models and its sizes for `items` images of one shape; see
    `default_recipe`.
    """
    dims = height * width * channels
    shape = (height, width, channels, levels, *_likelihood(levels))
    batch = BATCH if dims <= DENSE_DIMS else max(SMALLEST_BATCH, BATCH * DENSE_DIMS // dims)
    if dims <= TINY_DIMS or classes:
        return _plain(shape, batch, items, classes)
    model = PyramidConfig(
        *shape, latents=(min(32, dims // 32),), trunk=48 if dims <= DENSE_DIMS else 32
    )
    steps = min(10000, max(3000, 30 * items // 100))
    return ChainRecipe(
        model,
        0,
        steps,
        batch,
        2e-3,
        kl_warmup_steps=steps // 4,
        weight_decay=0.01,
        latent_dropout=0.02,  # what single images and the first of a group are coded under
        training=Training(dropout=0.1),
        validate_every=max(1, steps // 40),
        patience=10,
    )


def discrete_recipe(
    latents: str,
    height: int,
    width: int,
    channels: int,
    levels: int,
    items: int = 60000,
    estimator: str | None = None,
) -> ChainRecipe:
    """A VAE of bits or categories (`latents` one of LATENTS) for `items` images of one shape,
    trained by an estimator.

    Raises InputError on other latents, and on an estimator that is none.
    """
    if latents not in LATENTS:
        raise InputError(f"latents are {' or '.join(LATENTS)}; found {latents!r}")
    dims = height * width * channels
    shape = (height, width, channels, levels, *_likelihood(levels))
    count, hidden = min(200, max(24, dims // 4)), 128 if dims <= TINY_DIMS else 400
    if latents == CATEGORIES:
        model: BernoulliVaeConfig | CategoricalVaeConfig = CategoricalVaeConfig(
            *shape, (count // 4,), 4, hidden, 1
        )
    else:
        model = BernoulliVaeConfig(*shape, (count,), hidden, 1)
    steps = min(20000, max(3000, 30 * items // 100))
    recipe = ChainRecipe(
        model,
        0,
        steps,
        BATCH,
        3e-3,
        kl_warmup_steps=steps // 20,
        validate_every=max(1, steps // 40),
        patience=10,
    )
    return recipe if estimator is None else estimated(recipe, estimator)


def estimated(recipe: ChainRecipe, estimator: str) -> ChainRecipe:
    """A recipe with another estimator, by vimco with VIMCO_PARTICLES particles unless it says how
    many. Raises InputError.
    """
    training, particles = recipe.training, recipe.training.particles
    if estimator == VIMCO and particles == 1:
        particles = VIMCO_PARTICLES
    elif training.bounded and estimator not in (VIMCO, training.estimator):
        particles = 1
    training = replace(training, estimator=estimator, particles=particles)
    discrete.check(training, recipe.model, recipe.free_bits)
    return replace(recipe, training=training)


def _likelihood(levels: int) -> tuple[str, int]:
    """A head's kind and components for so many values."""
    return (
        (BERNOULLI, 0)
        if levels == 2
        else (CATEGORICAL, 0)
        if levels <= FEW_LEVELS
        else (LOGISTIC, 3)
    )


def _plain(
    shape: tuple[int, int, int, int, str, int], batch: int, items: int, classes: int
) -> ChainRecipe:
    """A VAE whose samples are independent given z, convolutional beyond 1024 samples so that it
    stays below two million weights.
    """
    height, width, channels, _, likelihood, _ = shape
    dims = height * width * channels
    hidden = 128 if dims <= TINY_DIMS else 400
    latents = (min(64, max(8, dims // 16 + 1)),)
    model: VaeConfig | ConvVaeConfig = VaeConfig(*shape, latents, hidden, classes=classes)
    if dims > DENSE_DIMS:
        halvings = max(2, (-(-max(height, width) // SMALLEST_SIDE) - 1).bit_length())
        model = ConvVaeConfig(*shape, latents, halvings=halvings, classes=classes)
    steps = min(20000, max(3000, 30 * items // 100))
    rate = SMALL_NETS_RATE if hidden == 128 else 1e-3
    every = max(1, steps // 40)
    # grey levels reward collapse early on: with a short warm-up 7 of 50 latents stayed in use on
    # MNIST, with half of the run 17
    warmup = steps // (2 if likelihood == LOGISTIC else 20)
    return ChainRecipe(
        model,
        0,
        steps,
        batch,
        rate,
        kl_warmup_steps=warmup,
        weight_decay=0.01,
        validate_every=every,
        patience=10,
    )


def with_posterior(recipe: ChainRecipe, posterior: str, given: bool) -> ChainRecipe:
    """The recipe with q(z | x) of another kind: `gaussian`, or one of `rich_config.POSTERIORS`.

    `given`: it is a user's, not the default.

    A default recipe's decoder becomes a dense one. Raises InputError on kinds and recipes for which
    there is none.
    """
    model = recipe.model
    rich_vae.check_codes(posterior)
    if posterior not in (GAUSSIAN, *POSTERIORS):
        raise InputError(
            f"a posterior is one of {', '.join((GAUSSIAN, *POSTERIORS))}; found {posterior!r}"
        )
    row = family_of(model)
    if trains(model).sampled:
        raise InputError(
            f"a posterior {posterior!r} is of Gaussian latents, and those of the family {row.name} "
            "are discrete; leave it out"
        )
    rich = isinstance(model, RichVaeConfig)
    if posterior == GAUSSIAN and not rich:
        return recipe
    plain = isinstance(model, VaeConfig) and model.fixed_sigma < 0 and not model.skip
    declared = row.capabilities(model)
    gaussian = declared.posterior in (DIAGONAL_GAUSSIAN, JOINT) and declared.depth == 1
    if not gaussian or declared.side_information is not None or (given and not rich and not plain):
        raise InputError(
            f"a posterior {posterior!r} is for a dense VAE of one layer without labels; name the "
            "family vae or rich_vae"
        )
    kind = VaeConfig if posterior == GAUSSIAN else RichVaeConfig
    shared = {f.name for f in fields(kind)} & {f.name for f in fields(model)}
    settings = {name: getattr(model, name) for name in shared}
    return replace(
        recipe,
        model=kind(**settings)
        if posterior == GAUSSIAN
        else kind(**{**settings, "posterior": posterior}),
    )


def read_recipe(path: Path, sizes: Mapping[str, int] | None = None) -> ChainRecipe:
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
    recipe = ChainRecipe(model=model, training=training)
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
    recipe: ChainRecipe,
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
    recipe: ChainRecipe,
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
