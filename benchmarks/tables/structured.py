"""Row: structured prediction, the bottom half of binarised MNIST given the top half (Maddison, Mnih
and Teh 2017, arXiv:1611.00712).

python -m benchmarks.tables.structured ../shared/data --steps 50000 python -m
benchmarks.tables.structured ../shared/data --steps 100 --seeds 1 --results folder     for a quick
look

A run that is in the results is not done again: a table that was broken off goes on, and more seeds
come to those that are there.

Networks of two and three layers of 240 bits with linear maps, trained on L_m = E log (1/m) sum_i
p(x | z_i), z_i from the prior given the top half, by Concrete (relaxed in training, bits here) and
by VIMCO; with m = 1, where VIMCO has no other sample, by NVIL. `test` and `train` are -L_m of the
exact model in nats, `net` what the coder's message grows by for an image, which is -L_1. The
lecture that prints the table concludes that Concrete outperforms; its own figures say so of
training and of m = 1 and 5, while VIMCO is better on the test set at m = 50.
"""

import argparse
import itertools
import math
import time
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from bbans.exact.torch_ops import torch_ops
from bbans.models.registry import FAMILIES, family_name
from bbans.models.structured import StructuredConfig
from bbans.schemes.bounds import ideal_bits, importance_weighted_bits
from bbans.training.distributed import Processes
from bbans.training.latent import LINEAR, LatentRecipe, Samples
from bbans.training.latent_run import conditioned
from bbans.training.latent_task import train
from bbans.training.networks.families import export
from bbans.training.terms import CONCRETE, NVIL, VIMCO, Training
from benchmarks.tables import rows, runs, sets

NAME = "structured"
MODELS = {
    "two layers": StructuredConfig(latents=(240, 240)),
    "three layers": StructuredConfig(latents=(240, 240, 240)),
}
SAMPLES = (1, 5, 50)
# nats, by m, as the lecture prints them of arXiv:1611.00712
PUBLISHED = {
    "two layers": {
        "test": {CONCRETE: [58.5, 54.3, 53.4], VIMCO: [61.4, 54.5, 51.8]},
        "train": {CONCRETE: [54.2, 49.2, 48.2], VIMCO: [59.3, 52.7, 49.6]},
    },
    "three layers": {
        "test": {CONCRETE: [56.3, 52.7, 52.0], VIMCO: [59.7, 53.5, 50.2]},
        "train": {CONCRETE: [51.6, 46.9, 45.9], VIMCO: [58.4, 51.6, 47.9]},
    },
}
ITEMS, VALIDATION, BATCH = 1000, 500, 100


def training_of(estimator: str, m: int) -> Training:
    """The estimator of the column, of m samples."""
    return Training(NVIL) if estimator == VIMCO and m == 1 else Training(estimator, particles=m)


def bound(chain: Any, data: Samples, m: int) -> float:
    """-L_m of the exact model, nats an image."""
    assert data.labels is not None
    x, told = data.x.astype(np.int64), data.labels

    def given(items: slice) -> Any:
        return chain.given(told[items])

    found = ideal_bits(given, x, 16).total if m == 1 else importance_weighted_bits(given, x, m, 0)
    return math.log(2) * float(found.mean())


def measured(
    recipe: LatentRecipe,
    group: Processes,
    m: int,
    training: Samples,
    validation: Samples,
    test: Samples,
) -> dict[str, float]:
    """One run: -L_m on the test set and on as many training images, and the net rate of the test
    set, nats an image.
    """
    start = time.monotonic()
    net, _ = train(training, validation, recipe, group=group)
    chain: Any = FAMILIES[family_name(recipe.model)].network(
        recipe.model, export(net.to("cpu")), torch_ops()
    )
    assert training.labels is not None and test.labels is not None
    seen = Samples(training.x[: len(test.x)], training.labels[: len(test.x)])
    parts = [slice(first, first + 5) for first in range(0, len(test.x), 5)]
    pairs = ((chain.given(test.labels[part]), test.x[part].astype(np.int64)) for part in parts)
    net_nats = math.log(2) * sum(rows.clean_net_bits(pairs)) / len(test.x)
    found = {
        "test": bound(chain, test, m),
        "train": bound(chain, seen, m),
        "test_1": bound(chain, test, 1),
        "net": net_nats,
    }
    return {**found, "seconds": round(time.monotonic() - start, 1)}


def table(sets_of: tuple[Samples, Samples, Samples], options: argparse.Namespace) -> dict[str, Any]:
    """Every seed, model, estimator and m, by name, estimator, m and seed; the sets hold whole
    images.
    """
    size = {"height": options.height, "width": options.width, "condition": options.height // 2}
    every = max(1, options.steps // 10)
    jobs, group = list[runs.Job](), runs.group(options)
    for seed, name, estimator, m in itertools.product(
        range(options.seeds), options.which, (CONCRETE, VIMCO), options.samples
    ):
        model, training = replace(MODELS[name], **size), training_of(estimator, m)
        recipe = LatentRecipe(
            model,
            seed,
            options.steps,
            BATCH,
            1e-3,
            decay=LINEAR,
            validate_every=every,
            training=training,
        )
        jobs.append(
            (
                (name, estimator, str(m), str(seed)),
                partial(
                    measured, recipe, group, m, *(conditioned(model, part) for part in sets_of)
                ),
            )
        )
    settings = {"steps": options.steps, "batch": BATCH, "test_images": len(sets_of[2].x)}
    return runs.grow(
        NAME,
        settings,
        {"data": "binarised MNIST, nats for half an image", "published": PUBLISHED},
        jobs,
        options,
    )


def main() -> None:
    """See the module's docstring."""
    parser = runs.parser(__doc__, MODELS, seeds=1)
    parser.add_argument("--samples", nargs="+", type=int, default=SAMPLES, help="m")
    options = parser.parse_args()
    table(sets.binarised_samples(options.data, VALIDATION, ITEMS), options)


if __name__ == "__main__":
    main()
