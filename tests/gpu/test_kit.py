"""The rehearsal: the command that a GPU runs, on the CPU in small, with what may go wrong on the
way.
"""

import json
import os
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import torch

import bbans
from bbans.exact import torch_ops as backend
from bbans.training.photo_run import read_recipe
from bbans.training.photographs import compiled, losses
from benchmarks.gpu import fit, golden, measure, pack
from benchmarks.gpu.__main__ import main, small
from benchmarks.gpu.log import Log
from tests.tiny import smooth_image

RECIPE = "recipes/gpu/photo-default.toml"


@pytest.fixture(scope="module")
def packed(tmp_path_factory, repository):
    folder = tmp_path_factory.mktemp("packed")
    pack.pack(repository / "samples", folder / "pack", 10**7, method=0)
    return folder / "pack"


@pytest.fixture(scope="module")
def rehearsed(packed, repository, tmp_path_factory):
    """What the whole command leaves, and its lines."""
    out = tmp_path_factory.mktemp("out")
    command = [
        sys.executable,
        "-m",
        "benchmarks.gpu",
        str(packed),
        "--recipe",
        RECIPE,
        "--out",
        str(out),
        "--rehearse",
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    options = ["--minutes", "0.07", "--schedule", "0.5"]
    done = subprocess.run(
        [*command, *options],
        cwd=repository,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return out, done.stdout


def test_the_command_leaves_what_comes_back(rehearsed):
    out, said = rehearsed
    report = json.loads((out / "report.json").read_text())
    assert "failures" not in report and (out / "log.txt").read_text() == said
    assert [part["wrong"] for part in report["exact"]] == [[]] * 4 and all(
        part.get("files", 1) > 0 for part in report["exact"]
    )
    assert report["compiled"]["close"] and set(report["training_pixels_a_second"]) == {
        *(f"eager, batch {n}" for n in (1, 2, 4)),
        "compiled, batch 2",
    }
    assert (
        len(report["exact_megapixels_a_second"])
        == len(report["exact_layer_megapixels_a_second"])
        == 2
    )
    assert report["history"][-1]["bpsp"] > 0
    names = {path.name for path in out.iterdir()}
    assert {
        "report.json",
        "log.txt",
        "model.safetensors",
        "float.safetensors",
        fit.CHECKPOINT,
    } <= names and len(names) <= 8
    assert all(path.stat().st_size < 2**24 for path in out.iterdir())
    model = bbans.load_model(out / "model.safetensors")
    assert (
        model.record["exact_holdout_bpsp"]
        == report["exact_holdout_bpsp"]
        == pytest.approx(report["history"][-1]["bpsp"], rel=0.05)
    )
    image = smooth_image(40, 33)
    assert np.array_equal(bbans.decompress(bbans.compress(image, model=model), model=model), image)


def test_a_second_call_goes_on_with_the_schedule(rehearsed, packed, repository, tmp_path):
    before = json.loads((rehearsed[0] / "report.json").read_text())
    arguments = [
        str(packed),
        "--recipe",
        str(repository / RECIPE),
        "--rehearse",
        "--skip-checks",
        "--eager",
    ]
    main([*arguments, "--out", str(tmp_path), "--minutes", "0.06", "--resume", str(rehearsed[0])])
    after = json.loads((tmp_path / "report.json").read_text())
    assert after["schedule_seconds"] == before["schedule_seconds"] == 30
    assert after["history"][: len(before["history"])] == before["history"]
    first, last = before["history"][-1], after["history"][-1]
    assert last["step"] > first["step"] and first["seconds"] < last["seconds"] < 30
    with pytest.raises(SystemExit, match="holds no checkpoint"):
        main([*arguments, "--out", str(tmp_path / "o"), "--resume", str(packed)])


def test_a_run_that_breaks_leaves_what_it_has(packed, repository, tmp_path, monkeypatch):
    real = fit.train

    def breaks(*arguments, **options):
        real(*arguments, **{**options, "allowance": 0.5})
        raise RuntimeError("the device is gone")

    monkeypatch.setattr(fit, "train", breaks)
    main(
        [
            str(packed),
            "--recipe",
            str(repository / RECIPE),
            "--rehearse",
            "--skip-checks",
            "--out",
            str(tmp_path),
            "--minutes",
            "0.05",
            "--eager",
        ]
    )
    report = json.loads((tmp_path / "report.json").read_text())
    assert (
        report["failures"] == ["training: RuntimeError: the device is gone"]
        and report["exact_holdout_bpsp"] > 0
    )
    assert bbans.load_model(tmp_path / "model.safetensors").record["history"] == report["history"]


@pytest.mark.filterwarnings(
    "ignore:The .grad attribute of a Tensor:UserWarning"
)  # of torch, as it compiles
def test_checks_that_fail_are_said_and_stop_nothing(tmp_path, repository, capsys):
    log = Log(tmp_path, time.monotonic())

    def broken(graph, inputs):
        raise OSError("no compiler here")

    recipe = small(read_recipe(repository / RECIPE))
    stepper = measure.Stepper([smooth_image(40, 40)], recipe, torch.device("cpu"))
    assert measure.working(stepper, compiled(broken), log) is losses
    measure.Golden("nonsense", True, tmp_path / "exact.txt").result(log, 60)
    slow = measure.Golden("cpu", True, tmp_path / "exact.txt")
    slow.result(log, 0)
    failures = json.loads((tmp_path / "report.json").read_text())["failures"]
    assert (
        len(failures) == 2
        and "no compiler here" in failures[0]
        and failures[1].startswith("exact checks")
    )
    said = capsys.readouterr().out
    assert said.count("!!! FAILED") == 2 and "no time left" in said


def test_an_inexact_device_is_found_out(monkeypatch):
    """A backend whose sums are rounded to the 11 bits of TF32."""
    real = backend.TorchOps.conv

    def rounded(self, prepared, x, bias_row=None):
        found = real(self, prepared, x, bias_row)
        mantissa, exponent = torch.frexp(found)
        return torch.ldexp((mantissa * 2**11).round(), exponent - 11)

    assert golden.checked_networks("cpu", True)["wrong"] == []
    monkeypatch.setattr(backend.TorchOps, "conv", rounded)
    wrong = golden.checked_networks("cpu", True)["wrong"]
    assert "photo-2: network" in wrong and len(wrong) > 10


def test_recipes_are_what_they_say(repository):
    default, wide = (
        read_recipe(repository / "recipes" / "gpu" / f"{name}.toml")
        for name in ("photo-default", "photo-wide")
    )
    shipped = read_recipe(repository / "recipes" / "photo-finish-2.toml")
    assert (
        default.model == shipped.model and (repository / "recipes" / "gpu" / default.init).is_file()
    )
    wider = replace(shipped.model, channels=wide.model.channels, hidden=wide.model.hidden)
    assert wide.model == wider and 2 <= (wide.model.channels / shipped.model.channels) ** 2 <= 4
