"""Training runs that are made by one process and by several: the same function, called by the tests
and by processes that they start.
"""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from bbans.models.bernoulli_vae import BernoulliVaeConfig
from bbans.models.categorical_vae import CategoricalVaeConfig
from bbans.models.heads import CATEGORICAL
from bbans.models.vae import VaeConfig
from bbans.models.vqvae import AUTOREGRESSIVE, VqVaeConfig
from bbans.options import TrainOptions
from bbans.training.distributed import Processes, processes
from bbans.training.latent import LatentRecipe, Samples
from bbans.training.latent_task import train
from bbans.training.run import train_model
from bbans.training.terms import NVIL, RELAX, SCORE, Training
from tests.digits import digits

IMAGE = {
    "height": 8,
    "width": 8,
    "levels": 17,
    "likelihood": CATEGORICAL,
    "components": 0,
    "hidden": 12,
    "hidden_layers": 1,
}
BASE = LatentRecipe(
    steps=12,
    batch=7,
    warmup_steps=3,
    kl_warmup_steps=6,
    learning_rate=3e-3,
    average=0.8,
    validate_every=4,
    seed=3,
)
RECIPES = {
    "vae": replace(
        BASE,
        model=VaeConfig(**IMAGE, latents=(3, 2), classes=10),
        free_bits=0.05,
        latent_dropout=0.3,
        weight_decay=0.01,
    ),
    "bernoulli_vae": replace(
        BASE, model=BernoulliVaeConfig(**IMAGE, latents=(6,)), training=Training(estimator=SCORE)
    ),
    "relaxed bits": replace(
        BASE,
        model=BernoulliVaeConfig(**IMAGE, latents=(4, 3)),
        training=Training(RELAX),
        latent_dropout=0.3,
    ),
    "categorical_vae": replace(
        BASE, model=CategoricalVaeConfig(**IMAGE, latents=(3,), states=3), training=Training(NVIL)
    ),
    "vqvae": replace(
        BASE,
        model=VqVaeConfig(
            **IMAGE, codes=3, codebook=8, dims=2, prior=AUTOREGRESSIVE, prior_hidden=12
        ),
        training=Training(codebook_average=0.9),
    ),
}
RECIPE_FILE = """family = 'vae'
steps = 6
batch = 9
[model]
hidden = 8
hidden_layers = 1
latents = [2]
likelihood = 'categorical'
components = 0
"""


def data(name: str) -> tuple[Samples, Samples]:
    x, labels = digits(50)
    given = labels if name == "vae" else None
    return Samples(x[:40], None if given is None else given[:40]), Samples(
        x[40:], None if given is None else given[40:]
    )


def train_all(folder: Path, group: Processes, suffix: str, halves: str = "") -> None:
    """Every recipe's weights and reports to `NAME-SUFFIX.pt`, and the checkpoint of step 7 to
    `NAME-SUFFIX.half`.

    With `halves` runs go on from the checkpoints of that suffix.
    """
    for name, recipe in RECIPES.items():
        checkpoint = folder / f"{name}-{suffix}.checkpoint"
        if halves and group.first:
            shutil.copy(folder / f"{name}-{halves}.half", checkpoint)

        def report(row: dict[str, float], name: str = name, checkpoint: Path = checkpoint) -> None:
            if row["step"] == 8 and not halves:
                shutil.copy(checkpoint, folder / f"{name}-{suffix}.half")

        net, history = train(
            *data(name), recipe, checkpoint, report, checkpoint_seconds=0.0, group=group
        )
        if group.first:
            torch.save(
                {"state": net.state_dict(), "history": history}, folder / f"{name}-{suffix}.pt"
            )


def train_file(folder: Path, suffix: str) -> None:
    """A model file by way of the entry that the command line calls."""
    train_model(
        folder / "images.formats.npy",
        folder / f"{suffix}.safetensors",
        TrainOptions(recipe=folder / "recipe.toml"),
    )


def write_inputs(folder: Path) -> None:
    np.save(folder / "images.formats.npy", digits(60)[0].reshape(-1, 8, 8))
    (folder / "recipe.toml").write_text(RECIPE_FILE)


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    place = Path(sys.argv[1])
    with processes() as own:
        train_all(place, own, "two")
        train_all(place, own, "two-on-two", "two")
        train_all(place, own, "one-on-two", "one")
        train_file(place, "two")
