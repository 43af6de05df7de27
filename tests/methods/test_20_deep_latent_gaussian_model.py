"""Item 20. p(z) = N(0, I), p(x | z) = prod Bern(sigma(MLP(z))): a deep latent Gaussian model of
binarised digits.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch

from bbans.models.vae import VaeConfig
from bbans.schemes.bounds import ideal_bits, importance_weighted_bits
from bbans.training.latent import LatentRecipe, Samples, rates
from bbans.training.latent_task import train
from tests.methods.trained import data, trained


def test_the_bounds_are_ordered_and_beat_independent_pixels():
    """-ELBO >= the importance-weighted bound; both below what pixels cost one by one at their best
    frequencies.
    """
    _, chain, _, test = trained("binary")
    x = test.x.astype(np.int64)
    elbo, weighted = (
        ideal_bits(chain, x, 16).total.mean(),
        importance_weighted_bits(chain, x, 64).mean(),
    )
    p = (data(2)[0].x.mean(0) * 1500 + 1) / 1502
    independent = -(x * np.log2(p) + (1 - x) * np.log2(1 - p)).sum(1).mean()
    assert weighted < elbo < 0.8 * independent


@pytest.mark.shared
def test_mnist_binarised(shared):
    """A few seconds on 3000 images: below 0.35 bits per dimension, where independent pixels cost
    0.38 (206 nats an image).
    """
    packed = np.load(shared / "data" / "binarized_mnist" / "binarized_mnist_larochelle.npz")
    x, test = (
        np.unpackbits(packed[part][:n], axis=1)[:, :784]
        for part, n in (("train", 3000), ("test", 300))
    )
    model = VaeConfig(
        levels=2, likelihood="bernoulli", components=0, latents=(20,), hidden=100, hidden_layers=1
    )
    recipe = replace(
        LatentRecipe(model),
        steps=400,
        learning_rate=3e-3,
        warmup_steps=20,
        average=0.98,
        validate_every=400,
    )
    with torch.random.fork_rng():
        net, _ = train(Samples(x), Samples(test), recipe)
    assert rates(net, Samples(test))["rate"] < 0.35
