"""`bbans archive`: options reach the public functions, results and errors reach the user."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bbans import images
from tests.cli.conftest import Run
from tests.tiny import smooth_image

Runner = Callable[..., Run]


@pytest.fixture
def folder(here: Path) -> list[np.ndarray]:
    """Three pictures in `in/`."""
    Path("in", "b").mkdir(parents=True)
    pixels = [smooth_image(12, 9, seed) for seed in range(3)]
    for name, x in zip(("a.png", "b/c.png", "d.png"), pixels, strict=True):
        with Path("in", name).open("wb") as file:
            images.write_image(images.from_array(x), file)
    return pixels


def test_there_and_back(folder: list[np.ndarray], run: Runner) -> None:
    Path("in", "notes.txt").write_text("none")
    made = run("archive", "create", "in", "-o", "a.bbar", "--model", "none")
    assert (
        made.code == 0
        and made.out == b""
        and made.err.startswith("bbans: in/notes.txt: left out: not an image: ")
        and "3 images, 0 of them chained" in made.err
    )
    assert run("archive", "list", "a.bbar") == Run(0, b"a.png\nb/c.png\nd.png\n", "")
    found = json.loads(run("archive", "list", "a.bbar", "--json").out)
    assert [item["name"] for item in found["items"]] == ["a.png", "b/c.png", "d.png"] and found[
        "groups"
    ][0]["kind"] == "files"
    assert b"9 x 12 rgb8, group 0, number 1" in run("archive", "list", "-v", "a.bbar").out
    assert run("archive", "extract", "a.bbar", "-o", "out", "-q") == Run(0, b"", "")
    for name, x in zip(("a.png", "b/c.png", "d.png"), folder, strict=True):
        assert np.array_equal(images.read_image(Path("out", name)).pixels, x)
    again = run("archive", "extract", "a.bbar", "-o", "out")
    assert again.code == 4 and "exists already" in again.err
    one = run("archive", "extract", "a.bbar", "d.png", "-o", "one", "--format", "ppm")
    assert one.code == 0 and [path.name for path in Path("one").iterdir()] == ["d.png.ppm"]


def test_an_array_with_a_shape(here: Path, run: Runner) -> None:
    bits = np.random.default_rng(0).random((4, 35)) < 0.5
    np.save("a.npy", np.packbits(bits, axis=1))
    assert run(
        "archive", "create", "a.npy", "-o", "a.bbar", "--shape", "5x7", "--model", "none", "-q"
    ) == Run(0, b"", "")
    assert run("archive", "list", "a.bbar").out == b"0\n1\n2\n3\n"
    assert run("archive", "create", "a.npy", "-o", "b.bbar", "--shape", "5,7").code == 2


def test_errors(folder: list[np.ndarray], run: Runner) -> None:
    assert run("archive", "create", "missing", "-o", "a.bbar").code == 2
    Path("a.bbar").write_bytes(b"no archive at all")
    assert run("archive", "create", "in", "-o", "a.bbar").code == 4
    listed = run("archive", "list", "a.bbar")
    assert listed.code == 5 and "not a bbans archive" in listed.err and listed.err.count("\n") == 1
    assert run("archive", "list", "missing").code == 3
    assert run("archive", "create", "in", "-o", "a.bbar", "-f", "-q", "--model", "none").code == 0
    assert run("archive", "extract", "a.bbar", "nothing").code == 3


def test_a_damaged_archive(folder: list[np.ndarray], run: Runner) -> None:
    assert run("archive", "create", "in", "-o", "a.bbar", "-q", "--model", "none").code == 0
    data = Path("a.bbar").read_bytes()
    Path("a.bbar").write_bytes(data[:-5] + bytes([data[-5] ^ 1]) + data[-4:])
    assert run("archive", "extract", "a.bbar", "-o", "out").code == 5
    kept = run("archive", "extract", "a.bbar", "-f", "--keep-going", "-o", "out")
    assert kept.code == 5 and "d.png is missing" in kept.err and "2 were restored" in kept.err
    assert sorted(path.name for path in Path("out").rglob("*.png")) == ["a.png", "c.png"]


def test_more_images_than_wanted(folder: list[np.ndarray], run: Runner) -> None:
    assert run("archive", "create", "in", "-o", "a.bbar", "--model", "none", "-q").code == 0
    for command in ("list", "extract"):
        refused = run("archive", command, "a.bbar", "--max-items", "2")
        assert refused.code == 5 and "more than the limit of 2" in refused.err
    assert run("archive", "list", "a.bbar", "--max-items", "3").code == 0
