"""What an archive cannot take is left out and named with the reason, never passed over."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

import bbans
from bbans import images
from bbans.archives import build
from bbans.errors import InputError
from tests.cli.conftest import Run
from tests.tiny import smooth_image

Runner = Callable[..., Run]
MODEL = ("--model", "none")


@pytest.fixture
def photo(here: Path) -> bytes:
    """A PNG in the folder `in`, its bytes returned."""
    Path("in").mkdir()
    PIL.Image.fromarray(smooth_image(9, 12)).save("in/a.png")
    return Path("in/a.png").read_bytes()


def odd_files(photo: bytes) -> dict[str, str]:
    """Files that no archive holds: the line's name and what it says."""
    gif = PIL.Image.fromarray(smooth_image(9, 12))
    gif.save("in/z.webp")
    gif.save("in/b.gif")
    Path("in/c.png").write_bytes(photo[:100])
    Path("in/empty.png").touch()
    Path("in/sub").mkdir()
    odd = {
        "in/z.webp": "a lossy WebP",
        "in/b.gif": "a file of format GIF is not read",
        "in/c.png": "truncated PNG",
        "in/empty.png": "found an empty file",
    }
    if os.name == "posix":
        Path("in/d\\e.png").write_bytes(photo)
        Path("in/f\ng.png").write_bytes(photo)
        Path(os.fsdecode(b"in/h\xff.png")).write_bytes(photo)
        Path("in/i.png").symlink_to("nowhere.png")
        Path("in/linked").symlink_to("sub")
        os.mkfifo("in/j.png")
        odd |= {
            "in/d\\e.png": "no backslash and no control character",
            "in/f\\ng.png": "no backslash and no control character",
            "in/h\ufffd.png": "no text in Unicode",
            "in/i.png": "found nothing",
            "in/linked": "a link to a folder",
            "in/j.png": "no regular file",
        }
    return odd


def test_the_others_are_taken(photo: bytes, run: Runner) -> None:
    odd = odd_files(photo)
    Path("in/notes.txt").write_text("no image")
    made = run("archive", "create", "in", "-o", "a.bbar", *MODEL)
    assert made.code == 11 and made.out == b""
    *lines, counts, last = made.err.splitlines()
    found = {}
    for line in lines:
        start, name, reason = line.split(": ", 2)
        assert start == "bbans" and reason.startswith("left out: ")
        found[name] = reason
    assert set(found) == {*odd, "in/notes.txt"}
    for name, words in odd.items():
        assert words in found[name] and Path(name).name not in found[name].split(", found")[0]
    assert counts.startswith("1 images")
    assert last == f"bbans: {len(odd)} images are left out; the archive holds the other 1"
    assert run("archive", "list", "a.bbar").out == b"a.png\n"
    quiet = run("archive", "create", "in", "-o", "a.bbar", "-fq", *MODEL)
    assert quiet.code == 11 and len(quiet.err.splitlines()) == len(odd) + 1


def test_files_that_are_no_images_are_named_and_change_no_exit_code(
    photo: bytes, run: Runner
) -> None:
    Path("in/notes.txt").write_text("no image")
    made = run("archive", "create", "in", "-o", "a.bbar", *MODEL)
    assert made.code == 0 and made.err.startswith("bbans: in/notes.txt: left out: not an image")
    assert run("archive", "create", "in", "-o", "a.bbar", "-fq", *MODEL) == Run(0, b"", "")


@pytest.mark.parametrize("odd", ["z.webp", "z.gif", "z.png", "z.txt", "z\\z.png"])
def test_strict_ends_before_any_work(
    photo: bytes, run: Runner, monkeypatch: pytest.MonkeyPatch, odd: str
) -> None:
    kinds = {".gif": b"GIF89a", ".png": photo if "\\" in odd else photo[:80], ".txt": b"none"}
    if odd.endswith("webp"):
        PIL.Image.fromarray(smooth_image(9, 12)).save("in/z.webp")
    else:
        Path("in", odd).write_bytes(kinds[odd[-4:]])

    def coded(*_: object) -> None:
        raise AssertionError("there was work")

    with monkeypatch.context() as patch:
        patch.setattr(build, "code_job", coded)
        made = run("archive", "create", "in", "-o", "a.bbar", "--strict", *MODEL)
    assert made.code == 3 and made.err.startswith(f"bbans: in/{odd}: "), made.err
    assert made.err.count("\n") == 1 and sorted(os.listdir()) == ["in"]
    Path("in", odd).unlink()
    assert run("archive", "create", "in", "-o", "a.bbar", "--strict", "-q", *MODEL).code == 0


