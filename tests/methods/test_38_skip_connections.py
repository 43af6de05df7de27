"""Item 38. Every layer of the decoder sees z: a deep one uses its latents more than the same
without skips (Skip-VAE).
"""

from dataclasses import replace

import torch

from bbans.models.vae import VaeConfig
from bbans.training.latent import LatentRecipe
from bbans.training.latent_task import train
from tests.methods.trained import BINARY, data


def test_skips_keep_latents_in_use():
    """Four hidden layers, 300 steps: the mean KL divergence, which bounds I(x; z) from above, and
    the active units.
    """
    training, test = data(2)
    rows = []
    for skip in (False, True):
        model = VaeConfig(**BINARY, latents=(8,), hidden=32, hidden_layers=5, skip=skip)
        recipe = replace(
            LatentRecipe(model),
            steps=300,
            learning_rate=3e-3,
            warmup_steps=20,
            average=0.98,
            validate_every=300,
        )
        with torch.random.fork_rng():
            rows.append(train(training, test, recipe)[1][-1])
    plain, skipping = ((row["prior"] - row["posterior"], row["active"]) for row in rows)
    assert skipping[0] > 1.1 * plain[0] and skipping[1] >= plain[1]
