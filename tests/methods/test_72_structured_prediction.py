"""72: the bottom half of an image given its top half; q is the prior, the net rate L_1, and L_m
tightens with m.
"""

import math
from functools import cache

import numpy as np
import pytest
import torch

from bbans.models.structured import StructuredConfig
from bbans.schemes import bits_back
from bbans.schemes.bounds import ideal_bits, importance_weighted_bits, net_bits
from bbans.training.latent import LatentRecipe, Samples
from bbans.training.latent_run import conditioned
from bbans.training.latent_task import train
from bbans.training.networks.families import export
from bbans.training.terms import CONCRETE, VIMCO, Training
from tests.chains import exact
from tests.digits import digits

CONFIG = StructuredConfig(8, 8, condition=4, latents=(12, 12))


@cache
def trained(estimator, particles):
    x, _ = digits(800, levels=2)
    data = [conditioned(CONFIG, Samples(part)) for part in (x[200:], x[:200])]
    training = Training(estimator, particles=particles)
    recipe = LatentRecipe(
        CONFIG,
        steps=250,
        batch=50,
        learning_rate=1e-2,
        warmup_steps=5,
        average=0.9,
        validate_every=50,
        training=training,
    )
    with torch.random.fork_rng():
        net, history = train(*data, recipe)
    return exact(CONFIG, export(net)), data[1], history


@pytest.mark.parametrize(("estimator", "particles"), [(CONCRETE, 1), (CONCRETE, 5), (VIMCO, 5)])
def test_half_an_image_costs_the_bound(estimator, particles):
    chain, data, history = trained(estimator, particles)
    name = {CONCRETE: "relaxed", VIMCO: "bound"}[estimator]
    assert history[-1]["rate"] < history[0]["rate"] and history[-1][name] < history[0][name]
    x, given = data.x.astype(np.int64), chain.given(data.labels)
    ideal = ideal_bits(given, x, 32)
    assert np.allclose(ideal.total, ideal.likelihood)
    singles = ((chain.given(data.labels[i : i + 1]), x[i : i + 1]) for i in range(200))
    differences = np.array(net_bits(bits_back.codec, singles, 0)) - ideal.total
    assert abs(differences.mean()) <= 0.005 * ideal.total.mean() + 4 * differences.std(
        ddof=1
    ) / math.sqrt(200)
    bounds = [
        ideal.total.mean(),
        *(importance_weighted_bits(given, x, m, 1).mean() for m in (5, 50)),
    ]
    assert bounds[0] > bounds[1] > bounds[2]


def test_what_is_told_is_worth_bits():
    """The half conditioned on another image: more bits."""
    chain, data, _ = trained(VIMCO, 5)
    x = data.x.astype(np.int64)
    right, wrong = (
        ideal_bits(chain.given(np.roll(data.labels, by, 0)), x, 8).total.mean() for by in (0, 1)
    )
    assert right < 0.97 * wrong
