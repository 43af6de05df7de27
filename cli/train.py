"""`bbans train`: training of a model on images."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click

import bbans
from bbans.training.registry import OBJECTIVES

from .checks import check_outputs
from .options import OutputPath, RowChoice, force_option, quiet_option, shape_option, threads_option
from .run import say

REPORTED = ("step", "rate", "likelihood", "prior", "posterior", "train_rate", "active", "seconds")


@click.command()
@click.argument("images", type=click.Path(exists=True, readable=False))
@click.option(
    "-o",
    "--output",
    required=True,
    type=OutputPath(dir_okay=False),
    help="The model to write (.safetensors).",
)
@click.option(
    "--recipe",
    type=click.Path(exists=True, dir_okay=False),
    help="Settings of the model and its training (TOML).",
)
@shape_option
@click.option(
    "--labels",
    type=click.Path(exists=True, dir_okay=False),
    help="An integer an image (.npy, idx): a conditional model.",
)
@click.option(
    "--latents",
    type=click.Choice(["bernoulli", "categorical"]),
    help="A VAE of such latents, instead of a recipe.",
)
@click.option(
    "--estimator",
    metavar="NAME",
    help="Of gradients through such latents: relax, rebar, muprop, nvil, vimco, concrete, ...; "
    "lax, through Gaussian ones.",
)
@click.option("--seed", type=click.IntRange(min=0), metavar="N", help="Instead of the recipe's.")
@click.option(
    "--steps",
    type=click.IntRange(min=1),
    metavar="N",
    help="Instead of the recipe's; its schedule is stretched.",
)
@click.option(
    "--minutes",
    type=click.FloatRange(min=0, min_open=True),
    metavar="M",
    help="How long a photograph model trains, instead of steps; a resumed run counts on.",
)
@click.option(
    "--objective",
    type=RowChoice(lambda: OBJECTIVES),
    help="The bound that a latent chain is trained on.",
)
@click.option(
    "--particles",
    type=click.IntRange(1, 4096),
    metavar="K",
    help="Draws of the latents an image, of another bound than elbo or of vimco.",
)
@click.option(
    "--posterior",
    type=click.Choice(["gaussian", "mixture", "flow", "coupling", "semi-implicit", "planar"]),
    help="What q(z | x) of a dense VAE is; planar trains in floats only. Default: gaussian.",
)
@click.option(
    "--checkpoint",
    type=OutputPath(dir_okay=False),
    help="Save the training's state here, and go on from it if it is there.",
)
@click.option(
    "--float-weights",
    type=OutputPath(dir_okay=False),
    help="Write the float weights as well, for a later recipe's `init`.",
)
@click.option(
    "--tensorboard",
    type=OutputPath(file_okay=False),
    metavar="DIR",
    help="Write logs for TensorBoard here.",
)
@click.option("--device", type=click.Choice(["cpu", "cuda"]), help="Where to train. Default: cpu.")
@force_option
@threads_option
@quiet_option
def train(
    images: str,
    output: str,
    recipe: str | None,
    shape: tuple[int, int] | None,
    labels: str | None,
    latents: str | None,
    estimator: str | None,
    seed: int | None,
    steps: int | None,
    minutes: float | None,
    objective: str | None,
    particles: int | None,
    posterior: str | None,
    checkpoint: str | None,
    float_weights: str | None,
    tensorboard: str | None,
    device: str | None,
    force: bool,
    threads: int | None,
    quiet: bool,
) -> int:
    """Train a model on IMAGES: a folder, .npy, .npz or idx file.

    Small images of one shape get a latent chain, for `archive create --model`; photographs a model
    for `compress --model`.
    """
    inputs = [name for name in (images, recipe, labels) if name is not None]
    check_outputs((output, float_weights), inputs, force)
    options = bbans.TrainOptions(
        recipe=_path(recipe),
        shape=shape,
        labels=_path(labels),
        latents=latents,
        estimator=estimator,
        seed=seed,
        steps=steps,
        minutes=minutes,
        objective=objective,
        particles=particles,
        posterior=posterior,
        checkpoint=_path(checkpoint),
        float_weights=_path(float_weights),
        tensorboard=_path(tensorboard),
        device=device,
        threads=threads,
    )
    bbans.train_model(
        Path(images),
        Path(output),
        options,
        report=(lambda row: None) if quiet else (lambda row: say(progress_line(row))),
        overwrite=force,
    )
    return 0


def _path(name: str | None) -> Path | None:
    return None if name is None else Path(name)


def progress_line(row: Mapping[str, float]) -> str:
    """Return a progress report as a line: the rate in bits per dimension and its three terms, or
    else all values by name.

    Examples:
        >>> progress_line({"step": 10, "loss": 1.5})
        'step 10  loss 1.5'
    """
    if not all(name in row for name in REPORTED):
        return "  ".join(f"{name} {value:g}" for name, value in row.items())
    terms = (
        f"likelihood {row['likelihood']:.4f} + prior {row['prior']:.4f} - posterior "
        f"{row['posterior']:.4f}"
    )
    progress = (
        f"training {row['train_rate']:.4f}, {row['active']:g} active latents, "
        f"{row['seconds']:.0f} s"
    )
    others = "".join(f", {name} {row[name]:.4f}" for name in ("relaxed", "bound") if name in row)
    return (
        f"step {row['step']:g}: {row['rate']:.4f} bits per dimension = {terms}{others}; {progress}"
    )
