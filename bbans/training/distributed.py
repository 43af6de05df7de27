"""sum_r (n_r / N) grad L_r = grad L: training shared by the processes that `torchrun` starts, gloo
on CPU and NCCL on CUDA.

Process r handles n_r of a batch's N items, with the random numbers that one process would give them
(`training.terms.Draws`), so that any number of processes takes the same steps, up to rounding of
sums. Only the first process reports, validates and writes.
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
    """This process's rank among `count` processes, and its device. Rank 0 writes.

    Examples:
        >>> Processes(rank=1, count=2).first
        False
    """

    rank: int = 0
    count: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @property
    def first(self) -> bool:
        """Whether this process reports and writes."""
        return self.rank == 0


ALONE = Processes()


def wanted() -> int:
    """Return the number of processes that the environment announces: `WORLD_SIZE`, which `torchrun`
    sets, or 1.

    Examples:
        >>> wanted()
        1
    """
    size = os.environ.get("WORLD_SIZE", "1")
    return int(size) if size.isdecimal() else 1


def choose_device(name: str | None) -> torch.device:
    """Return the device `cpu` or `cuda`; None is the CPU. Raises InputError on another name or
    without a CUDA device.

    Examples:
        >>> choose_device("cpu")
        device(type='cpu')
    """
    if name not in (None, "cpu", "cuda"):
        raise InputError(f"a device is cpu or cuda; found {name!r}")
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError(
            "torch finds no CUDA device here; use --device cpu, or install a CUDA build of torch"
        )
    return torch.device(name or "cpu")


@contextmanager
def processes(device: str | None = None) -> Iterator[Processes]:
    """Enter the process group of the environment, and leave it at the end unless it existed before;
    a single process if `WORLD_SIZE` is missing or 1.

    Raises InputError if the device is missing or the processes do not meet.

    Examples:
        >>> with processes() as group:
        ...     group.count
        1
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
    """Return the slice of a batch's items that this process handles; sizes differ by at most one.

    Raises InputError if there are fewer items than processes.

    Examples:
        >>> share(Processes(rank=1, count=2), 5)
        slice(2, 5, None)
    """
    if items < group.count:
        raise InputError(
            f"a batch of {items} cannot be shared by {group.count} processes; start fewer, or "
            "make `batch` larger"
        )
    return slice(items * group.rank // group.count, items * (group.rank + 1) // group.count)


def total(group: Processes, part: Tensor) -> Tensor:
    """Sum a tensor over the processes; the result carries no gradient.

    Examples:
        >>> total(ALONE, torch.ones(2)).tolist()
        [1.0, 1.0]
    """
    if group.count == 1:
        return part.detach()
    summed = part.detach().clone()
    dist.all_reduce(summed)
    return summed


def sum_gradients(group: Processes, parameters: Iterable[torch.nn.Parameter]) -> None:
    """Replace every gradient by its sum over the processes, all in one message.

    Examples:
        >>> sum_gradients(ALONE, [torch.nn.Parameter(torch.zeros(2))])
    """
    if group.count == 1:
        return
    gradients = [p.grad for p in parameters if p.grad is not None]
    summed = total(group, torch.cat([g.flatten() for g in gradients]))
    for gradient, part in zip(
        gradients, torch.split(summed, [g.numel() for g in gradients]), strict=True
    ):
        gradient.copy_(part.view_as(gradient))


def from_first(group: Processes, value: float) -> float:
    """Return the first process's number in all processes.

    Examples:
        >>> from_first(ALONE, 1.5)
        1.5
    """
    if group.count == 1:
        return value
    message = torch.tensor(value, dtype=torch.float64, device=group.device)
    dist.broadcast(message, 0)
    return float(message)


def load(group: Processes, path: Path | None) -> dict[str, Any] | None:
    """Read the first process's checkpoint in all processes, onto the CPU; None if there is no file.
    Raises InputError on a damaged file.

    Examples:
        >>> load(ALONE, None) is None
        True
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
