"""Models trained for a second or two on synthetic digits: what the catalogue's tests of learning
share.
"""

from __future__ import annotations

import functools
from dataclasses import replace

import torch

from bbans.models.bernoulli_vae import BernoulliVaeConfig
from bbans.models.vae import VaeConfig
from bbans.models.vqvae import AUTOREGRESSIVE, VqVaeConfig
from bbans.training.latent import LatentRecipe, Samples
from bbans.training.latent_task import train
from bbans.training.networks.families import export
from tests.chains import exact
from tests.digits import digits

SHAPE = {"height": 8, "width": 8, "levels": 17, "likelihood": "categorical", "components": 0}
BINARY = {"height": 8, "width": 8, "levels": 2, "likelihood": "bernoulli", "components": 0}
VAE = VaeConfig(**SHAPE, latents=(8,), hidden=64, hidden_layers=1)
RECIPES = {
    "vae": LatentRecipe(VAE),
    "autoencoder": LatentRecipe(VAE, beta=0.0),
    "labelled": LatentRecipe(replace(VAE, classes=10, latents=(2,))),
    "binary": LatentRecipe(VaeConfig(**BINARY, latents=(8,), hidden=64, hidden_layers=1)),
    "bits": LatentRecipe(BernoulliVaeConfig(**BINARY, latents=(24,))),
    "codes": LatentRecipe(
        VqVaeConfig(**SHAPE, codes=4, codebook=16, dims=4, hidden=64, hidden_layers=1)
    ),
    "codes with a prior": LatentRecipe(
        VqVaeConfig(
            **SHAPE,
            codes=4,
            codebook=16,
            dims=4,
            hidden=64,
            hidden_layers=1,
            prior=AUTOREGRESSIVE,
            prior_hidden=64,
        )
    ),
}
TEST_ITEMS = 100


def data(levels: int, labelled: bool = False) -> tuple[Samples, Samples]:
    """1500 training items and 100 others."""
    x, labels = digits(1500 + TEST_ITEMS, levels=levels, moved=not labelled)
    given = labels if labelled else None
    return tuple(
        Samples(x[part], None if given is None else given[part])
        for part in (slice(TEST_ITEMS, None), slice(TEST_ITEMS))
    )


@functools.cache
def trained(name: str, steps: int = 600):
    """`(net, chain, history, test samples)` of a recipe by name."""
    recipe = replace(
        RECIPES[name],
        steps=steps,
        learning_rate=3e-3,
        warmup_steps=20,
        average=0.98,
        validate_every=max(1, steps // 12),
    )
    training, test = data(recipe.model.levels, name == "labelled")
    with torch.random.fork_rng():
        net, history = train(training, test, recipe)
    return net, exact(recipe.model, export(net)), history, test
