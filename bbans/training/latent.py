"""Recipes of latent models and their loss: likelihood + beta KL with one sample of z per item, in
bits.

Algorithm 1 of Kingma and Welling 2014 (arXiv:1312.6114) for every family of `training.terms`; for
Gaussian latents a recipe may name another bound of `training.registry`. Options that keep latents
active: KL warm-up (Bowman et al. 2016, arXiv:1511.06349), beta (Higgins et al. 2017), free bits
(Kingma et al. 2016, arXiv:1606.04934). They change the loss only; every reported rate is the ELBO
at beta 1.
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
from bbans.schemes.sampling import SEED_STRIDE
from bbans.training import objectives
from bbans.training.terms import Terms, Trainable, Training, Weighted, draws

COSINE, LINEAR = "cosine", "linear"
# a latent is active if Var_x E_q[z | x] exceeds this (Burda et al. 2016, arXiv:1509.00519)
ACTIVE = 0.01


class Samples(NamedTuple):
    """Items to train on: x integers `(N, dims)`, and labels int `(N,)`, other side information `(N,
    conditioning)`, or None.
    """

    x: NDArray[np.integer]
    labels: NDArray[np.integer] | None = None


@dataclass(frozen=True)
class LatentRecipe:
    """The settings of a training run. Equal recipe, data and torch version give equal weights, up
    to float rounding.

    Examples:
        >>> LatentRecipe(steps=100).decay
        'cosine'
    """

    model: Any = field(default_factory=VaeConfig)
    seed: int = 0
    steps: int = 20000
    batch: int = 100
    learning_rate: float = 1e-3
    warmup_steps: int = 200
    # decay of the learning rate to zero: cosine, or linear over the last decay_fraction of a run
    decay: str = COSINE
    decay_fraction: float = 0.4
    clip_norm: float = 200.0  # largest norm of the gradient, of bits per item
    weight_decay: float = 0.0
    # decay of the moving average of the weights per step; 0: no average
    average: float = 0.999
    kl_warmup_steps: int = 0
    beta: float = 1.0
    free_bits: float = 0.0  # bits; a latent's mean KL below this adds nothing to the gradient
    latent_dropout: float = 0.0  # share of items with default latents, as at a message's start
    training: Training = field(default_factory=Training)
    validate_every: int = 500
    patience: int = 0  # validations without improvement before training stops; 0: unlimited


def learning_rate(recipe: LatentRecipe, step: int) -> float:
    """Return the learning rate of a step: warm-up, then cosine decay, or a plateau and linear
    decay, to zero at `recipe.steps`.

    Examples:
        >>> learning_rate(LatentRecipe(), 20000)
        0.0
    """
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
    """likelihood + beta sum_j max(free_bits, KL_j) + surrogate: return it in bits, a mean over
    items `()`; KL_j is the mean of latent j.

    `mean` `(latents,)` is KL over the whole batch, where the items are one process's share: it
    decides which latents are free.

    Examples:
        >>> one = torch.ones(2)
        >>> loss(Terms(one, one[:, None], one, torch.tensor(0.0)), beta=0.5).item()
        1.5
    """
    divergence = terms.divergence.mean(0)
    if free_bits > 0:
        divergence = torch.where(
            (divergence if mean is None else mean) > free_bits, divergence, free_bits
        )
    return terms.likelihood.mean() + beta * divergence.sum() + terms.surrogate


@torch.no_grad()
def rates(net: Trainable, data: Samples, seed: int = 0, batch: int = 500) -> dict[str, float]:
    """Measure the ELBO with one sample of z per item: its three terms and their sum in bits per
    dimension, and the number of active latents.

    Keys: prior, likelihood, posterior, rate = prior + likelihood - posterior, active. A latent is
    active if Var_x E_q[z | x] exceeds ACTIVE (Burda et al. 2016, arXiv:1509.00519).

    Examples:
        >>> from bbans.training.networks.vae import VaeNet
        >>> net = VaeNet(VaeConfig(height=2, width=2, latents=(3,)))
        >>> list(rates(net, Samples(np.zeros((5, 4), np.uint8))))
        ['prior', 'likelihood', 'posterior', 'rate', 'active']
    """
    totals, count = np.zeros(3), 0
    means = []
    device = next(net.parameters()).device  # type: ignore[attr-defined]
    for first in range(0, len(data.x), batch):
        x, labels = tensors(data, slice(first, first + batch), device)
        terms = net.terms(x, labels, torch.Generator().manual_seed(seed * SEED_STRIDE + first))
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
    """Return minus the objective in bits per dimension, which selects the best weights where the
    objective is another bound than the ELBO.

    Examples:
        >>> from bbans.training.networks.vae import VaeNet
        >>> options = Training(objective="iwae", particles=2)
        >>> net = VaeNet(VaeConfig(height=2, width=2, latents=(3,)), options)
        >>> bound(net, Samples(np.zeros((5, 4), np.uint8)), options) > 0
        True
    """
    total = 0.0
    device = next(net.parameters()).device  # type: ignore[attr-defined]
    for first in range(0, len(data.x), batch):
        x, labels = tensors(data, slice(first, first + batch), device)
        source = draws(torch.Generator().manual_seed(seed * SEED_STRIDE + first), len(x))
        total -= float(
            objectives.bounds(
                training, objectives.weights(net, x, labels, source, training.particles).logs()
            ).model.sum()
        )
    return total / data.x.size


def tensors(
    data: Samples, rows: Any, device: torch.device | str = "cpu"
) -> tuple[Tensor, Tensor | None]:
    """Return rows of x, and of labels if there are any, as int64 tensors on a device.

    Examples:
        >>> tensors(Samples(np.zeros((5, 4), np.uint8)), slice(2))[0].shape
        torch.Size([2, 4])
    """
    x = torch.from_numpy(data.x[rows].astype(np.int64)).to(device)
    return x, None if data.labels is None else torch.from_numpy(
        data.labels[rows].astype(np.int64)
    ).to(device)
