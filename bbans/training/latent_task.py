"""Train a latent model with AdamW, and keep the best of the averaged weights.

All randomness is a function of the recipe's seed and the step number. Several processes may share
each batch.
"""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from bbans.errors import InputError
from bbans.images import content_hash
from bbans.schemes.sampling import SEED_STRIDE
from bbans.training import discrete, discrete_bounds, distributed, guarded, objectives
from bbans.training.distributed import ALONE, Processes
from bbans.training.estimators.control import Control
from bbans.training.latent import LatentRecipe, Samples, bound, learning_rate, loss, rates, tensors
from bbans.training.loop import Plan, Report, run, silent
from bbans.training.networks.families import float_network, trains
from bbans.training.passes import Passes
from bbans.training.terms import Draws


def train(
    training: Samples,
    validation: Samples,
    recipe: LatentRecipe,
    checkpoint: Path | None = None,
    report: Report = silent,
    checkpoint_seconds: float = 120.0,
    group: Processes = ALONE,
    measure: Callable[[nn.Module, Control], dict[str, float]] = lambda net, control: {},
) -> tuple[nn.Module, list[dict[str, float]]]:
    """Train, resuming from `checkpoint` when it exists.

    Returns the network with the best validation rate, and all reports. A report has step,
    train_rate, learning_rate and seconds; with validation data also the values of `rates` and, for
    other objectives or estimators, the bound that is trained (`bound`, `discrete_bounds.measured`),
    which then selects the best weights. `measure` adds values that it computes from the network in
    training and the estimator's parameters, without changing them. All processes of a `group` call
    this; only the first has the result. Raises InputError on a checkpoint of another run, and on
    settings that the model does not support.

    Examples:
        >>> import numpy as np
        >>> from bbans.models.vae import VaeConfig
        >>> data = Samples(np.zeros((8, 4), np.uint8))
        >>> recipe = LatentRecipe(VaeConfig(2, 2, hidden=4, latents=(3,)), steps=2, batch=4)
        >>> len(train(data, data, recipe)[1])
        1
    """
    task = LatentTask(training, validation, recipe, group, measure)
    plan = Plan(recipe.steps, recipe.validate_every, checkpoint_seconds)
    history = run(task, plan, checkpoint, report, group)
    return task.best_network(), history


