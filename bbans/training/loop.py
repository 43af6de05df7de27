"""The one training loop: steps, reports, checkpoints, a budget of time, the end.

What is trained is a `Task`; photographs and latent models of whole images are two. A run that is
resumed from its checkpoint repeats what an unbroken one does, since everything random comes from
seeds and step numbers. No step waits for the device: rates are read at reports and checkpoints.
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
REPORT_SECONDS = 60.0  # between two reports of a run with a budget of time


def silent(row: dict[str, float]) -> None:
    """Report nothing."""


class Task(Protocol):
    """Networks, their optimiser, data and a recipe."""

    rate_name: str
    """What the mean rate of the steps since the last report is called in a report."""
    learning_rate: float
    """That of the last step."""

    def descend(self, step: int, passed: float | None) -> Tensor:
        """One step of gradient descent; the batch's rate in bits per dimension, `()` on the device.

        passed: the share of a budget of time that is gone; None: steps move the schedule.
        """

    def measure(self) -> dict[str, float]:
        """Rates of the validation data, and what else a report holds; in the first process only."""

    def judge(self, row: dict[str, float]) -> None:
        """Compare a report with those before, for instance to keep the best weights; in all
        processes.
        """

    def stale(self, step: int) -> bool:
        """Whether training no longer gets better, so that this step is not worth doing."""

    def state(self) -> dict[str, Any]:
        """What a checkpoint has to hold besides steps and reports."""

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a checkpoint. Raises InputError on one of another run."""


@dataclass(frozen=True)
class Plan:
    """When a run reports, saves and ends.

    steps: in all. report_every: steps. seconds: a budget of time for all of the run, with what the
    checkpoint says was spent, in place of steps; reports come every report_seconds then.
    allowance: seconds after which this call ends, wherever the schedule is.
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

    A report has step, the mean rate of its steps, learning_rate, seconds of the whole run, and what
    the task measures. Of a `group` of processes, all of which call this, the first reports and
    saves.
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

    while not ended() and not task.stale(step):
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
        if last:
            break
    return history


def _due(plan: Plan, step: int, since: float) -> bool:
    return step % plan.report_every == 0 if plan.seconds is None else since >= plan.report_seconds


def read(rates: list[float | Tensor]) -> list[float]:
    """Rates of steps as numbers, waiting for the device once."""
    tensors = [rate.double() for rate in rates if isinstance(rate, Tensor)]
    numbers = [rate for rate in rates if isinstance(rate, float)]
    return numbers + (torch.stack(tensors).tolist() if tensors else [])


def save_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Write under a temporary name and rename, so that a killed run leaves the last whole
    checkpoint.
    """
    temporary = path.with_suffix(".part")
    torch.save(dict(state), temporary)
    os.replace(temporary, path)
