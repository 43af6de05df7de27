"""Standard streams that are closed, full, narrow or terminals; pipes as files; names that are odd;
signals that end the process.
"""

from __future__ import annotations

import errno
import io
import os
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

import bbans
from bbans.errors import InputError
from bbans.images import sources
from bbans_cli.ending import signals_raised
from bbans_cli.main import main
from tests.cli.conftest import Run, Standin
from tests.tiny import smooth_image

Runner = Callable[..., Run]
MODEL = ("--model", "none")
posix = pytest.mark.skipif(os.name != "posix", reason="descriptors as files, signals")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def photo(here: Path) -> bytes:
    """The bytes of `a.png`."""
    PIL.Image.fromarray(smooth_image(9, 12)).save("a.png")
    return Path("a.png").read_bytes()


@pytest.fixture
def pipe() -> Any:
    """A function that makes a pipe of bytes and returns its name."""
    opened = []

    def make(data: bytes) -> str:
        out, into = os.pipe()
        opened.append(out)
        os.write(into, data)
        os.close(into)
        return f"/dev/fd/{out}"

    yield make
    for out in opened:
        os.close(out)


@posix
def test_pipes_are_files(photo: bytes, run: Runner, pipe: Callable[[bytes], str]) -> None:
    assert run("compress", "a.png", *MODEL).code == 0
    data = Path("a.bbans").read_bytes()
    assert run("compress", pipe(photo), *MODEL) == Run(0, data, "")
    assert run("compress", pipe(photo), "-o", "b.bbans", *MODEL).code == 0
    assert Path("b.bbans").read_bytes() == data
    assert run("decompress", pipe(data), "-o", "b.png").code == 0
    assert np.array_equal(PIL.Image.open("b.png"), smooth_image(9, 12))
    assert b"12 x 9 rgb8" in run("info", pipe(data)).out
    assert run("verify", pipe(data), pipe(data)).code == 0
    assert b"PNG" in run("bench", "--effort", "fast", pipe(photo)).out
    assert run("archive", "create", pipe(photo), "a.png", "-o", "a.bbar", *MODEL, "-q").code == 0
    assert b"a.png" in run("archive", "list", pipe(Path("a.bbar").read_bytes())).out
    broken = pipe(photo[:80])
    assert run("compress", broken, "-o", "c.bbans", *MODEL).err.count(broken) == 1
    two = run("compress", pipe(photo), "a.png", *MODEL)
    assert two.code == 2 and "has no name to use for an output" in " ".join(two.err.split())


@posix
def test_a_pipe_that_never_ends_is_refused() -> None:
    out, into = os.pipe()
    with os.fdopen(out, "rb") as file, pytest.raises(InputError, match="at most 2 bytes"):
        os.write(into, b"abc")
        os.close(into)
        sources.read_bounded(file, "-", limit=2)


@posix
@pytest.mark.parametrize("command", ["compress", "info", "verify", "bench", "decompress"])
def test_a_named_pipe_is_not_waited_for(here: Path, run: Runner, command: str) -> None:
    os.mkfifo("pipe")
    refused = run(command, "pipe")
    assert refused.code == 3 and refused.err.count("\n") == 1


def test_standard_input_from_a_terminal(
    here: Path, standin: Standin, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal())
    assert main(["compress", "-"]) == 3
    assert capfd.readouterr().err == (
        "bbans: -: standard input is a terminal: redirect it, or name a file\n"
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["info", "a.bbans"],
        ["info", "--json", "a.bbans"],
        ["info", "--plot", "a.bbans"],
        ["bench", "a.png"],
        ["archive", "list", "a.bbar"],
        ["models", "list"],
        ["models", "show", "photo-2"],
        ["completion", "bash"],
        ["--version"],
        ["compress", "-c", "a.png"],
        ["decompress", "-c", "a.bbans"],
        ["evaluate", "a.png", "--model", "photo-fast-1"],
    ],
    ids=" ".join,
)
def test_standard_output_is_closed(
    photo: bytes, monkeypatch: pytest.MonkeyPatch, capfd: Any, arguments: list[str]
) -> None:
    bbans.compress_file("a.png", "a.bbans", model="none")
    bbans.create_archive("a.bbar", "a.png", model="none")
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", None)
        assert main(arguments) == 4
    out, err = capfd.readouterr()
    assert out == "" and err.count("\n") == 1 and "standard output is closed" in err


