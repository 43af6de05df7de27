"""JPEGs where commands name files, read pipes, go on after damage and show what is done."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest

import bbans
from bbans import images
from bbans.archives.members import Reading, named_images
from bbans.errors import InputError, JpegInputError
from tests.cli.conftest import Run
from tests.cli.test_damaged_chunks import damaged
from tests.cli.test_streams import pipe, posix
from tests.jpegs import jpeg

__all__ = ["pipe"]  # a fixture

Runner = Callable[..., Run]
MODEL = ("--model", "none")
BROKEN = b"\xff\xd8\xff\xd9"
"""Starts as a JPEG and has no frame."""


@pytest.mark.parametrize("name", ["a.jpg", "a.JPEG", "a.jfif"])
def test_a_kept_suffix_is_given_back(here: Path, run: Runner, name: str) -> None:
    Path(name).write_bytes(jpeg("EXIF"))
    assert run("compress", "--keep-suffix", name) == Run(0, b"", "")
    assert set(os.listdir()) == {name, f"{name}.bbans"}
    Path(name).unlink()
    assert run("decompress", f"{name}.bbans").code == 0
    assert Path(name).read_bytes() == jpeg("EXIF")
    assert run("decompress", "-f", "--format", "jpeg", f"{name}.bbans").code == 0
    assert set(os.listdir()) == {name, f"{name}.bbans"}
    for arguments in (("--format", "png"), ("--region", "0,0,9,9", "-f")):
        assert run("decompress", *arguments, f"{name}.bbans").code == 0
        assert Path(f"{name}.png").read_bytes().startswith(b"\x89PNG")
    assert Path(name).read_bytes() == jpeg("EXIF")


def test_a_kept_suffix_of_another_kind(here: Path, run: Runner) -> None:
    """A JPEG named as a PNG gets its suffix; pixels named as a JPEG get that of their kind."""
    Path("a.png").write_bytes(jpeg("EXIF"))
    Path("b.jpg").write_bytes(jpeg("EXIF"))
    assert run("compress", "--keep-suffix", "a.png").code == 0
    assert run("compress", "--keep-suffix", "--as-pixels", "b.jpg", *MODEL).code == 0
    assert run("decompress", "a.png.bbans", "b.jpg.bbans").code == 0
    assert Path("a.png.jpg").read_bytes() == jpeg("EXIF")
    assert Path("b.jpg.png").read_bytes().startswith(b"\x89PNG")


@posix
def test_pipes_hold_jpegs(here: Path, run: Runner, pipe: Callable[[bytes], str]) -> None:
    photo = jpeg("EXIF")
    data = bbans.compress_jpeg(photo)
    assert run("compress", pipe(photo)) == Run(0, data, "")
    assert run("compress", pipe(photo), "-o", "a.bbans").code == 0
    assert Path("a.bbans").read_bytes() == data
    assert run("decompress", pipe(data)) == Run(0, photo, "")
    for name, kept in (("b.jpg", True), ("b.jpeg", True), ("b", True), ("b.png", False)):
        assert run("decompress", pipe(data), "-o", name).code == 0
        assert (Path(name).read_bytes() == photo) == kept
    assert run("verify", pipe(data)).code == 0
    source = pipe(photo)
    assert run("archive", "create", source, "-o", "a.bbar", "-q").code == 0
    assert run("archive", "extract", "a.bbar", "-o", "back", "-q").code == 0
    assert Path("back", f"{Path(source).name}.jpg").read_bytes() == photo
    broken = pipe(BROKEN)
    refused = run("compress", broken, "-o", "c.bbans")
    assert refused.code == 3 and refused.err.count(broken) == 1 and "damaged JPEG" in refused.err


def test_what_goes_wrong_names_the_file_once(here: Path, run: Runner) -> None:
    Path("a.jpg").write_bytes(jpeg("EXIF"))
    Path("c.jpg").write_bytes(jpeg("CMYK"))
    Path("d.jpg").write_bytes(BROKEN)
    assert run("compress", "a.jpg", "c.jpg", "-q").code == 0
    for arguments, words in (
        (("compress", "d.jpg"), "damaged JPEG"),
        (("compress", "--keep-going", "d.jpg"), "damaged JPEG"),
        (("compress", "--strip", "-f", "a.jpg"), "leave out --strip"),
        (("compress", "--as-pixels", "-f", "c.jpg"), "CMYK"),
        (("decompress", "--format", "png", "c.bbans"), "CMYK"),
        (("info", "--heatmap", "x.png", "a.bbans"), "no bits of its pixels"),
        (("archive", "create", "d.jpg", "-o", "x.bbar"), "damaged JPEG"),
    ):
        refused = run(*arguments)
        name = next(part for part in arguments if part[:2] in ("a.", "c.", "d."))
        assert refused.code == 3 and refused.err.count("\n") == 1, refused.err
        assert refused.err.startswith(f"bbans: {name}: ") and refused.err.count(name) == 1
        assert words in refused.err


def test_damaged_pngs_beside_jpegs(here: Path, run: Runner) -> None:
    Path("a.jpg").write_bytes(jpeg("EXIF"))
    Path("b.png").write_bytes(damaged("tEXt"))
    plain = bbans.compress_file("a.jpg", "plain.bbans")
    assert bbans.compress_file("a.jpg", "kept.bbans", keep_going=True) == plain
    made = run("compress", "--keep-going", "-q", "a.jpg", "b.png", *MODEL)
    assert made.code == 0
    assert made.err == "bbans: b.png: not kept: its tEXt chunk, whose checksum does not match\n"
    assert Path("a.bbans").read_bytes() == Path("plain.bbans").read_bytes()


def test_archives_take_jpegs_and_leave_out_what_is_none(here: Path, run: Runner) -> None:
    Path("in").mkdir()
    Path("in/a.jpg").write_bytes(jpeg("EXIF"))
    Path("in/c.jpg").write_bytes(jpeg("CMYK"))
    whole = run("archive", "create", "in", "-o", "a.bbar", "--strict", "-q", *MODEL)
    assert whole == Run(0, b"", "")
    pixels = run("archive", "create", "in", "-o", "b.bbar", "--as-pixels", "-q", *MODEL)
    assert pixels.code == 11 and pixels.err.count("in/c.jpg") == 1 and "CMYK" in pixels.err
    Path("in/d.jpg").write_bytes(BROKEN)
    made = run("archive", "create", "in", "-o", "c.bbar", "-q", *MODEL)
    line, last = made.err.splitlines()
    assert made.code == 11 and line.startswith("bbans: in/d.jpg: left out: damaged JPEG")
    assert line.count("d.jpg") == 1 and last.endswith("the archive holds the other 2")
    strict = run("archive", "create", "in", "-o", "d.bbar", "--strict", "-q", *MODEL)
    assert strict.code == 3 and strict.err.startswith("bbans: in/d.jpg: damaged JPEG")
    assert not Path("d.bbar").exists()
    kept = run("archive", "create", "in", "-o", "in/a.jpg", "-f", *MODEL)
    assert kept.code == 3 and "inputs are kept" in kept.err
    assert Path("in/a.jpg").read_bytes() == jpeg("EXIF")


def test_urls_of_jpegs_that_cannot_be_taken(tmp_path: Path) -> None:
    files = fsspec.filesystem("memory")
    files.pipe("/inputs/a.jpg", jpeg("EXIF"))
    files.pipe("/inputs/d.jpg", BROKEN)
    url = "memory://inputs/d.jpg"
    good = url.replace("d.jpg", "a.jpg")
    for members in ("memory://inputs", [good, url]):
        made = bbans.create_archive(tmp_path / "a.bbar", members, model="none", overwrite=True)
        (other,) = made.not_taken
        assert made.items == 1 and other.place.replace("///", "//") == url
        assert other.reason.startswith("damaged JPEG")
    with pytest.raises(InputError, match=f"^{url}: damaged JPEG: [^/]*$"):
        bbans.create_archive(tmp_path / "b.bbar", url, model="none")
    with pytest.raises(InputError, match="inputs are kept"):
        bbans.create_archive(good, [good], model="none", overwrite=True)
    reading = Reading(shape=None, as_pixels=False, folder=tmp_path)
    with pytest.raises(JpegInputError, match="inputs/a.jpg: a JPEG"):
        reading.open("memory://inputs").image(0)
    found, _ = named_images([good], reading)
    assert [isinstance(member.read(), images.JpegFile) for member in found] == [True]


def test_a_jpeg_counts_as_one_tile(here: Path) -> None:
    Path("a.jpg").write_bytes(jpeg("EXIF"))
    np.save("b.npy", np.zeros((9, 9), np.uint8))
    told: list[tuple[str, int, int]] = []

    def tell(*what: Any) -> None:
        told.append(what)

    bbans.compress_file("a.jpg", "a.bbans", progress=tell)
    bbans.compress_file("a.jpg", "a.bbans", progress=tell, verify=False, overwrite=True)
    assert told == [("coded", 1, 1), ("checked", 1, 1), ("coded", 1, 1)]
    told.clear()
    bbans.decompress_file("a.bbans", "b.jpg", progress=tell)
    bbans.decompress_file("a.bbans", "b.png", progress=tell)
    bbans.decompress_file("a.bbans", "c.png", progress=tell, keep_going=True)
    bbans.verify(Path("a.bbans").read_bytes(), progress=tell)
    assert told == 4 * [("decoded", 1, 1)]
    assert images.read_image("c.png").pixels.shape == (97, 131, 3)
    told.clear()
    bbans.create_archive("a.bbar", ["a.jpg", "b.npy"], model="none", progress=tell)
    assert told[-1] == ("coded", 2, 2)
