"""Train a photograph model with Adam, on crops of images that stay on the device."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bbans.training.crops import Image
from bbans.training.loop import REPORT_SECONDS, Plan, Report, run
from bbans.training.networks.photo import PhotoNet
from bbans.training.photographs import (
    Batches,
    Losses,
    PhotoRecipe,
    descend,
    holdout_rate,
    kl_weight,
    learning_rate,
    losses,
    optimiser_of,
)


def train(
    train_images: Sequence[Image],
    holdout_images: Sequence[Image],
    recipe: PhotoRecipe,
    checkpoint: Path,
    report: Report,
    checkpoint_seconds: float = 180.0,
    initial: Mapping[str, Tensor] | None = None,
    device: torch.device | None = None,
    *,
    seconds: float | None = None,
    allowance: float | None = None,
    report_seconds: float = REPORT_SECONDS,
    function: Losses = losses,
    compact: bool = False,
    measure: Callable[[PhotoNet], dict[str, float]] = lambda net: {},
) -> tuple[PhotoNet, list[dict[str, float]]]:
    """Train, resuming from `checkpoint` when it exists; return the network, on the CPU, and the
    reports (bits per subpixel).

    `initial` is a state of `PhotoNet` to start from instead of random weights; the optimiser starts
    afresh. `device` is where the network trains. `seconds` is a time budget for the whole run,
    including the time before the checkpoint: it overrides the recipe's steps, keeps the share of KL
    warm-up, and reports come every `report_seconds`. `allowance`: seconds after which this call
    returns, wherever the schedule is. `function` is `losses`, compiled or not; where a compiled one
    fails at the first step, training continues without it, with a RuntimeWarning. `compact` stores
    Adam's moments in 16 bits in checkpoints. `measure` adds values to a report that it computes
    from the network, without changing it.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> import numpy as np
        >>> from bbans.models.photo import PhotoConfig
        >>> small, images = PhotoConfig(channels=4, hidden=4), [np.zeros((20, 20, 3), np.uint8)]
        >>> recipe = PhotoRecipe(small, steps=2, batch=1, crop=16, levels=1)
        >>> with TemporaryDirectory() as folder:
        ...     len(train(images, [], recipe, Path(folder, "run"), lambda row: None)[1])
        1
    """
    task = PhotoTask(
        train_images, holdout_images, recipe, initial, device, function, compact, measure
    )
    plan = Plan(
        recipe.steps,
        recipe.holdout_every,
        checkpoint_seconds,
        seconds,
        report_seconds,
        math.inf if allowance is None else allowance,
    )
    history = run(task, plan, checkpoint, report)
    return task.net.to("cpu"), history


class PhotoTask:
    """A photograph model in training: a `loop.Task`.

    Examples:
        >>> import numpy as np
        >>> from bbans.models.photo import PhotoConfig
        >>> recipe = PhotoRecipe(PhotoConfig(channels=4, hidden=4), batch=1, crop=16, levels=1)
        >>> PhotoTask([np.zeros((16, 16, 3), np.uint8)], [], recipe).descend(0, None).shape
        torch.Size([])
    """

    rate_name = "train_bpsp"

    def __init__(
        self,
        train_images: Sequence[Image],
        holdout_images: Sequence[Image],
        recipe: PhotoRecipe,
        initial: Mapping[str, Tensor] | None = None,
        device: torch.device | None = None,
        function: Losses = losses,
        compact: bool = False,
        measure: Callable[[PhotoNet], dict[str, float]] = lambda net: {},
    ) -> None:
        torch.manual_seed(recipe.seed)
        device = device or torch.device("cpu")
        net = PhotoNet(recipe.model).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        if initial is not None:
            net.load_state_dict(initial)
        self.net: PhotoNet = net
        self.recipe, self.learning_rate = recipe, 0.0
        self.optimiser = optimiser_of(net, recipe)
        self.batches = Batches(train_images, recipe, device)
        self._holdout, self._function, self._compact = holdout_images, function, compact
        self._extra_measure, self._worked = measure, False

    def descend(self, step: int, passed: float | None) -> Tensor:
        """Take one step of gradient descent; return the batch's rate in bits per subpixel, `()` on
        the device.

        Where a compiled loss fails at the first step, training continues with `losses`.
        """
        rate = learning_rate(self.recipe, step, passed)
        self.learning_rate = self.optimiser.param_groups[0]["lr"] = rate
        batch, beta = self.batches.draw(self.net, step), kl_weight(self.recipe, step, passed)
        try:
            bits = descend(self.net, self.optimiser, self.recipe, batch, beta, self._function)
        except torch.OutOfMemoryError:
            raise
        except Exception as error:
            if self._function is losses or self._worked:
                raise
            warnings.warn(
                f"torch.compile failed, training goes on without it: {error}",
                RuntimeWarning,
                stacklevel=2,
            )
            self._function = losses
            bits = descend(self.net, self.optimiser, self.recipe, batch, beta, losses)
        self._worked = True
        return bits

    def measure(self) -> dict[str, float]:
        """Return rates of the held-out images in bits per subpixel."""
        return {**holdout_rate(self.net, self._holdout), **self._extra_measure(self.net)}

    def judge(self, row: dict[str, float]) -> None:
        """Do nothing: the last weights are kept, since the learning rate has decayed to zero."""

    def stale(self, step: int) -> bool:
        """Return False: only the schedule ends the training of a photograph model."""
        return False

    def state(self) -> dict[str, Any]:
        """Return weights, Adam's moments (in 16 bits for a compact checkpoint) and the recipe."""
        moments = self.optimiser.state_dict()
        if self._compact:
            moments["state"] = {
                i: {name: v if name == "step" else v.bfloat16() for name, v in own.items()}
                for i, own in moments["state"].items()
            }
        return {
            "net": self.net.state_dict(),
            "optimiser": moments,
            "recipe": asdict(self.recipe),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from a checkpoint."""
        self.net.load_state_dict(state["net"])
        self.optimiser.load_state_dict(state["optimiser"])