def test_standard_error_is_full(photo: bytes, run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.StringIO):
        def write(self, _: str) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(sys, "stderr", Full())
    assert main(["compress", "missing.png", "a.png", *MODEL]) == 3
    assert Path("a.bbans").exists()


def test_an_output_in_ascii(photo: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("é.png").write_bytes(photo)
    bbans.compress_file("a.png", "é.bbans", model="none")
    screen = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(screen, "ascii", write_through=True))
    assert main(["info", "--plot", "é.bbans"]) == 0
    assert main(["bench", "--effort", "fast", "é.png"]) == 0
    lines = screen.getvalue().splitlines()
    assert any(line.isascii() and b" ideal" in line and b"##" in line for line in lines)
    assert b"\\xe9.png, " in screen.getvalue() and any(b"| PNG" in line for line in lines)


@pytest.mark.parametrize("command", ["compress", "decompress", "info", "verify", "bench"])
def test_names_that_are_no_files_do_not_stop_the_others(
    photo: bytes, run: Runner, command: str
) -> None:
    bbans.compress_file("a.png", "good.bbans", model="none")
    good = "a.png" if command in ("compress", "bench") else "good.bbans"
    odd = [".", "", "..", os.path.abspath(os.sep)]
    if os.name == "posix":
        os.symlink("self", "self")
        odd.append("self")
    options = ["--effort", "fast"] if command in ("compress", "bench") else []
    made = run(command, *odd, good, *options)
    assert made.code == 3
    lines = made.err.splitlines()
    assert [line.split(": ")[1] for line in lines] == [name or "''" for name in odd]
    assert command in ("compress", "decompress") or made.out
    assert command != "compress" or Path("a.bbans").exists()
    assert command != "decompress" or Path("good.png").exists()


@pytest.mark.parametrize("command", ["compress", "info", "verify", "bench", "decompress"])
def test_an_unreadable_file_is_an_error_of_its_own(
    photo: bytes, run: Runner, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """Also where the system says so before the file is opened, as click asks it."""
    bbans.compress_file("a.png", "good.bbans", model="none")
    good = "a.png" if command in ("compress", "bench") else "good.bbans"
    Path("locked").write_bytes(Path(good).read_bytes())
    options = ["--effort", "fast"] if command in ("compress", "bench") else []
    access = os.access
    monkeypatch.setattr(
        os, "access", lambda path, mode: os.fspath(path) != "locked" and access(path, mode)
    )
    assert run(command, "locked", good, *options).code == 0
    if os.name == "posix" and os.geteuid():
        Path("locked").chmod(0)
        made = run(command, "locked", good, *options, *(["-f"] if "compress" in command else []))
        assert made.code == 3 and made.err == "bbans: locked: Permission denied\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["compress"],
        ["bench"],
        ["archive", "create", "-o", "x.bbar"],
        ["archive", "list"],
        ["archive", "extract"],
        ["info"],
        ["verify"],
        ["decompress"],
        ["evaluate"],
    ],
    ids=" ".join,
)
def test_an_error_names_its_file_once(photo: bytes, run: Runner, arguments: list[str]) -> None:
    Path("in").mkdir()
    Path("in/damaged.png").write_bytes(photo[:80])
    names = [os.path.join("in", "damaged.png"), os.path.join(os.curdir, "in", "damaged.png")]
    for name in names:
        failed = run(*arguments, name)
        assert failed.code in (3, 5) and failed.out == b""
        assert failed.err.count("damaged.png") == 1 and failed.err.count("\n") == 1
    if arguments[0] in ("compress", "decompress", "info", "verify", "bench"):
        failed = run(*arguments, "-", stdin=photo[:80])
        assert failed.err.startswith("bbans: -: ") and tempfile.gettempdir() not in failed.err


def test_control_characters_of_names_do_not_reach_the_terminal(here: Path, run: Runner) -> None:
    name = "a\n\x1b[31m\u2028.png"
    assert run("compress", name).err.startswith("bbans: a\\n\\x1b[31m\\u2028.png: ")
    assert run("archive", "list", name).err.isprintable() is False  # the newline at its end
    assert run("archive", "list", name).err[:-1].isprintable()


