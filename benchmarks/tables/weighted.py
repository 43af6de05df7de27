"""What the tables of importance weighting share: a VAE on binarised MNIST, trained on a bound, and kept as a model file by its name."""

import argparse
from dataclasses import replace
from pathlib import Path

from bbans.images import atomic_write
from bbans.inference import chain_run
from bbans.inference.chains import ChainRecipe, Samples
from bbans.models.heads import BERNOULLI
from bbans.models.terms import Training
from bbans.models.vae_config import VaeConfig
from benchmarks.tables import sets
from benchmarks.tables.sets import Pixels

MODEL = VaeConfig(28, 28, 1, 2, BERNOULLI, 0, latents=(50,), hidden=200, hidden_layers=2)  # one stochastic layer of Burda et al. 2016
STEPS, BATCH = 30_000, 100
VALIDATION = 1_000


def parser(about: str | None) -> argparse.ArgumentParser:
    """What every table's command line has."""
    found = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    found.add_argument("data", type=Path)
    found.add_argument(
        "--models", type=Path, default=Path(), help="the folder of the models, made where they are missing; default: this one"
    )
    found.add_argument("--steps", type=int, default=STEPS, help="of each training")
    found.add_argument("--count", type=int, default=500, help="test images")
    found.add_argument("--draws", type=int, default=16, help="draws of the latents for ideals")
    found.add_argument("--results", type=Path, help="the folder of the JSON")
    return found


def images(data: Path) -> tuple[Samples, Samples, Pixels]:
    """Training and validation samples, and the test images."""
    training, validation, _ = sets.binarised_samples(data, VALIDATION, 0)
    return training, validation, sets.binarised_mnist(data)


def trained(name: str, training: Training, options: argparse.Namespace, seed: int = 0) -> Path:
    """The model file `weighted-NAME-STEPS.safetensors`, trained unless it is there; a run that was broken off goes on."""
    path: Path = options.models / f"weighted-{name}-{options.steps}.safetensors"
    if not path.exists():
        every = max(1, options.steps // 20)
        warmup = min(200, options.steps // 10)
        recipe = ChainRecipe(MODEL, seed, options.steps, BATCH, warmup_steps=warmup, training=training, validate_every=every)
        fit, validation, _ = images(options.data)
        checkpoint = path.with_suffix(".checkpoint")
        data = chain_run.run(
            fit, validation, replace(recipe, kl_warmup_steps=options.steps // 20), checkpoint, lambda row: print(name, row)
        )
        atomic_write(path, data)
        checkpoint.unlink(missing_ok=True)
    return path
