"""Two gloo processes make the steps of one.

In float64, where rounding cannot hide a wrong share, sum or noise: to 1e-9.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from bbans.errors import InputError
from bbans.models.model_file import load_file
from bbans.training import distributed
from bbans.training.distributed import ALONE, Processes
from tests.inference import together

TOLERANCE = 1e-9  # of weights and rates; float64 rounding alone comes to about 1e-13


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Path:
    """A folder with the runs of one process and of two."""
    folder = tmp_path_factory.mktemp("runs")
    together.write_inputs(folder)
    torch.set_default_dtype(torch.float64)
    try:
        together.train_all(folder, ALONE, "one")
        together.train_file(folder, "one")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        there = {
            "WORLD_SIZE": "2",
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(port),
            "GLOO_SOCKET_IFNAME": "lo",
        }
        command = [sys.executable, "-m", "tests.inference.together", str(folder)]
        environments = (
            {**os.environ, **there, "RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(2)
        )
        started = [
            subprocess.Popen(command, cwd=repository, env=e, stderr=subprocess.PIPE, text=True)
            for e in environments
        ]
        said = [process.communicate(timeout=300)[1] for process in started]
        assert [process.returncode for process in started] == [0, 0], said
        together.train_all(folder, ALONE, "two-on-one", "two")
    finally:
        torch.set_default_dtype(torch.float32)
    return folder


@pytest.mark.parametrize("suffix", ["two", "two-on-two", "one-on-two", "two-on-one"])
@pytest.mark.parametrize("name", together.RECIPES)
def test_processes_share_a_batch_and_a_checkpoint(runs: Path, name: str, suffix: str) -> None:
    one, other = (torch.load(runs / f"{name}-{s}.pt", weights_only=True) for s in ("one", suffix))
    assert one["state"].keys() == other["state"].keys()
    for key, weight in one["state"].items():
        assert weight.dtype == torch.float64
        assert float((weight - other["state"][key]).abs().max()) < TOLERANCE, key
    rows = [[{**row, "seconds": 0.0} for row in found["history"]] for found in (one, other)]
    assert [row["step"] for row in rows[0]] == [4, 8, 12]
    for a, b in zip(*rows, strict=True):
        assert a.keys() == b.keys() and max(abs(a[key] - b[key]) for key in a) < TOLERANCE


def test_only_the_first_process_writes_and_its_model_is_that_of_one(runs: Path) -> None:
    assert load_file(runs / "two.safetensors").id == load_file(runs / "one.safetensors").id
    assert not (runs / "two.checkpoint").exists()


@pytest.mark.parametrize(("items", "count"), [(7, 2), (8, 3), (3, 3), (100, 7)])
def test_shares_are_a_partition(items: int, count: int) -> None:
    shares = [distributed.share(Processes(rank, count), items) for rank in range(count)]
    assert np.concatenate([np.arange(items)[s] for s in shares]).tolist() == list(range(items))
    sizes = [s.stop - s.start for s in shares]
    assert max(sizes) - min(sizes) <= 1 and min(sizes) >= 1


def test_more_processes_than_items_are_refused() -> None:
    with pytest.raises(InputError, match="batch of 2 cannot be shared by 3"):
        distributed.share(Processes(0, 3), 2)


def test_devices() -> None:
    assert (
        distributed.choose_device(None) == distributed.choose_device("cpu") == torch.device("cpu")
    )
    with pytest.raises(InputError, match="cpu or cuda"):
        distributed.choose_device("abacus")


def test_a_missing_device_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="no CUDA device"), distributed.processes("cuda"):
        pass
