"""Commands that examine a model: its rates on images, and pictures it makes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .checks import check_outputs
from .options import OutputPath, coding_options, force_option, model_option, shape_option
from .run import print_result, say_not_taken

if TYPE_CHECKING:
    from bbans.images import NotTaken

set_argument = click.argument("images", type=click.Path(exists=True, readable=False))
picture_option = click.option(
    "-o",
    "--output",
    required=True,
    type=OutputPath(dir_okay=False),
    help="The picture to write (PNG).",
)
seed_option = click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Other random draws. Default: 0.",
)
count_option = click.option(
    "-n",
    "--count",
    type=click.IntRange(min=1),
    default=16,
    metavar="N",
    help="How many. Default: 16.",
)


@click.command()
@set_argument
@model_option
@shape_option
@click.option(
    "-n", "--count", type=click.IntRange(min=1), metavar="N", help="Only the first N images."
)
@click.option(
    "--draws",
    type=click.IntRange(min=1),
    default=16,
    metavar="N",
    help="Draws of the latents for the ideal. Default: 16.",
)
@click.option(
    "--importance",
    type=click.IntRange(0, 5000),
    default=0,
    metavar="K",
    help="Also -log2 p(x) from K weighted draws, up to 5000.",
)
@coding_options(in_files=True)
@click.option(
    "--batch",
    type=click.IntRange(1, 256),
    metavar="N",
    help="Images pushed at once. Default: 1, or 1/200 of more than 500 images.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object, with every image in it.")
@click.option(
    "--csv",
    "table",
    type=OutputPath(dir_okay=False),
    help="Write a line for each image.",
)
@click.option(
    "--report",
    type=OutputPath(dir_okay=False),
    metavar="FILE",
    help="Write a page to look at (HTML): rates, images, heat maps.",
)
@seed_option
@force_option
def evaluate(
    images: str,
    model: str | None,
    shape: tuple[int, int] | None,
    count: int | None,
    draws: int,
    importance: int,
    scheme: str | None,
    particles: int | None,
    refine: int | None,
    batch: int | None,
    as_json: bool,
    table: str | None,
    report: str | None,
    seed: int,
    force: bool,
) -> int:
    """Measure a model on IMAGES in bits per dimension.

    IMAGES is a folder, one image, an .npy, .npz or idx file. Ideal is -ELBO, net what the coder's
    message grew by, total the files.
    """
    check_outputs((table, report), [images], force)
    from bbans.evaluation import evaluate as rates
    from bbans.evaluation import inputs

    not_taken: list[NotTaken] = []
    named = inputs.named_images(images, shape, count, not_taken)
    evaluation = rates.evaluate(
        named,
        model,
        draws=draws,
        importance_draws=importance,
        scheme=scheme,
        particles=particles,
        refine=refine,
        seed=seed,
        batch=batch,
    )
    print_result(json.dumps(evaluation.to_dict()) if as_json else "\n".join(evaluation.lines()))
    if table is not None:
        rates.save_table(evaluation, Path(table), overwrite=force)
    if report is not None:
        from bbans.evaluation import report as page

        page.save(page.gather(evaluation, named, model, seed=seed), Path(report), overwrite=force)
    return say_not_taken(not_taken)


@click.command()
@model_option
@click.option(
    "-n",
    "--count",
    type=click.IntRange(min=1),
    default=16,
    metavar="N",
    help="How many. Default: 16.",
)
@picture_option
@seed_option
@force_option
def sample(model: str | None, count: int, output: str, seed: int, force: bool) -> int:
    """Draw images from a model.

    Decoding random bits is sampling: what they decode to is laid out in a grid.
    """
    check_outputs([output], [], force)
    from bbans.evaluation import pictures

    pictures.save(
        pictures.grid(pictures.sample(model, count, seed=seed)), Path(output), overwrite=force
    )
    return 0


@click.command()
@set_argument
@model_option
@shape_option
@click.option(
    "-n",
    "--count",
    type=click.IntRange(min=1),
    default=16,
    metavar="N",
    help="The first N images. Default: 16.",
)
@picture_option
@seed_option
@force_option
def reconstruct(
    images: str,
    model: str | None,
    shape: tuple[int, int] | None,
    count: int,
    output: str,
    seed: int,
    force: bool,
) -> int:
    """Show what a model's latents keep of IMAGES.

    Originals above; below, the mean of what their latents decode to.
    """
    check_outputs([output], [images], force)
    from bbans.evaluation import inputs, pictures

    not_taken: list[NotTaken] = []
    named = inputs.named_images(images, shape, count, not_taken)
    pairs = pictures.beside(named, pictures.reconstruct(named, model, seed=seed), model)
    pictures.save(pictures.grid(pairs, len(named)), Path(output), overwrite=force)
    return say_not_taken(not_taken)


@click.command()
@set_argument
@model_option
@shape_option
@click.option(
    "--between",
    type=(int, int),
    default=(0, 1),
    metavar="I J",
    help="Positions of the two images. Default: the first two.",
)
@click.option(
    "--steps",
    type=click.IntRange(min=2),
    default=9,
    metavar="N",
    help="Pictures on the way. Default: 9.",
)
@picture_option
@seed_option
@force_option
def interpolate(
    images: str,
    model: str | None,
    shape: tuple[int, int] | None,
    between: tuple[int, int],
    steps: int,
    output: str,
    seed: int,
    force: bool,
) -> int:
    """Go from one image to another through latents.

    Pictures on the straight line between the latents of two of IMAGES, for VAEs with Gaussian
    latents.
    """
    check_outputs([output], [images], force)
    from bbans.evaluation import inputs, pictures

    not_taken: list[NotTaken] = []
    named = inputs.named_images(images, shape, max(between) + 1, not_taken)
    first, last = inputs.select(named, between)
    steps_between = pictures.interpolate(first, last, model, steps=steps, seed=seed)
    pictures.save(pictures.grid(steps_between, steps), Path(output), overwrite=force)
    return say_not_taken(not_taken)