def test_of_several_names_the_others_are_taken(photo: bytes, run: Runner) -> None:
    Path("b.png").write_bytes(photo)
    Path("c.png").write_bytes(photo[:50])
    Path("text").write_text("none")
    Path("no images").mkdir()
    made = run("archive", "create", "c.png", "in", "text", "no images", "b.png", "-o", "x", *MODEL)
    assert made.code == 11
    named = sorted(line.split(": ")[1] for line in made.err.splitlines()[:3])
    assert named == ["c.png", "no images", "text"]
    assert run("archive", "list", "x").out == b"in/a.png\nb.png\n"
    none = run("archive", "create", "c.png", "text", "-o", "y", *MODEL)
    assert none.code == 3 and none.err.count("\n") == 1 and not Path("y").exists()


def test_names_that_exclude_each_other(photo: bytes) -> None:
    for folder in ("x/in", "y/in", "z"):
        Path(folder).mkdir(parents=True)
        Path(folder, "a.png").write_bytes(photo)
    Path("z/in").write_bytes(photo)
    made = bbans.create_archive("a.bbar", ["x/in", "y/in", "z/in"], model="none")
    assert made.items == 1 and [other.place for other in made.not_taken] == [
        str(Path("y/in/a.png")),
        "z/in",
    ]
    assert all("names differ" in other.reason for other in made.not_taken)


def test_the_function_returns_what_is_left_out(photo: bytes) -> None:
    PIL.Image.fromarray(smooth_image(9, 12)).save("in/z.webp")
    Path("in/notes").write_text("none")
    made = bbans.create_archive("a.bbar", "in", model="none")
    assert made.items == 1 and made.skipped == ("notes", "z.webp")
    notes, webp = made.not_taken
    assert (notes.place, notes.image, webp.image) == (str(Path("in/notes")), False, True)
    assert webp.reason.startswith("a lossy WebP")
    with pytest.raises(InputError, match="not an image"):
        bbans.create_archive("b.bbar", "in", model="none", strict=True)
    with pytest.raises(InputError):  # a value is never left out
        bbans.create_archive("b.bbar", [("a", np.zeros((2, 2), np.float32))], model="none")
    assert not Path("b.bbar").exists()


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root reads everything")
def test_a_folder_that_may_not_be_read(photo: bytes, run: Runner) -> None:
    Path("in/locked").mkdir(mode=0)
    made = run("archive", "create", "in", "-o", "a.bbar", *MODEL)
    Path("in/locked").chmod(0o700)
    assert made.code == 11 and "in/locked: left out: a folder that cannot be read" in made.err


def test_a_folder_that_cannot_be_listed(photo: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    def walk(
        top: Path, onerror: Callable[[OSError], None]
    ) -> list[tuple[str, list[str], list[str]]]:
        onerror(PermissionError(13, "Permission denied", str(top / "locked")))
        return [(str(top), ["locked"], ["a.png"])]

    Path("in/locked").mkdir()
    monkeypatch.setattr(os, "walk", walk)
    found = images.open_set("in")
    assert found.names == ("a.png",) and found.skipped == ("locked",) and found.not_taken[0].image


def test_measuring_goes_on_after_an_unreadable_image(photo: bytes, run: Runner) -> None:
    Path("in/b.png").write_bytes(photo[:100])
    Path("in/notes.txt").write_text("none")
    made = run("evaluate", "in", "--model", "photo-fast-1", "--json")
    assert made.code == 3 and made.out.count(b"a.png") == 1
    assert made.err.splitlines()[-1].startswith("bbans: in/b.png: left out: truncated PNG")
    assert made.err.count("left out") == 1
