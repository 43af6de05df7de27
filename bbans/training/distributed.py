"""sum_r (n_r / N) grad L_r = grad L: training shared by the processes that `torchrun` starts, gloo
on CPU and NCCL on CUDA.

Process r takes n_r of a batch's N items, with the numbers that they would be given in one process
(`training.terms.Draws`), so any number of processes makes the steps that one makes, up to the
rounding of sums. The first process alone reports, validates and writes.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch import distributed as dist

from bbans.errors import InputError


@dataclass(frozen=True)
class Processes:
    """This process's place among `count`, and its device. `rank` 0 is the one that writes."""

    rank: int = 0
    count: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @property
    def first(self) -> bool:
        """Whether this process reports and writes."""
        return self.rank == 0


ALONE = Processes()


def wanted() -> int:
    """How many processes the environment speaks of: `WORLD_SIZE`, which `torchrun` sets."""
    found = os.environ.get("WORLD_SIZE", "1")
    return int(found) if found.isdecimal() else 1


def choose_device(name: str | None) -> torch.device:
    """`cpu` or `cuda`; None is the CPU. Raises InputError where there is no such device."""
    if name not in (None, "cpu", "cuda"):
        raise InputError(f"a device is cpu or cuda; found {name!r}")
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError(
            "torch finds no CUDA device here; use --device cpu, or install a CUDA build of torch"
        )
    return torch.device(name or "cpu")


@contextmanager
def processes(device: str | None = None) -> Iterator[Processes]:
    """The process group of the environment, left at the end unless there was one; one process where
    `WORLD_SIZE` is missing or 1.

    Raises InputError.
    """
    chosen = choose_device(device)
    if wanted() < 2:
        yield Processes(device=chosen)
        return
    if chosen.type == "cuda":
        chosen = torch.device(
            "cuda", int(os.environ.get("LOCAL_RANK", "0")) % torch.cuda.device_count()
        )
        torch.cuda.set_device(chosen)
    if dist.is_initialized():
        yield Processes(dist.get_rank(), dist.get_world_size(), chosen)
        return
    try:
        dist.init_process_group("nccl" if chosen.type == "cuda" else "gloo")
    except (ValueError, RuntimeError) as error:
        raise InputError(
            f"the processes of WORLD_SIZE = {wanted()} did not meet ({error}); start them with "
            "torchrun"
        ) from error
    try:
        yield Processes(dist.get_rank(), dist.get_world_size(), chosen)
    finally:
        dist.destroy_process_group()


def share(group: Processes, items: int) -> slice:
    """This process's items of a batch: shares differ by one at most.

    Raises InputError if there are fewer items than processes.
    """
    if items < group.count:
        raise InputError(
            f"a batch of {items} cannot be shared by {group.count} processes; start fewer, or "
            "make `batch` larger"
        )
    return slice(items * group.rank // group.count, items * (group.rank + 1) // group.count)


def total(group: Processes, part: Tensor) -> Tensor:
    """The sum of a tensor over the processes; no gradient flows through it."""
    if group.count == 1:
        return part.detach()
    found = part.detach().clone()
    dist.all_reduce(found)
    return found


def sum_gradients(group: Processes, parameters: Iterable[torch.nn.Parameter]) -> None:
    """Replace every gradient by its sum over the processes, all in one message."""
    if group.count == 1:
        return
    gradients = [p.grad for p in parameters if p.grad is not None]
    summed = total(group, torch.cat([g.flatten() for g in gradients]))
    for gradient, part in zip(
        gradients, torch.split(summed, [g.numel() for g in gradients]), strict=True
    ):
        gradient.copy_(part.view_as(gradient))


def from_first(group: Processes, value: float) -> float:
    """The first process's number, in all of them."""
    if group.count == 1:
        return value
    message = torch.tensor(value, dtype=torch.float64, device=group.device)
    dist.broadcast(message, 0)
    return float(message)


def load(group: Processes, path: Path | None) -> dict[str, Any] | None:
    """The state in the first process's checkpoint, in all of them, on the CPU; None where there is
    no file. Raises InputError.
    """
    data = path.read_bytes() if group.first and path is not None and path.exists() else b""
    size = int(from_first(group, len(data)))
    if not size:
        return None
    if group.count > 1:
        message = torch.empty(size, dtype=torch.uint8, device=group.device)
        if group.first:
            message.copy_(torch.from_numpy(np.frombuffer(data, np.uint8).copy()))
        dist.broadcast(message, 0)
        data = message.cpu().numpy().tobytes()
    try:
        state: dict[str, Any] = torch.load(io.BytesIO(data), weights_only=True, map_location="cpu")
    except Exception as error:  # on damaged files the unpickler fails in many ways
        raise InputError(
            f"checkpoint {path}: no state of a training run can be read from it; delete it or "
            "name another"
        ) from error
    return state
