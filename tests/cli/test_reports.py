"""`info`, `verify`, `train`, help and exit codes, with a stand-in for the codec."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

import bbans
from bbans.errors import BbansError
from bbans_cli.train import progress_line
from tests.cli.conftest import Run, Standin

Runner = Callable[..., Run]
NEW = (
    "shape",
    "labels",
    "latents",
    "estimator",
    "seed",
    "steps",
    "minutes",
    "tensorboard",
    "device",
    "objective",
    "particles",
    "posterior",
)


def test_info(here: Path, run: Runner, standin: Standin) -> None:
    Path("a.bbans").write_bytes(b"bb123")
    Path("b.bbans").write_bytes(b"bb")
    result = run("info", "--account", "a.bbans", "b.bbans", "--model", "m")
    assert result == Run(0, b"a.bbans:\n  3 wide\n  1 high\nb.bbans:\n  0 wide\n  1 high\n", "")
    assert (
        standin.calls
        == [("info", {"model": "m", "account": True, "costs": False, "max_pixels": 2**30})] * 2
    )


def test_info_as_json_is_an_object_a_line(here: Path, run: Runner, standin: Standin) -> None:
    Path("a.bbans").write_bytes(b"bb123")
    Path("b.bbans").write_bytes(b"junk")
    result = run("info", "--json", "a.bbans", "b.bbans", "a.bbans")
    assert [json.loads(line) for line in result.out.splitlines()] == [
        {"file": "a.bbans", "width": 3}
    ] * 2
    assert (result.code, result.err) == (
        5,
        "bbans: b.bbans: no bbans file: its first bytes are wrong\n",
    )
    assert standin.calls[0] == (
        "info",
        {"model": None, "account": False, "costs": False, "max_pixels": 2**30},
    )


def test_info_and_verify_of_standard_input(here: Path, run: Runner, standin: Standin) -> None:
    assert json.loads(run("info", "--json", "-", stdin=b"bb1").out) == {"file": "-", "width": 1}
    assert run("verify", "-", stdin=b"bb1") == Run(0, b"-: ok\n", "")


def test_verify(here: Path, run: Runner, standin: Standin) -> None:
    Path("a.bbans").write_bytes(b"bb123")
    Path("b.bbans").write_bytes(b"junk")
    line = "bbans: b.bbans: no bbans file: its first bytes are wrong\n"
    assert run("verify", "b.bbans", "a.bbans", "--model", "m", "--threads", "2") == Run(
        5, b"a.bbans: ok\n", line
    )
    assert run("verify", "-q", "b.bbans", "a.bbans") == Run(5, b"", line)
    assert standin.calls[0] == (
        "verify",
        {"model": "m", "threads": 2, "max_pixels": 2**30, "progress": None},
    )


def test_train(here: Path, run: Runner, standin: Standin) -> None:
    Path("images").mkdir()
    Path("r.toml").touch()
    result = run(
        "train",
        "images",
        "-o",
        "m.safetensors",
        "--recipe",
        "r.toml",
        "--checkpoint",
        "c",
        "--float-weights",
        "f",
        "--threads",
        "2",
    )
    assert result == Run(0, b"", "step 100  bits_per_dimension 2.5\n")
    assert run("train", "images", "-q", "-f", "-o", "m.safetensors") == Run(0, b"", "")
    (_, first), (_, second) = standin.calls
    assert first.pop("report") and second.pop("report")
    paths = {"source": Path("images"), "output": Path("m.safetensors")}
    assert first == paths | {
        "recipe": Path("r.toml"),
        "checkpoint": Path("c"),
        "float_weights": Path("f"),
        "threads": 2,
        "overwrite": False,
        **dict.fromkeys(NEW),
    }
    nothing = dict.fromkeys(("recipe", "checkpoint", "float_weights", "threads", *NEW))
    assert second == paths | nothing | {"overwrite": True}


def test_train_options(here: Path, run: Runner, standin: Standin) -> None:
    Path("x.npy").touch()
    Path("y.npy").touch()
    options = (
        "--shape 28x29 --labels y.npy --latents categorical --estimator relax --seed 3 --steps 7 "
        "--tensorboard logs --device cuda "
        "--objective ciwae --particles 9 --posterior flow --minutes 2.5"
    )
    assert run("train", "x.npy", "-o", "m.safetensors", *options.split()).code == 0
    ((_, given),) = standin.calls
    wanted = {
        "shape": (28, 29),
        "labels": Path("y.npy"),
        "seed": 3,
        "steps": 7,
        "tensorboard": Path("logs"),
        "device": "cuda",
    }
    wanted |= {
        "latents": "categorical",
        "estimator": "relax",
        "objective": "ciwae",
        "particles": 9,
        "posterior": "flow",
        "minutes": 2.5,
    }
    assert {name: given[name] for name in NEW} == wanted
    refused = (
        "--device tpu",
        "--objective best",
        "--particles 0",
        "--steps 0",
        "--minutes 0",
        "--seed -1",
        "--shape 28",
        "--labels missing.npy",
    )
    for wrong in (*refused, "--latents gaussian", "--posterior best"):
        assert run("train", "x.npy", "-o", "m.safetensors", *wrong.split()).code == 2


def test_progress_shows_the_terms() -> None:
    row = {
        "step": 500,
        "rate": 1.25,
        "likelihood": 1.0,
        "prior": 0.75,
        "posterior": 0.5,
        "train_rate": 1.125,
        "active": 7,
        "seconds": 34.4,
    }
    terms = (
        "step 500: 1.2500 bits per dimension = likelihood 1.0000 + prior 0.7500 - posterior 0.5000"
    )
    assert progress_line(row) == f"{terms}; training 1.1250, 7 active latents, 34 s"
    for beside in ("relaxed", "bound"):
        assert (
            progress_line({**row, beside: 1.2})
            == f"{terms}, {beside} 1.2000; training 1.1250, 7 active latents, 34 s"
        )
    del row["active"]
    assert "rate 1.25" in progress_line(row)


def test_train_does_not_start_when_the_output_is_there(
    here: Path, run: Runner, standin: Standin
) -> None:
    Path("images").mkdir()
    Path("m.safetensors").touch()
    assert run("train", "images", "-o", "m.safetensors").code == 4
    assert (
        run("train", "images", "-o", "n.safetensors", "--float-weights", "m.safetensors").code == 4
    )
    assert run("train", "missing", "-o", "n.safetensors").code == 2
    assert run("train", "images").code == 2
    assert standin.calls == []


def descendants(kind: type[BbansError]) -> Iterator[type[BbansError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from descendants(child)


def test_the_documents_have_every_exit_code(repository: Path) -> None:
    rows = re.findall(
        r"^\| (\d+) \|",
        (repository / "docs" / "command-line.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    assert sorted(int(row) for row in rows) == sorted(
        {0, 2, 129, 130, 143} | {kind.exit_code for kind in descendants(BbansError)}
    )


def test_version(run: Runner) -> None:
    assert run("--version").out.decode().splitlines()[0] == f"bbans {bbans.__version__}"
    assert version("bbans") == bbans.__version__


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["compress", "-h"],
        ["train", "--help"],
        ["completion", "bash"],
        ["compress"],
        ["info", "missing"],
    ],
)
def test_help_and_early_errors_import_nothing_heavy(tmp_path: Path, arguments: list[str]) -> None:
    code = (
        "import sys; from bbans_cli.main import main; main(sys.argv[1:]);"
        "print(sorted({'torch', 'numpy', 'PIL', 'rich', 'bbans.files.encoder'} & "
        "set(sys.modules)), "
        "file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stderr.splitlines()[-1] == "[]"


def test_module_is_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bbans_cli", "compress"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("Usage: bbans compress ")
