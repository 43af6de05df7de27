"""What the tables of importance weighting share: VAEs on binarised MNIST, each trained on a bound
and kept in a model file by its name.
"""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

from bbans.images import atomic_write
from bbans.models.heads import BERNOULLI
from bbans.models.vae import VaeConfig
from bbans.training import latent_run
from bbans.training.latent import LatentRecipe, Samples
from bbans.training.terms import CIWAE, IWAE, MIWAE, PIWAE, Training
from benchmarks.tables import runs, sets
from benchmarks.tables.sets import Pixels

MODEL = VaeConfig(
    28, 28, 1, 2, BERNOULLI, 0, latents=(50,), hidden=200, hidden_layers=2
)  # one stochastic layer of Burda et al. 2016
SETTINGS = {
    "elbo": Training(),
    "iwae8": Training(objective=IWAE, particles=8),
    "iwae64": Training(objective=IWAE, particles=64),
    "piwae": Training(objective=PIWAE, particles=64, groups=8),
    "miwae": Training(objective=MIWAE, particles=64, groups=8),
    "ciwae": Training(objective=CIWAE, particles=64, elbo_share=0.5),
}
"""What models are trained by. Tables that name the same one share its file."""
STEPS, BATCH, COUNT = 30_000, 100, 500
VALIDATION = 1_000


def parser(about: str | None) -> argparse.ArgumentParser:
    """What every table's command line has."""
    found = argparse.ArgumentParser(
        description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    found.add_argument("data", type=Path)
    found.add_argument(
        "--models",
        type=Path,
        default=Path(),
        help="the folder of the models, made where they are missing; default: this one",
    )
    found.add_argument("--steps", type=int, default=STEPS, help="of each training")
    found.add_argument("--batch", type=int, default=BATCH, help="images a step of it")
    found.add_argument(
        "--kl-warmup", type=int, help="steps on a divergence of less weight; default: a twentieth"
    )
    found.add_argument("--count", type=int, default=COUNT, help="test images")
    found.add_argument("--draws", type=int, default=16, help="draws of the latents for bounds")
    found.add_argument(
        "--results",
        type=Path,
        help="the folder of the JSON; a shorter run than the default writes none without it",
    )
    found.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="where to train")
    return found


def facts(options: argparse.Namespace) -> dict[str, Any]:
    """What a row says of its models and images."""
    return {"data": "binarised MNIST", **_run(options), "images": options.count}


def _run(options: argparse.Namespace) -> dict[str, int]:
    """How long a training is."""
    warmup = options.steps // 20 if options.kl_warmup is None else options.kl_warmup
    return {"steps": options.steps, "batch": options.batch, "kl_warmup": warmup}


def whole(options: argparse.Namespace) -> bool:
    """Whether a run is as long as the default."""
    return options.steps * options.batch >= STEPS * BATCH and options.count >= COUNT


def images(data: Path) -> tuple[Samples, Samples, Pixels]:
    """Training and validation samples, and the test images."""
    training, validation, _ = sets.binarised_samples(data, VALIDATION, 0)
    return training, validation, sets.binarised_mnist(data)


def trained(name: str, options: argparse.Namespace, seed: int = 0) -> Path:
    """The file of a name in SETTINGS, `weighted-NAME-STEPSxBATCH-WARMUP.safetensors`, trained
    unless there; a run broken off goes on.
    """
    run = _run(options)
    path: Path = (
        options.models
        / f"weighted-{name}-{run['steps']}x{run['batch']}-{run['kl_warmup']}.safetensors"
    )
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        every = max(1, options.steps // 20)
        warmup = min(200, options.steps // 10)
        recipe = LatentRecipe(
            MODEL,
            seed,
            options.steps,
            options.batch,
            warmup_steps=warmup,
            training=SETTINGS[name],
            validate_every=every,
        )
        fit, validation, _ = images(options.data)
        checkpoint = path.with_suffix(".checkpoint")
        recipe, group = replace(recipe, kl_warmup_steps=run["kl_warmup"]), runs.group(options)
        data = latent_run.run(
            fit,
            validation,
            recipe,
            checkpoint,
            lambda row: print(name, row, flush=True),
            group=group,
        )
        atomic_write(path, data)
        checkpoint.unlink(missing_ok=True)
    return path
