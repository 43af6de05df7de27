"""Names, streams and failures of `compress` and `decompress`, with a stand-in for the codec."""

from __future__ import annotations

import errno
import io
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

import bbans
from bbans_cli.main import main
from tests.cli.conftest import Run, Standin

Runner = Callable[..., Run]


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def put(folder: Path, **contents: bytes) -> None:
    """Files by name, with "_" for the dot."""
    for name, data in contents.items():
        (folder / name.replace("_", ".")).write_bytes(data)


def test_default_names_and_inputs_are_kept(here: Path, run: Runner, standin: Standin) -> None:
    put(here, a_png=b"1", b_tif=b"2")
    assert run("compress", "a.png", "b.tif") == Run(0, b"", "")
    assert files(here) == {"a.png": b"1", "b.tif": b"2", "a.bbans": b"bb1", "b.bbans": b"bb2"}
    (here / "a.png").unlink()
    assert run("decompress", "a.bbans", "b.bbans") == Run(0, b"", "")
    assert files(here) == {
        "a.png": b"1",
        "b.png": b"2",
        "b.tif": b"2",
        "a.bbans": b"bb1",
        "b.bbans": b"bb2",
    }
    assert [
        options.get("format") for name, options in standin.calls if name == "decompress_file"
    ] == ["png", "png"]


def test_kept_suffixes(here: Path, run: Runner, standin: Standin) -> None:
    put(here, a_png=b"1", a_tif=b"2", b=b"3", a_JPG=b"4")
    both = run("compress", "a.png", "a.tif")
    assert both.code == 2 and "--keep-suffix" in both.err and not standin.calls
    assert run("compress", "--keep-suffix", "a.png", "a.tif", "b", "a.JPG") == Run(0, b"", "")
    made = {f"{name}.bbans" for name in ("a.png", "a.tif", "b", "a.JPG")}
    assert set(files(here)) == {"a.png", "a.tif", "b", "a.JPG", *made}
    for name in ("a.png", "a.tif", "b"):
        (here / name).unlink()
    assert run("decompress", *sorted(made)).code == 0
    assert {name: data for name, data in files(here).items() if name not in made} == {
        "a.png": b"1",
        "a.tif": b"2",
        "b.png": b"3",
        "a.JPG": b"4",
        "a.JPG.png": b"4",  # no JPEG is written
    }
    kinds = [options["format"] for name, options in standin.calls if name == "decompress_file"]
    assert kinds == ["png", "png", "tiff", "png"]
    assert run("decompress", "--format", "tiff", "a.png.bbans", "a.tif.bbans", "-o", "x/").code == 0
    assert {path.name for path in Path("x").iterdir()} == {"a.png.tiff", "a.tif"}
    assert run("compress", "--keep-suffix", "a.tif", "-o", "y/").code == 0
    assert Path("y/a.tif.bbans").read_bytes() == b"bb2"


def test_an_input_without_our_suffix_keeps_its_name(
    here: Path, run: Runner, standin: Standin
) -> None:
    put(here, a_old=b"bb1")
    assert run("decompress", "a.old").code == 0
    assert files(here) == {"a.old": b"bb1", "a.old.png": b"1"}


@pytest.mark.parametrize("output", ["x.bbans", "folder/x.bbans", "-"])
def test_output_of_one(here: Path, run: Runner, standin: Standin, output: str) -> None:
    put(here, a_png=b"1")
    result = run("compress", "a.png", "-o", output)
    assert result == Run(0, b"bb1" if output == "-" else b"", "")
    assert files(here) == {"a.png": b"1"} | ({} if output == "-" else {output: b"bb1"})


@pytest.mark.parametrize("inputs", [["a.png"], ["a.png", "b.png"]])
def test_output_directory(here: Path, run: Runner, standin: Standin, inputs: list[str]) -> None:
    put(here, a_png=b"1", b_png=b"2")
    assert run("compress", *inputs, "-o", "new/").code == 0
    assert set(files(here)) == {"a.png", "b.png", *(f"new/{name[0]}.bbans" for name in inputs)}
    assert run("compress", *inputs, "-f", "-o", "new").code == 0


def test_streams(
    here: Path, run: Runner, standin: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(here))
    put(here, a_png=b"1")
    assert run("compress", "-c", "a.png").out == b"bb1"
    assert run("compress", "-", stdin=b"\xff2").out == b"bb\xff2"
    assert run("decompress", "-", stdin=b"bb\xff2").out == b"\xff2"
    assert run("compress", "-", "-o", "x", stdin=b"3").code == 0
    assert files(here) == {"a.png": b"1", "x": b"bb3"}  # and no temporary file


def test_a_failure_writes_nothing_to_standard_output(
    here: Path, run: Runner, standin: Standin
) -> None:
    assert run("decompress", "-", stdin=b"junk") == Run(
        5, b"", "bbans: -: no bbans file: its first bytes are wrong\n"
    )


