"""The progress bar: of the tiles of one image, and of many images."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import rich.progress

import bbans
from bbans.errors import InputError
from bbans.files import tiling
from bbans_cli.main import main
from bbans_cli.progress import shown_progress
from tests.tiny import smooth_image


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def two(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`a.png` and `b.png` are there."""
    for name in ("a.png", "b.png"):
        Path(name).write_bytes(b"1")
    monkeypatch.setenv("TERM", "xterm")


def compress_file(source: Path, target: Path, **options: Any) -> SimpleNamespace:
    """A stand-in that tells of two tiles, and fails at b.png."""
    for stage in ("coded", "checked") if options["verify"] else ("coded",):
        options["progress"](stage, 1, 2)
        if source.name == "b.png":
            raise InputError("no image")
        options["progress"](stage, 2, 2)
    return SimpleNamespace(source_bytes=1, file_bytes=1, raw_bytes=1, left_out=())


@pytest.mark.parametrize("verify", [True, False])
def test_shares_of_the_work(two: None, monkeypatch: pytest.MonkeyPatch, verify: bool) -> None:
    """Files count alike, and stages; one that fails is done too."""
    shares: list[tuple[float, str]] = []
    update = rich.progress.Progress.update

    def updated(bar: Any, task: Any, **values: Any) -> None:
        shares.append((round(values["completed"], 6), values["description"]))
        update(bar, task, **values)

    monkeypatch.setattr(rich.progress.Progress, "update", updated)
    monkeypatch.setattr(bbans, "compress_file", compress_file)
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    assert main(["compress", "a.png", "b.png", *([] if verify else ["--no-verify"])]) == 3
    if verify:
        told = [
            (0, "a.png"),
            (0.25, "a.png: 1 of 2 tiles coded"),
            (0.5, "a.png: 2 of 2 tiles coded"),
            (0.75, "a.png: 1 of 2 tiles checked"),
            (1, "a.png: 2 of 2 tiles checked"),
            (1, "a.png"),
            (1, "b.png"),
            (1.25, "b.png: 1 of 2 tiles coded"),
            (2, "b.png"),
        ]
    else:
        told = [
            (0, "a.png"),
            (0.5, "a.png: 1 of 2 tiles coded"),
            (1, "a.png: 2 of 2 tiles coded"),
            (1, "a.png"),
            (1, "b.png"),
            (1.5, "b.png: 1 of 2 tiles coded"),
            (2, "b.png"),
        ]
    assert shares == told
    assert "left" in screen.getvalue() and "a.png" in screen.getvalue()


def test_the_time_that_is_left(two: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """It counts from the beginning: a quarter in 10 s leaves 30 s."""
    clock = [0.0]
    bars: list[rich.progress.Progress] = []
    start = rich.progress.Progress.__init__

    def started(bar: Any, *columns: Any, **options: Any) -> None:
        start(bar, *columns, **options, get_time=lambda: clock[0], auto_refresh=False)
        bars.append(bar)

    monkeypatch.setattr(rich.progress.Progress, "__init__", started)
    monkeypatch.setattr(sys, "stderr", Terminal())
    with shown_progress(["a.png", "b.png"], True, ("coded", "checked")) as begin:
        clock[0] = 1.0
        with begin("a.png") as told:
            assert told is not None
            clock[0] = 11.0
            told("coded", 1, 1)
            (task,) = bars[0].tasks
            assert task.time_remaining in (30, 31)  # rounded up


@pytest.mark.parametrize("terminal", [True, False])
def test_nothing_is_told_when_it_is_quiet_or_no_terminal(
    two: None, monkeypatch: pytest.MonkeyPatch, terminal: bool
) -> None:
    told = []

    def compress_file(source: Path, target: Path, **options: Any) -> SimpleNamespace:
        told.append(options["progress"])
        return SimpleNamespace(source_bytes=1, file_bytes=1, raw_bytes=1, left_out=())

    monkeypatch.setattr(bbans, "compress_file", compress_file)
    screen = Terminal() if terminal else io.StringIO()
    monkeypatch.setattr(sys, "stderr", screen)
    assert main(["compress", "a.png", *(["-q"] if terminal else [])]) == 0
    assert told == [None] and screen.getvalue() == ""


def test_functions_tell_of_every_tile(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiling, "TILE_SIDE", 130)
    pixels = smooth_image(129, 260)
    np.save("a.npy", pixels)
    told: list[tuple[str, int, int]] = []

    def tell(*what: Any) -> None:
        told.append(what)

    bbans.compress_file("a.npy", "a.bbans", model="none", progress=tell, threads=2)
    assert told == [("coded", 1, 2), ("coded", 2, 2), ("checked", 1, 2), ("checked", 2, 2)]
    told.clear()
    bbans.decompress_file("a.bbans", "a.png", progress=tell, region=(0, 0, 5, 5))
    bbans.verify(Path("a.bbans").read_bytes(), progress=tell)
    assert told == [("decoded", 1, 1), ("decoded", 1, 2), ("decoded", 2, 2)]
    told.clear()
    Path("text").write_text("no image")
    bbans.create_archive("a.bbar", ["a.npy", "text", "a.png"], model="none", progress=tell)
    assert told[-1][0] == "coded" and told[-1][2] == 3 and told[-1][1] in (2, 3)
