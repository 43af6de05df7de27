"""79: VAEs with Bernoulli latents, linear of one layer and two and not linear, trained by RELAX:
the net rate is the discrete ELBO.
"""

import math

import numpy as np
import pytest
import torch

from bbans.models.bernoulli_vae import BernoulliVaeConfig
from bbans.schemes import bit_swap, bits_back
from bbans.schemes.bounds import ideal_bits, net_bits
from bbans.training.latent import LatentRecipe, Samples
from bbans.training.latent_task import train
from bbans.training.networks.families import export
from bbans.training.terms import RELAX, Training
from tests.chains import exact
from tests.digits import digits

MODELS = {
    "linear of one layer": BernoulliVaeConfig(8, 8, latents=(24,)),
    "linear of two layers": BernoulliVaeConfig(8, 8, latents=(24, 16)),
    "not linear": BernoulliVaeConfig(8, 8, latents=(24,), hidden=32, hidden_layers=1),
}


@pytest.mark.parametrize("name", MODELS)
def test_the_net_rate_is_the_bound(name):
    x, _ = digits(600, levels=2)
    recipe = LatentRecipe(
        MODELS[name],
        steps=200,
        batch=50,
        learning_rate=1e-2,
        warmup_steps=5,
        average=0.9,
        validate_every=50,
        training=Training(RELAX),
    )
    with torch.random.fork_rng():
        net, history = train(Samples(x[150:]), Samples(x[:150]), recipe)
    assert history[-1]["rate"] < 0.99 * history[0]["rate"]
    chain, test = exact(MODELS[name], export(net)), x[:150].astype(np.int64)
    ideal = ideal_bits(chain, test, 32).total
    for scheme in (bits_back, bit_swap):
        differences = (
            np.array(net_bits(scheme.codec, ((chain, test[i : i + 1]) for i in range(150)), 0))
            - ideal
        )
        assert abs(differences.mean()) <= 0.005 * ideal.mean() + 4 * differences.std(
            ddof=1
        ) / math.sqrt(150)
    assert ideal.mean() / 64 == pytest.approx(history[-1]["rate"], rel=0.03)