def test_a_terminal_gets_no_binary_data(
    here: Path, run: Runner, standin: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(here, a_png=b"1")
    with monkeypatch.context() as patch:
        patch.setattr(sys.stdout, "isatty", lambda: True)
        assert run("compress", "-c", "a.png").code == 4
        assert run("compress", "-c", "-f", "a.png").out == b"bb1"


@pytest.mark.parametrize(
    "arguments",
    [
        ["a.png", "sub/../a.png"],  # one output for two
        ["a.png", "a.tif"],
        ["a.png", "a.png"],
        ["a.png", "sub/a.png", "-o", "out"],
        ["a.png", "b.png", "-o", "a.tif"],  # a file is no directory
        ["a.png", "b.png", "-c"],
        ["a.png", "b.png", "-o", "-"],
        ["a.png", "-c", "-o", "x"],
        ["a.png", "-"],
        ["-", "-o", "sub"],  # no name to use in a directory
        ["a.bbans"],  # would overwrite an input
        ["a.bbans", "-f"],
        ["a.png", "a.bbans", "-f"],
        ["link.png", "-o", "a.png", "-f"],
        ["a.png", "--threads", "0"],
        ["a.png", "--nonsense"],
        [],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_found_before_anything_is_done(
    here: Path, run: Runner, standin: Standin, arguments: list[str]
) -> None:
    (here / "sub").mkdir()
    put(here, a_png=b"1", b_png=b"2", a_tif=b"3", a_bbans=b"4")
    (here / "sub/a.png").write_bytes(b"5")
    (here / "link.png").symlink_to("a.png")
    before = files(here)
    result = run("compress", *arguments)
    assert (result.code, result.out, standin.calls) == (2, b"", [])
    assert "Error: " in result.err
    assert files(here) == before


def test_existing_outputs_are_found_before_the_work(
    here: Path, run: Runner, standin: Standin
) -> None:
    put(here, a_png=b"1", b_png=b"2", b_bbans=b"old")
    result = run("compress", "a.png", "b.png")
    assert result == Run(
        4,
        b"",
        "bbans: b.png: b.bbans exists: overwrite it with -f, or name another output with -o\n",
    )
    assert files(here) == {"a.png": b"1", "b.png": b"2", "a.bbans": b"bb1", "b.bbans": b"old"}
    assert len(standin.calls) == 1
    assert run("compress", "-f", "a.png", "b.png").code == 0
    assert files(here)["b.bbans"] == b"bb2"


def test_a_directory_as_output_is_never_replaced(here: Path, run: Runner, standin: Standin) -> None:
    put(here, a_png=b"1")
    (here / "a.bbans").mkdir()
    assert run("compress", "-f", "a.png") == Run(4, b"", "bbans: a.png: Is a directory: a.bbans\n")


def test_the_others_go_on_after_a_failure(here: Path, run: Runner, standin: Standin) -> None:
    put(here, a_png=b"bad", b_png=b"2")
    (here / "c.png").mkdir()
    result = run("compress", "missing.png", "a.png", "b.png", "c.png")
    assert result.code == 3
    assert sorted(result.err.splitlines()) == [
        "bbans: a.png: a palette image: give RGB",
        "bbans: c.png: Is a directory",
        "bbans: missing.png: No such file or directory",
    ]
    assert files(here) == {"a.png": b"bad", "b.png": b"2", "b.bbans": b"bb2"}


def test_the_first_failure_gives_the_exit_code(here: Path, run: Runner, standin: Standin) -> None:
    put(here, a_bbans=b"junk", b_bbans=b"bb2", b_png=b"")
    assert run("verify", "a.bbans", "missing", "b.bbans").code == 3  # missing files are found first
    assert run("verify", "b.bbans", "a.bbans").code == 5


@pytest.mark.parametrize(
    ("arguments", "name", "kind"),
    [
        (["-o", "x.tif"], "x.tif", "tiff"),
        (["-o", "x.WEBP"], "x.WEBP", "webp"),
        (["-o", "x"], "x", None),  # what suits the file
        (["--format", "tiff"], "a.tiff", "tiff"),
        (["--format", "BMP", "-o", "x.dat"], "x.dat", "bmp"),
    ],
)
def test_kind_of_the_restored_file(
    here: Path, run: Runner, standin: Standin, arguments: list[str], name: str, kind: str | None
) -> None:
    put(here, a_bbans=b"bb1")
    assert run("decompress", "a.bbans", *arguments).code == 0
    assert files(here)[name] == b"1"
    assert standin.calls[0][1]["format"] == kind


def test_a_lossy_kind_is_refused(here: Path, run: Runner, standin: Standin) -> None:
    put(here, a_bbans=b"bb1")
    result = run("decompress", "a.bbans", "-o", "x.jpg")
    assert result.code == 2
    assert ".jpg is not among the lossless kinds" in " ".join(result.err.split())
    assert standin.calls == []


def test_options_reach_the_api(here: Path, run: Runner, standin: Standin) -> None:
    put(here, a_png=b"1")
    run("compress", "a.png")
    run(
        "compress",
        "a.png",
        "-f",
        "--model",
        "m",
        "--threads",
        "3",
        "--no-verify",
        "--as-pixels",
        "--model-only",
        "--strip",
        "--keep-going",
        *["--scheme", "bb-is", "--particles", "4", "--refine", "3"],
    )
    run("compress", "a.png", "-f", "--effort", "fast")
    run("decompress", "a.bbans", "-f", "--model", "m", "--threads", "3")
    run("decompress", "a.bbans", "-f", "--region", "1,2,3,4", "--preview", "5", "--max-pixels", "6")
    defaults = {
        "model": None,
        "effort": "default",
        "threads": None,
        "verify": True,
        "overwrite": False,
        "as_pixels": False,
        "model_only": False,
        "strip": False,
        "keep_going": False,
        "progress": None,
    }
    as_suits = {"cluster": None, "scheme": None, "particles": None, "refine": None}
    defaults |= as_suits
    given = {
        "model": "m",
        "effort": "default",
        "threads": 3,
        "verify": False,
        "overwrite": True,
        "as_pixels": True,
        "model_only": True,
        "strip": True,
        "keep_going": True,
        "progress": None,
    }
    given |= as_suits | {"scheme": "bb-is", "particles": 4, "refine": 3}
    whole = {"model": None, "threads": None, "overwrite": True, "format": "png"}
    whole |= {"region": None, "preview": 0, "keep_going": False, "max_pixels": 2**30}
    whole |= {"progress": None}
    assert standin.calls == [
        ("compress_file", defaults),
        ("compress_file", given),
        ("compress_file", defaults | {"effort": "fast", "overwrite": True}),
        ("decompress_file", whole | {"model": "m", "threads": 3}),
        ("decompress_file", whole | {"region": (1, 2, 3, 4), "preview": 5, "max_pixels": 6}),
    ]


def test_missing_tiles_are_named_after_the_rest_is_restored(
    here: Path, run: Runner, standin: Standin
) -> None:
    put(here, a_png=b"1")
    run("compress", "a.png")
    result = run("decompress", "a.bbans", "--keep-going", "-o", "b.png")
    assert result.code == 5 and Path("b.png").read_bytes() == b"1"
    assert result.err.splitlines() == [
        "a.bbans: tile 1, 4 x 5 at 2,3, is missing: a checksum fails",
        "bbans: a.bbans: 1 damaged tiles are missing; the rest was restored",
    ]


def test_verbose_and_quiet(here: Path, run: Runner, standin: Standin) -> None:
    put(here, a_png=b"12345678")
    assert (
        run("compress", "-v", "a.png").err == "a.png: 8 -> 10 bytes (125.0% of it, 62.5% of raw)\n"
    )
    assert run("decompress", "-v", "-f", "a.bbans").err == "a.bbans: restored to a.png\n"
    assert run("compress", "-vq", "-f", "a.png").err == ""
    assert run("compress", "-q", "a.png").err != ""  # failures are said all the same


@pytest.mark.parametrize("quiet", [[], ["-q"]])
def test_progress_bar_on_a_terminal(
    here: Path, standin: Standin, monkeypatch: pytest.MonkeyPatch, quiet: list[str]
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    put(here, **{"[red]_png": b"1", "bad_png": b"bad"})
    screen = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", screen)
    assert main(["compress", "[red].png", "bad.png", *quiet]) == 3
    assert "bbans: bad.png: a palette image: give RGB" in screen.getvalue()
    assert ("[red].png" in screen.getvalue()) == (not quiet)


def test_interrupt(
    here: Path, run: Runner, standin: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    put(here, a_png=b"1", b_png=b"2")
    monkeypatch.setattr(bbans, "compress_file", interrupted)
    result = run("compress", "a.png", "b.png")
    assert (result.code, result.err.strip()) == (130, "bbans: interrupted")


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (
            PermissionError(errno.EACCES, "Permission denied", "a.png"),
            3,
            "bbans: a.png: Permission denied\n",
        ),
        (
            PermissionError(errno.EACCES, "Permission denied", "/x/y"),
            4,
            "bbans: a.png: Permission denied: /x/y\n",
        ),
        (
            OSError(errno.ENOSPC, "No space left on device"),
            4,
            "bbans: a.png: No space left on device\n",
        ),
    ],
)
def test_system_errors(
    here: Path,
    run: Runner,
    standin: Standin,
    monkeypatch: pytest.MonkeyPatch,
    error: OSError,
    code: int,
    line: str,
) -> None:
    def failing(*_: object, **__: object) -> None:
        raise error

    put(here, a_png=b"1")
    monkeypatch.setattr(bbans, "compress_file", failing)
    assert run("compress", "a.png") == Run(code, b"", line)


def test_nobody_reads(
    here: Path, run: Runner, standin: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Closed(io.BytesIO):
        def write(self, _: object) -> int:
            raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))

    put(here, a_png=b"1")
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", io.TextIOWrapper(Closed(), write_through=True))
        with pytest.raises(SystemExit) as stop:
            main(["compress", "-c", "a.png"])
    assert stop.value.code == 1
