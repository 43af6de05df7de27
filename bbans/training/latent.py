"""Recipes of latent models, and what is minimised: likelihood + beta KL of one sample of z an item,
in bits per dimension.

Algorithm 1 of Kingma and Welling 2014 (arXiv:1312.6114) for every family of `training.terms`; a
recipe may name another bound of `training.registry`, for families of Gaussian latents. What keeps
latents in use: KL warm-up (Bowman et al. 2016, arXiv:1511.06349), beta (Higgins et al. 2017), free
bits (Kingma et al. 2016, arXiv:1606.04934). They act on the loss only; every rate reported is the
ELBO at beta 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bbans.models.vae import VaeConfig
from bbans.training import objectives
from bbans.training.terms import Terms, Trainable, Training, Weighted, draws

COSINE, LINEAR = "cosine", "linear"
ACTIVE = (
    0.01  # a unit is active when Var_x E_q[z | x] passes this (Burda et al. 2016, arXiv:1509.00519)
)


class Samples(NamedTuple):
    """x integers `(N, dims)`, labels int `(N,)`, or `(N, told)` of what else is given with x, or
    None.
    """

    x: NDArray[np.integer]
    labels: NDArray[np.integer] | None = None


@dataclass(frozen=True)
class LatentRecipe:
    """A training run. Same recipe, data and torch version: same weights up to float rounding."""

    model: Any = field(default_factory=VaeConfig)
    seed: int = 0
    steps: int = 20000
    batch: int = 100
    learning_rate: float = 1e-3
    warmup_steps: int = 200
    decay: str = (
        COSINE  # of the learning rate to zero: cosine, or linear over the last decay_fraction
    )
    decay_fraction: float = 0.4
    clip_norm: float = 200.0  # of the gradient of bits an item
    weight_decay: float = 0.0
    # share of the old weights that the averaged ones keep at each step; 0: none are averaged
    average: float = 0.999
    kl_warmup_steps: int = 0
    beta: float = 1.0
    free_bits: float = 0.0  # a latent's mean KL below this is not trained on, bits
    latent_dropout: float = 0.0  # items with idle latents, so that the first of a message cost less
    training: Training = field(default_factory=Training)
    validate_every: int = 500
    patience: int = 0  # validations without a better rate after which training stops; 0: never


def learning_rate(recipe: LatentRecipe, step: int) -> float:
    """Warm-up, then cosine or a plateau with linear decay, to zero at `recipe.steps`."""
    warm = (step + 1) / max(1, recipe.warmup_steps)
    if recipe.decay == COSINE:
        return (
            recipe.learning_rate
            * min(1.0, warm)
            * 0.5
            * (1 + math.cos(math.pi * step / recipe.steps))
        )
    decay = max(1, round(recipe.steps * recipe.decay_fraction))
    return recipe.learning_rate * min(1.0, warm, (recipe.steps - step) / decay)


def loss(terms: Terms, beta: float, free_bits: float = 0.0, mean: Tensor | None = None) -> Tensor:
    """likelihood + beta sum_j max(free_bits, KL_j) + surrogate, a mean over items, in bits; KL_j is
    latent j's mean.

    `mean` is KL over the whole batch where the items are one process's share of it: it decides
    which are free.
    """
    divergence = terms.divergence.mean(0)
    if free_bits > 0:
        divergence = torch.where(
            (divergence if mean is None else mean) > free_bits, divergence, free_bits
        )
    return terms.likelihood.mean() + beta * divergence.sum() + terms.surrogate


@torch.no_grad()
def rates(net: Trainable, data: Samples, seed: int = 0, batch: int = 500) -> dict[str, float]:
    """The ELBO's three terms and their sum in bits per dimension, one sample an item, and the
    number of active latents.
    """
    totals, count = np.zeros(3), 0
    means = []
    device = next(net.parameters()).device  # type: ignore[attr-defined]
    for first in range(0, len(data.x), batch):
        x, labels = tensors(data, slice(first, first + batch), device)
        terms = net.terms(x, labels, torch.Generator().manual_seed(seed * 1_000_003 + first))
        totals += [
            float(part.sum())
            for part in (terms.prior, terms.likelihood, terms.prior - terms.divergence.sum(1))
        ]
        count += x.numel()
        means.append(net.means(x, labels))
    prior, likelihood, posterior = (float(total) / count for total in totals)
    active = int((torch.cat(means).var(0, unbiased=False) > ACTIVE).sum())
    return {
        "prior": prior,
        "likelihood": likelihood,
        "posterior": posterior,
        "rate": prior + likelihood - posterior,
        "active": active,
    }


@torch.no_grad()
def bound(
    net: Weighted, data: Samples, training: Training, seed: int = 0, batch: int = 500
) -> float:
    """Minus the objective in bits per dimension: what the model is judged by where it is trained on
    another bound than the ELBO.
    """
    total = 0.0
    device = next(net.parameters()).device  # type: ignore[attr-defined]
    for first in range(0, len(data.x), batch):
        x, labels = tensors(data, slice(first, first + batch), device)
        source = draws(torch.Generator().manual_seed(seed * 1_000_003 + first), len(x))
        total -= float(
            objectives.of(
                training, objectives.weights(net, x, labels, source, training.particles).logs()
            ).model.sum()
        )
    return total / data.x.size


def tensors(
    data: Samples, rows: Any, device: torch.device | str = "cpu"
) -> tuple[Tensor, Tensor | None]:
    """Rows of the data as int64 tensors."""
    x = torch.from_numpy(data.x[rows].astype(np.int64)).to(device)
    return x, None if data.labels is None else torch.from_numpy(
        data.labels[rows].astype(np.int64)
    ).to(device)
