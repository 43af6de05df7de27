"""The training loop: steps, reports, checkpoints, a time budget, the end.

It trains any `Task`: photograph models and latent models of whole images. A run resumed from its
checkpoint repeats what an uninterrupted one does, since all randomness is a function of seeds and
step numbers. No step waits for the device: rates are read at reports and checkpoints only.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from bbans.errors import InputError
from bbans.training import distributed
from bbans.training.distributed import ALONE, Processes

Report = Callable[[dict[str, float]], None]
REPORT_SECONDS = 60.0  # between two reports of a run with a time budget


def silent(row: dict[str, float]) -> None:
    """Report nothing.

    Examples:
        >>> silent({"step": 1.0})
    """


class Task(Protocol):
    """Networks, their optimiser, data and a recipe."""

    rate_name: str
    """The key of the mean rate since the last report."""
    learning_rate: float
    """The learning rate of the last step."""

    def descend(self, step: int, passed: float | None) -> Tensor:
        """Take one step of gradient descent; return the batch's rate in bits per dimension, `()` on
        the device.

        passed: the elapsed share of a time budget, which moves the schedule; None: the step moves
        it.
        """

    def measure(self) -> dict[str, float]:
        """Return rates of the validation data and other values of a report; called in the first
        process only.
        """

    def judge(self, row: dict[str, float]) -> None:
        """Compare a report with earlier ones, for instance to keep the best weights; called in all
        processes.
        """

    def stale(self, step: int) -> bool:
        """Whether training has stopped improving, so that this step should not be taken."""

    def state(self) -> dict[str, Any]:
        """Return the content of a checkpoint besides steps and reports."""

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from a checkpoint. Raises InputError if it is of another run."""


@dataclass(frozen=True)
class Plan:
    """When a run reports, saves and ends.

    steps: the total number. report_every: in steps. seconds: a time budget for the whole run,
    including the time before a checkpoint; it replaces steps, and reports then come every
    report_seconds. allowance: seconds after which this call returns, wherever the schedule is.

    Examples:
        >>> Plan(steps=100, report_every=10, checkpoint_seconds=60.0).allowance
        inf
    """

    steps: int
    report_every: int
    checkpoint_seconds: float
    seconds: float | None = None
    report_seconds: float = REPORT_SECONDS
    allowance: float = math.inf


def run(
    task: Task,
    plan: Plan,
    checkpoint: Path | None = None,
    report: Report = silent,
    group: Processes = ALONE,
) -> list[dict[str, float]]:
    """Train, resuming from `checkpoint` where it exists, and return all reports.

    A report has step, the mean rate since the last report, learning_rate, seconds of the whole run,
    and the task's measurements. All processes of a `group` call this; the first reports and saves.
    Raises InputError on a checkpoint of another run.

    Examples:
        >>> import numpy as np
        >>> from bbans.models.vae import VaeConfig
        >>> from bbans.training.latent_task import LatentRecipe, LatentTask, Samples
        >>> data = Samples(np.zeros((8, 4), np.uint8))
        >>> task = LatentTask(data, data, LatentRecipe(VaeConfig(2, 2, hidden=4, latents=(3,))))
        >>> [row["step"] for row in run(task, Plan(3, report_every=2, checkpoint_seconds=60.0))]
        [2, 3]
    """
    started = saved = reported = time.monotonic()
    step, before, history, rates = 0, 0.0, list[dict[str, float]](), list[float | Tensor]()
    if (state := distributed.load(group, checkpoint)) is not None:
        try:
            task.restore(state)
        except InputError as error:
            raise InputError(f"checkpoint {checkpoint}: {error}") from None
        step, history = state["step"], state["history"]
        before, rates = state.get("elapsed", 0.0), state.get("running", [])

    def elapsed() -> float:
        return before + time.monotonic() - started

    def ended() -> bool:
        return step >= plan.steps if plan.seconds is None else elapsed() >= plan.seconds

    last = ended() or task.stale(step)
    while not last:
        passed = None if plan.seconds is None else min(1.0, elapsed() / plan.seconds)
        rates.append(task.descend(step, passed))
        step += 1
        now = time.monotonic()
        last = ended() or now - started >= plan.allowance
        if last or _due(plan, step, now - reported):
            numbers = read(rates)
            rates.clear()
            row = {"step": step, task.rate_name: sum(numbers) / len(numbers)}
            row |= task.measure() if group.first else {}
            row |= {"learning_rate": task.learning_rate, "seconds": elapsed()}
            task.judge(row)
            history.append(row)
            reported = time.monotonic()
            if group.first:
                report(row)
        last = last or task.stale(step)
        due = last or time.monotonic() - saved > plan.checkpoint_seconds
        if checkpoint is not None and group.first and due:
            done = {"step": step, "elapsed": elapsed(), "history": history}
            save_checkpoint(checkpoint, {**task.state(), **done, "running": read(rates)})
            saved = time.monotonic()
    return history


def _due(plan: Plan, step: int, since: float) -> bool:
    return step % plan.report_every == 0 if plan.seconds is None else since >= plan.report_seconds


def read(rates: list[float | Tensor]) -> list[float]:
    """Return the rates of steps as numbers; waits for the device once.

    Examples:
        >>> read([1.5, torch.tensor(2.0)])
        [1.5, 2.0]
    """
    tensors = [rate.double() for rate in rates if isinstance(rate, Tensor)]
    numbers = [rate for rate in rates if isinstance(rate, float)]
    return numbers + (torch.stack(tensors).tolist() if tensors else [])


def save_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Write a checkpoint under a temporary name and rename it, so that an interrupted run leaves
    the previous one intact.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     save_checkpoint(Path(folder, "run.checkpoint"), {"step": 3})
        ...     torch.load(Path(folder, "run.checkpoint"))
        {'step': 3}
    """
    temporary = path.with_suffix(".part")
    torch.save(dict(state), temporary)
    os.replace(temporary, path)
