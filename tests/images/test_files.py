"""Atomic writing: the whole file under its name, or nothing."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pytest

from bbans.errors import OutputError, OutputExistsError
from bbans.images import atomic_write


def test_a_new_file_has_the_permissions_of_the_umask(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        atomic_write(tmp_path / "new", b"data")
    finally:
        os.umask(old)
    assert (tmp_path / "new").read_bytes() == b"data"
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o640
    assert os.listdir(tmp_path) == ["new"]


def test_overwriting_must_be_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(OutputExistsError, match="-f"):
        atomic_write(path, b"new")
    assert path.read_bytes() == b"old"
    atomic_write(str(path), b"new", overwrite=True)
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["file"]


def test_a_dangling_link_counts_as_existing(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(OutputExistsError):
        atomic_write(tmp_path / "link", b"data")
    assert os.listdir(tmp_path) == ["link"]


@pytest.mark.parametrize("overwrite", [False, True])
def test_names_that_are_no_files_are_refused(tmp_path: Path, overwrite: bool) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(OutputError, match="folder, pipe or device"):
            atomic_write(path, b"data", overwrite=overwrite)
    for path in (tmp_path / "none" / "file", tmp_path / ("x" * 300)):
        with pytest.raises(OutputError):
            atomic_write(path, b"data", overwrite=overwrite)
    assert os.listdir(tmp_path) == ["pipe"]


@pytest.mark.parametrize("call", ["fsync", "replace", "link"])
@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_nothing_is_left_after_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, failure: BaseException
) -> None:
    def fail(*_: Any) -> None:
        raise failure

    (tmp_path / "old").write_bytes(b"old")
    overwrite = call != "link"
    if call == "link":  # the way without links fails too
        monkeypatch.setattr(os, "replace", fail)
    monkeypatch.setattr(os, call, fail)
    with pytest.raises(OutputError if isinstance(failure, OSError) else KeyboardInterrupt):
        atomic_write(tmp_path / ("old" if overwrite else "new"), b"data", overwrite=overwrite)
    assert os.listdir(tmp_path) == ["old"]
    assert (tmp_path / "old").read_bytes() == b"old"


def test_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(*_: Any) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", unsupported)
    atomic_write(tmp_path / "file", b"data")
    assert (tmp_path / "file").read_bytes() == b"data"
    with pytest.raises(OutputExistsError):
        atomic_write(tmp_path / "file", b"other")
    monkeypatch.setattr(
        os.path, "lexists", lambda _: False
    )  # somebody else made the file after the first look
    with pytest.raises(OutputExistsError):
        atomic_write(tmp_path / "file", b"other")
    assert (tmp_path / "file").read_bytes() == b"data"
    assert os.listdir(tmp_path) == ["file"]


def test_of_many_writers_one_wins(tmp_path: Path) -> None:
    outcomes: list[str] = []
    barrier = threading.Barrier(8)

    def work(index: int) -> None:
        barrier.wait()
        try:
            atomic_write(tmp_path / "file", bytes([index]) * 1000)
            outcomes.append(str(index))
        except OutputExistsError:
            outcomes.append("lost")

    threads = [threading.Thread(target=work, args=(index,)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (winner,) = [outcome for outcome in outcomes if outcome != "lost"]
    assert len(outcomes) == 8
    assert (tmp_path / "file").read_bytes() == bytes([int(winner)]) * 1000
    assert os.listdir(tmp_path) == ["file"]