def test_a_read_only_folder_is_found_before_the_work(
    photo: bytes, run: Runner, standin: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("locked").mkdir()
    access = os.access
    monkeypatch.setattr(
        os,
        "access",
        lambda path, mode: (
            not (Path(path) == Path("locked") and mode & os.W_OK) and access(path, mode)
        ),
    )
    for output in ("locked/a.bbans", "locked/new/a.bbans", "a.png/a.bbans"):
        refused = run("compress", "a.png", "-o", output)
        assert refused.code == 4 and refused.err.count("\n") == 1
    assert standin.calls == []
    refused = run("sample", "--model", "missing", "-o", "no/such/folder.png")
    assert refused.code == 4 and "a folder was expected, found nothing" in refused.err


@posix
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_signal_that_ends_the_process_leaves_no_copy(
    here: Path, run: Runner, standin: Standin, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    number = getattr(signal, name)
    Path("temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(here / "temporary"))
    copies = []

    def ended(source: Path, target: Path, **_: object) -> None:
        copies.append(source.read_bytes())
        try:
            os.kill(os.getpid(), number)
        finally:  # a second, which `timeout` sends too, changes nothing
            os.kill(os.getpid(), number)

    monkeypatch.setattr(bbans, "compress_file", ended)
    before = signal.signal(number, signal.SIG_DFL)  # the tests may run under nohup
    try:
        assert run("compress", "-", "-o", "x", stdin=b"an image") == Run(
            128 + number, b"", f"bbans: ended by {name}\n"
        )
        assert copies == [b"an image"] and os.listdir("temporary") == []
        assert signal.getsignal(number) == signal.SIG_DFL
    finally:
        signal.signal(number, before)


@posix
def test_a_signal_that_is_ignored_stays_so(here: Path, run: Runner, standin: Standin) -> None:
    """As SIGHUP is under nohup."""
    Path("a.png").write_bytes(b"1")
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with signals_raised():
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
            os.kill(os.getpid(), signal.SIGHUP)
        assert run("compress", "a.png").code == 0
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize(
    "arguments",
    [
        ["archive", "create", "a.png", "-o", "a.png"],
        ["archive", "create", ".", "-o", "a.png"],
        ["archive", "create", "a.npy", "a.png", "-o", "a.npy"],
        ["archive", "create", "a.png", "-o", "link.png"],
        ["archive", "extract", "link.png", "link.png", "-o", "."],
        ["info", "a.bbans", "--heatmap", "a.bbans"],
        ["info", "a.bbans", "--plot-file", "link.bbans"],
        ["info", "a.bbans", "--heatmap", "x.png", "--plot-file", "./x.png"],
        ["evaluate", "a.png", "--csv", "a.png"],
        ["evaluate", "a.png", "--report", "x", "--csv", "x"],
        ["reconstruct", "a.npy", "-o", "a.npy"],
        ["interpolate", "a.npy", "-o", "a.npy"],
        ["train", "a.npy", "-o", "a.npy"],
        ["train", ".", "--recipe", "recipe.toml", "-o", "recipe.toml"],
    ],
    ids=" ".join,
)
def test_inputs_are_kept(photo: bytes, run: Runner, arguments: list[str]) -> None:
    """Whatever -f overwrites, and by whatever name."""
    np.save("a.npy", np.zeros((3, 4, 5), np.uint8))
    bbans.compress_file("a.png", "a.bbans", model="none")
    Path("recipe.toml").touch()
    Path("link.bbans").symlink_to("a.bbans")
    if arguments[1] == "extract":
        bbans.create_archive("link.png", "a.png", model="none")
        bbans.create_archive(
            "link.png", [("link.png", smooth_image(9, 12))], model="none", overwrite=True
        )
    else:
        Path("link.png").symlink_to("a.png")
    before = {path.name: path.read_bytes() for path in Path().iterdir()}
    refused = run(*arguments, "-f")
    assert refused.code in (2, 3, 4) and refused.out == b""
    assert {path.name: path.read_bytes() for path in Path().iterdir()} == before


@pytest.mark.parametrize(
    "arguments",
    [
        ["compress", "a.png", "-o", ""],
        ["compress", "a.png", "--model", ""],
        ["decompress", "a.bbans", "-o", ""],
        ["archive", "create", "a.png", "-o", ""],
        ["archive", "create", "a.png", "-o", "x", "--file-model", ""],
        ["archive", "extract", "a.bbar", "-o", ""],
        ["models", "show", ""],
        ["evaluate", "a.png", "--csv", ""],
        ["sample", "-o", ""],
    ],
    ids=" ".join,
)
def test_empty_names_are_wrong_usage(here: Path, run: Runner, arguments: list[str]) -> None:
    """They come from a shell's variables that are not set."""
    Path("a.png").write_bytes(b"1")
    refused = run(*arguments)
    assert refused.code == 2 and "found an empty one" in refused.err
    assert os.listdir() == ["a.png"]
