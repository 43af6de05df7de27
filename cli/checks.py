"""Checks of inputs and outputs before any work is done."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterable
from pathlib import Path

import click

from bbans.errors import InputError, OutputError, OutputExistsError
from bbans.files import urls

from .run import check_standard_output

STREAM = "-"


def resolved(place: Path | str) -> Path | str:
    """Return a path without links, and a URL unchanged. A link to itself is no error here.

    Examples:
        >>> resolved(Path("a", "..", "b")) == Path.cwd() / "b"
        True
    """
    return Path(os.path.realpath(place)) if isinstance(place, Path) else place


def check_outputs(outputs: Iterable[str | None], inputs: Iterable[str], overwrite: bool) -> None:
    """Check the outputs of options, None where one is not given, as `check_output` does.

    Raises click.UsageError if two are the same, or one is an input, too: inputs are kept.

    Examples:
        >>> check_outputs(["a.png", None], ["b.png"], overwrite=True)
    """
    kept = {resolved(urls.located(name)) for name in inputs if name != STREAM}
    seen = set()
    for output in filter(None, outputs):
        place = resolved(Path(output))
        if place in kept:
            raise click.UsageError(f"{output} is an input, and inputs are kept: name another file")
        if place in seen:
            raise click.UsageError(f"{output} is named for two outputs: name another file")
        seen.add(place)
        check_output(Path(output), overwrite)


def check_input(source: str) -> None:
    """Raise OSError if a local source does not exist or is a directory, InputError if standard
    input is one and comes from a terminal.

    Examples:
        >>> check_input("-"), check_input("s3://bucket/a.png")
        (None, None)
    """
    if source == STREAM and sys.stdin is not None and sys.stdin.isatty():
        raise InputError("standard input is a terminal: redirect it, or name a file")
    place = urls.located(source)
    if source == STREAM or isinstance(place, str):
        return
    if not source:
        raise FileNotFoundError(errno.ENOENT, "an empty name: give a file", source)
    place.stat()
    if place.is_dir():
        raise _directory_error(source)


def check_output(target: Path | str | None, overwrite: bool, makes_folder: bool = False) -> None:
    """Raise, before any work, the errors that writing an output would raise.

    makes_folder: whether the output's folder is made if it is missing. Raises OutputExistsError for
    an existing file or a terminal unless `overwrite`, OutputError for closed standard output and a
    folder that is missing or cannot be written to, and OSError for a directory.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     check_output(Path(folder, "new.png"), overwrite=False)
    """
    if target is None:
        check_standard_output()
        if not overwrite and sys.stdout.isatty():
            raise OutputExistsError(
                "standard output is a terminal: redirect it, name a file with -o, or force it "
                "with -f"
            )
    elif isinstance(target, str):
        urls.check(target, overwrite)
    elif target.is_dir():
        raise _directory_error(str(target))
    elif target.exists() and not overwrite:
        raise OutputExistsError(
            f"{target} exists: overwrite it with -f, or name another output with -o"
        )
    else:
        _check_folder(target, makes_folder)


def _check_folder(target: Path, makes_folder: bool) -> None:
    """Raise OutputError unless the folder of an output can be written to, or made."""
    folder = target.parent
    while makes_folder and not os.path.lexists(folder) and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir():
        found = "a file" if folder.exists() else "nothing"
        raise OutputError(f"{target}: cannot be written: a folder was expected, found {found}")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(
            f"{target}: cannot be written: its folder may not be written to; choose another"
        )


def _directory_error(name: str) -> OSError:
    return IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), name)