class LatentTask:
    """A latent model in training: a `loop.Task`."""

    rate_name = "train_rate"

    def __init__(
        self,
        training: Samples,
        validation: Samples,
        recipe: LatentRecipe,
        group: Processes = ALONE,
        measure: Callable[[nn.Module, Control], dict[str, float]] = lambda net, control: {},
    ) -> None:
        discrete.check(recipe.training, recipe.model, recipe.free_bits)
        objectives.check(recipe.training, recipe.free_bits, trains(recipe.model))
        torch.manual_seed(recipe.seed)
        self.recipe, self.group, self.learning_rate = recipe, group, 0.0
        self._validation, self._extra_measure = validation, measure
        self.net = float_network(recipe.model, recipe.training).to(group.device)
        self.control = Control(self.net, recipe.training).to(group.device)
        self.averaged = copy.deepcopy(self.net).eval()
        self._best = copy.deepcopy(self.net.state_dict())
        self._stale, self._lowest = 0, math.inf
        self.optimiser = torch.optim.AdamW(
            [{"params": self.net.parameters(), "factor": 1.0}, *self.control.groups()],
            recipe.learning_rate,
            weight_decay=recipe.weight_decay,
            fused=True if group.device.type == "cuda" else None,
        )
        self.batches = Passes(training.x, training.labels, recipe.seed, recipe.batch, group.device)
        self._identity = _identity(recipe, training)

    def descend(self, step: int, passed: float | None) -> Tensor:
        """Take one step of gradient descent; return the batch's rate in bits per dimension, `()` on
        the device.
        """
        self.learning_rate = learning_rate(self.recipe, step)
        for parameters in self.optimiser.param_groups:
            parameters["lr"] = self.learning_rate * parameters["factor"]
        return descend(
            self.net,
            self.control,
            self.averaged,
            self.optimiser,
            self.batches,
            self.recipe,
            step,
            self.group,
        )

    def measure(self) -> dict[str, float]:
        """Return the ELBO and its terms on the validation data, and the bound that the recipe
        trains.
        """
        net, data, training = self.averaged, self._validation, self.recipe.training
        row: dict[str, float] = {}
        if len(data.x):
            row |= rates(net, data)  # type: ignore[arg-type]
            if not training.own_terms:
                row["bound"] = bound(net, data, training)  # type: ignore[arg-type]
            if training.bounded:
                row |= discrete_bounds.measured(
                    net, *tensors(data, slice(None), self.group.device), training
                )
        return row | self._extra_measure(self.net, self.control)

    def judge(self, row: dict[str, float]) -> None:
        """Keep the averaged weights with the lowest bound or rate; without validation data, the
        last ones.
        """
        judged = distributed.from_first(self.group, row.get("bound", row.get("rate", -row["step"])))
        self._stale += 1
        if judged < self._lowest:
            self._lowest, self._stale = judged, 0
            self._best = copy.deepcopy(self.averaged.state_dict())

    def stale(self, step: int) -> bool:
        """Whether `patience` validations in a row brought no improvement; never during KL warm-
        up.
        """
        patience = self.recipe.patience
        return 0 < patience <= self._stale and step >= self.recipe.kl_warmup_steps

    def state(self) -> dict[str, Any]:
        """Return weights, optimiser moments and the values that select the best weights."""
        return {
            "net": self.net.state_dict(),
            "control": self.control.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "best": self._best,
            "stale": self._stale,
            "lowest": self._lowest,
            "identity": self._identity,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from a checkpoint. Raises InputError if it is of another run."""
        if state.get("identity") != self._identity:
            raise InputError("it is of another recipe or other images; delete it or name another")
        self.net.load_state_dict(state["net"])
        self.control.load_state_dict(state["control"])
        self.averaged.load_state_dict(state["averaged"])
        self.optimiser.load_state_dict(state["optimiser"])
        self._best, self._stale, self._lowest = (state[n] for n in ("best", "stale", "lowest"))

    def best_network(self) -> nn.Module:
        """Return the network with the best weights."""
        self.averaged.load_state_dict(self._best)
        return self.averaged


def _identity(recipe: LatentRecipe, training: Samples) -> str:
    """Return a text that is equal for runs which may share a checkpoint: recipe and hashes of the
    data.
    """
    labels = "" if training.labels is None else content_hash(training.labels)
    return json.dumps([asdict(recipe), content_hash(training.x), labels], sort_keys=True)


def descend(
    net: nn.Module,
    control: Control,
    averaged: nn.Module,
    optimiser: torch.optim.Optimizer,
    batches: Passes,
    recipe: LatentRecipe,
    step: int,
    group: Processes = ALONE,
) -> Tensor:
    """Take one step of gradient descent; return the batch's rate, minus the objective at beta 1, in
    bits per dimension, float64 `()` on the device.

    Noise is generated on the device, the same in all processes.

    Examples:
        >>> import numpy as np
        >>> from bbans.models.vae import VaeConfig
        >>> data, recipe = Samples(np.zeros((8, 4), np.uint8)), LatentRecipe(VaeConfig(2, 2))
        >>> task = LatentTask(data, data, recipe)
        >>> parts = task.net, task.control, task.averaged, task.optimiser, task.batches
        >>> descend(*parts, recipe, step=0).shape
        torch.Size([])
    """
    items, ours = batches.items, distributed.share(group, batches.items)
    x, labels = batches.batch(step, ours)
    generator = torch.Generator(group.device).manual_seed(recipe.seed * SEED_STRIDE + step)
    dropped = (
        torch.rand(items, generator=generator, device=group.device) < recipe.latent_dropout
        if recipe.latent_dropout
        else None
    )
    source = Draws(generator, items, ours.start, partial(distributed.total, group))
    drop = None if dropped is None else dropped[ours]
    beta = recipe.beta * min(1.0, (step + 1) / max(1, recipe.kl_warmup_steps))
    optimiser.zero_grad()
    if recipe.training.own_terms:
        terms = discrete.terms(net, control, recipe.training, x, labels, source, drop, beta)
        mean = (
            distributed.total(group, terms.divergence.sum(0)) / items if recipe.free_bits else None
        )
        weighted = loss(terms, beta, recipe.free_bits, mean) * (len(x) / items)
        weighted.backward()  # type: ignore[no-untyped-call]
        bits = terms.likelihood + terms.divergence.sum(1)
    else:
        log_weights = objectives.weights(net, x, labels, source, recipe.training.particles, drop)  # type: ignore[arg-type]
        objectives.backward(
            net, objectives.bounds(recipe.training, log_weights.logs(beta)), len(x) / items
        )
        bits = -objectives.bounds(recipe.training, log_weights.logs().detach()).model
    distributed.sum_gradients(group, [*net.parameters(), *control.parameters()])
    guarded.clip(net.parameters(), recipe.clip_norm, control.parameters())
    optimiser.step()
    keep = min(recipe.average, (step + 1) / (step + 10))
    with torch.no_grad():
        for old, new in zip(averaged.parameters(), net.parameters(), strict=True):
            old.lerp_(new, 1 - keep)
        for kept, buffer in zip(averaged.buffers(), net.buffers(), strict=True):
            kept.copy_(buffer)
    return distributed.total(group, bits.sum()).double() / (items * x.shape[1])
