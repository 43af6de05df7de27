"""Row: gradient estimators on binarised MNIST, VAEs of 200 bits a layer with linear maps (Grathwohl
et al. 2018, arXiv:1711.00123).

python -m benchmarks.tables.relax ../shared/data --steps 50000 python -m benchmarks.tables.relax
../shared/data --steps 100 --seeds 1 --results folder          for a quick look

A run that is in the results is not done again: a table that was broken off goes on, and more seeds
come to those that are there.

Each model is trained by each estimator from each seed. `train` is the best objective of the
training batches between two reports, as in the published table, which names training objectives;
`test` and `net` are the rates on the test set, nats an image, of the exact model of the weights
that were best on a part of the training set. The curve has the objective and the log of the summed
variance of the gradient of bits an image by q's parameters at each report: of noise alone, for one
fixed batch. What is published comes from longer runs and another binarisation.
"""

import argparse
import copy
import itertools
import math
import time
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from bbans.exact.torch_ops import torch_ops
from bbans.models.bernoulli_vae import BernoulliVaeConfig
from bbans.models.registry import FAMILIES, family_name
from bbans.schemes.bounds import ideal_bits
from bbans.training import discrete
from bbans.training.distributed import Processes
from bbans.training.estimators.control import Control
from bbans.training.latent import LINEAR, LatentRecipe, Samples
from bbans.training.latent_task import train
from bbans.training.networks.families import export
from bbans.training.terms import CONCRETE, MUPROP, NVIL, REBAR, RELAX, Draws, Training
from benchmarks.tables import rows, runs, sets

NAME = "relax"
ESTIMATORS = (CONCRETE, NVIL, MUPROP, REBAR, RELAX)
MODELS = {
    "one layer": BernoulliVaeConfig(latents=(200,)),
    "two layers": BernoulliVaeConfig(latents=(200, 200)),
}
# nats, training objectives, as the lecture prints them of arXiv:1711.00123
PUBLISHED = {
    "one layer": {CONCRETE: -111.3, NVIL: -112.5, MUPROP: -111.7, REBAR: -111.6, RELAX: -111.20},
    "two layers": {CONCRETE: -99.62, NVIL: -99.6, MUPROP: -99.07, REBAR: -98.22, RELAX: -98.00},
}
REPORTS, VARIANCE_DRAWS, TEST_ITEMS, VALIDATION, BATCH = 40, 20, 1000, 500, 100


def gradient_variance(
    net: nn.Module, control: Control, training: Training, x: Tensor, draws: int = VARIANCE_DRAWS
) -> float:
    """log of the variance of the gradient by q's parameters, summed over them: of the noise of the
    estimator, for a batch x.
    """
    control = copy.deepcopy(control)  # it would learn from these draws
    parameters = [p for name, p in net.named_parameters() if name.startswith("nets.posterior")]
    found = []
    for seed in range(draws):
        source = Draws(torch.Generator(x.device).manual_seed(seed), len(x))
        terms = discrete.terms(net, control, training, x, None, source, None, 1.0)
        loss = terms.likelihood.mean() + terms.divergence.sum(1).mean() + terms.surrogate
        found.append(torch.cat([g.flatten() for g in torch.autograd.grad(loss, parameters)]))
    return float(torch.log(torch.stack(found).var(0).sum()))


def measured(
    recipe: LatentRecipe, group: Processes, training: Samples, validation: Samples, test: Samples
) -> dict[str, Any]:
    """One run: its best training objective, its test and net rates in nats an image, and its
    curve.
    """
    fixed = torch.from_numpy(training.x[:BATCH].astype(np.int64)).to(group.device)
    nats = training.x.shape[1] * math.log(2)

    def measure(net: nn.Module, control: Control) -> dict[str, float]:
        return {"log_variance": gradient_variance(net, control, recipe.training, fixed)}

    start = time.monotonic()
    net, history = train(training, validation, recipe, measure=measure, group=group)
    family = FAMILIES[family_name(recipe.model)]
    chain = family.network(recipe.model, export(net.to("cpu")), torch_ops())
    x = test.x.astype(np.int64)
    ideal = ideal_bits(chain, x, 16).total
    batches = [x[first : first + 5] for first in range(0, len(x), 5)]
    net_found = sum(rows.clean_net_bits((chain, part) for part in batches)) / len(x)
    curve = {
        "step": [row["step"] for row in history],
        "train": [round(-nats * row["train_rate"], 3) for row in history],
        "log_variance": [round(row["log_variance"], 3) for row in history],
    }
    return {
        "train": max(curve["train"]),
        "test": -math.log(2) * float(ideal.mean()),
        "net": -math.log(2) * net_found,
        "curve": curve,
        "seconds": round(time.monotonic() - start, 1),
    }


def recipe_of(model: BernoulliVaeConfig, estimator: str, seed: int, steps: int) -> LatentRecipe:
    """Adam at 1e-3 on batches of 100, without KL warm-up: every step is on the objective itself."""
    every = max(1, steps // REPORTS)
    return LatentRecipe(
        model,
        seed,
        steps,
        BATCH,
        1e-3,
        decay=LINEAR,
        validate_every=every,
        training=Training(estimator),
    )


def table(data: tuple[Samples, Samples, Samples], options: argparse.Namespace) -> dict[str, Any]:
    """Every seed, model and estimator, by model, estimator and seed."""
    jobs, group = list[runs.Job](), runs.group(options)
    for seed, name, estimator in itertools.product(
        range(options.seeds), options.which, options.estimators
    ):
        recipe = recipe_of(
            replace(MODELS[name], height=options.height, width=options.width),
            estimator,
            seed,
            options.steps,
        )
        jobs.append(((name, estimator, str(seed)), partial(measured, recipe, group, *data)))
    settings = {"steps": options.steps, "batch": BATCH, "test_images": len(data[2].x)}
    return runs.grow(
        NAME,
        settings,
        {"data": "binarised MNIST, nats an image", "published": PUBLISHED},
        jobs,
        options,
    )


def main() -> None:
    """See the module's docstring."""
    parser = runs.parser(__doc__, MODELS, seeds=3)
    parser.add_argument("--estimators", nargs="+", choices=ESTIMATORS, default=list(ESTIMATORS))
    options = parser.parse_args()
    table(sets.binarised_samples(options.data, VALIDATION, TEST_ITEMS), options)


if __name__ == "__main__":
    main()
