"""Which output each input gets, decided before any work is done, and streams as files.

An input is a name as it was given; "-" is standard input. An output is a path; None is standard output.
"""

from __future__ import annotations

import errno
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from bbans.errors import OutputExistsError

STREAM = "-"
# Kinds of image file that are written, with their suffixes; the first is the default.
SUFFIXES = {
    "png": (".png",),
    "tiff": (".tiff", ".tif"),
    "webp": (".webp",),
    "bmp": (".bmp",),
    "ppm": (".ppm", ".pgm", ".pbm", ".pam", ".pnm"),
    "npy": (".npy",),
}


def plan(sources: Sequence[str], output: str | None, to_stdout: bool, rename: Callable[[Path], Path]) -> dict[str, Path | None]:
    """The output of every source. `rename` gives the default: a path beside the source.

    Usage errors: two sources with one output, an output that is also a source, several outputs for one file or stream.
    """
    if to_stdout and output not in (None, STREAM):
        raise click.UsageError("-c and -o exclude each other")
    if STREAM in sources and len(sources) > 1:
        raise click.UsageError("'-' (standard input) has to be the only input")
    if to_stdout or output == STREAM or (output is None and sources[0] == STREAM):
        if len(sources) > 1:
            raise click.UsageError("standard output takes one file: give one input, or a directory with -o")
        return {sources[0]: None}
    if len(set(sources)) < len(sources):
        raise click.UsageError("an input is given twice")
    targets = _paths(sources, output, rename)
    _check_distinct(targets)
    return dict(targets)


def _paths(sources: Sequence[str], output: str | None, rename: Callable[[Path], Path]) -> dict[str, Path]:
    if output is None:
        return {source: rename(Path(source)) for source in sources}
    folder = Path(output)
    if len(sources) == 1 and not folder.is_dir() and not output.endswith(os.sep):
        return {sources[0]: folder}
    if folder.exists() and not folder.is_dir():
        raise click.UsageError(f"{output} is not a directory, and several inputs need one")
    if sources[0] == STREAM:
        raise click.UsageError("standard input has no name to use in a directory: name a file with -o, or use -c")
    return {source: folder / rename(Path(source)).name for source in sources}


def _check_distinct(targets: Mapping[str, Path]) -> None:
    inputs = {Path(source).resolve() for source in targets if source != STREAM}
    taken: dict[Path, str] = {}
    for source, target in targets.items():
        place = target.resolve()
        if place in inputs:
            raise click.UsageError(f"{target} is an input, and inputs are kept: name another output with -o")
        if place in taken:
            raise click.UsageError(f"{taken[place]} and {source} would both be written to {target}")
        taken[place] = source


def image_kind(target: Path | None) -> str:
    """The kind of image file that a name asks for; PNG for standard output and names without a suffix."""
    if target is None or not target.suffix:
        return "png"
    for kind, suffixes in SUFFIXES.items():
        if target.suffix.lower() in suffixes:
            return kind
    raise click.UsageError(
        f"{target.suffix} is not among the lossless kinds that are written ({', '.join(SUFFIXES)}); choose one with --format"
    )


def check_input(source: str) -> None:
    """Raise OSError if there is no such file or it is a directory."""
    if source == STREAM:
        return
    Path(source).stat()
    if Path(source).is_dir():
        raise _directory_error(source)


def check_output(target: Path | None, overwrite: bool) -> None:
    """Raise what can be known before the work: something is there already, or it is a terminal."""
    if target is None:
        if not overwrite and sys.stdout.isatty():
            raise OutputExistsError("standard output is a terminal: redirect it, name a file with -o, or force it with -f")
    elif target.is_dir():
        raise _directory_error(str(target))
    elif target.exists() and not overwrite:
        raise OutputExistsError(f"{target} exists: overwrite it with -f, or name another output with -o")


def _directory_error(name: str) -> OSError:
    return IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), name)


@contextmanager
def as_files(source: str, target: Path | None) -> Iterator[tuple[Path, Path]]:
    """Paths to read and to write. Standard input is read into a temporary file; standard output is written from one.

    Nothing is written to standard output if the body raises.
    """
    if source != STREAM and target is not None:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield Path(source), target
        return
    with tempfile.TemporaryDirectory(prefix="bbans-") as folder:
        read, write = Path(source), target or Path(folder, "stdout")
        if source == STREAM:
            read = Path(folder, "stdin")
            read.write_bytes(read_bytes(STREAM))
        yield read, write
        if target is None:
            sys.stdout.buffer.write(write.read_bytes())
            sys.stdout.buffer.flush()


def read_bytes(source: str) -> bytes:
    """All bytes of a file or of standard input."""
    return sys.stdin.buffer.read() if source == STREAM else Path(source).read_bytes()
