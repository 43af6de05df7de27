"""Work on many files in one call: an error of one file is reported on one line, and the others are
processed nevertheless.
"""

from __future__ import annotations

import errno
import os
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bbans.errors import BbansError, InputError, OutOfMemoryError, OutputError
from bbans.execution.executor import on_pool
from bbans.options import Progress

from .progress import shown_progress

if TYPE_CHECKING:
    from bbans.execution.dask import Cluster
    from bbans.images import NotTaken

MEMORY_PHRASES = (  # found in messages of errors that mean a lack of memory or threads
    "allocate memory",
    "not enough memory",
    "failed to map segment",
    "can't start new thread",
    "std::bad_alloc",
    "cannot allocate",
)


@dataclass(frozen=True)
class Outcome:
    """The sources that succeeded, and the exit code of the first failure (0: none)."""

    done: tuple[str, ...]
    status: int


def each(sources: Iterable[str], work: Callable[[str], None], at_once: int = 1) -> Outcome:
    """Call `work` for every source, up to `at_once` in parallel, and report failures in order.

    Examples:
        >>> each(["a", "b"], work=lambda source: None)
        Outcome(done=('a', 'b'), status=0)
    """
    done, status = [], 0

    def attempt(source: str) -> tuple[str, BbansError | OSError | None]:
        try:
            with memory_errors_named():
                work(source)
        except BrokenPipeError:
            raise  # the reader of standard output is gone
        except (BbansError, OSError) as error:
            return source, error
        return source, None

    for source, error in on_pool(attempt, sources, at_once):
        if error is None:
            done.append(source)
        else:
            failure = report(error, source)
            status = status or failure
    return Outcome(tuple(done), status)


def process(
    sources: Iterable[str],
    check: Callable[[str], None],
    work: Callable[[str, Progress | None], None],
    bar: bool,
    at_once: int = 1,
    stages: tuple[str, ...] = ("decoded",),
) -> int:
    """Check all sources, then work on those that passed; return the exit code of the first failure.

    work: gets a source and the function that is told of its tiles, None without a bar. bar: show a
    progress bar, if standard error is a terminal. at_once: sources to work on in parallel. stages:
    what is done to a source's tiles, in order.

    Examples:
        >>> process(["a"], check=lambda source: None, work=lambda source, told: None, bar=False)
        0
    """
    checked = each(sources, check)
    with shown_progress(checked.done, bar and bool(checked.done), stages) as begin:

        def work_with_progress(source: str) -> None:
            with begin(source) as told:
                work(source, told)

        worked = each(checked.done, work_with_progress, at_once)
    return checked.status or worked.status


@contextmanager
def memory_errors_named() -> Iterator[None]:
    """Turn errors that mean a lack of memory or threads into OutOfMemoryError; a context manager.

    They differ between numpy, torch, the dynamic linker and Python.

    Examples:
        >>> with memory_errors_named():
        ...     raise MemoryError
        Traceback (most recent call last):
        bbans.errors.OutOfMemoryError: memory was short (MemoryError); ...
    """
    try:
        yield
    except (MemoryError, OSError, RuntimeError, ImportError, SystemError) as error:
        no_memory = isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM
        if no_memory or any(phrase in str(error).lower() for phrase in MEMORY_PHRASES):
            advice = "give this process more, fewer --threads, or a smaller image"
            raise OutOfMemoryError(
                f"memory was short ({type(error).__name__}); {advice}"
            ) from error
        raise


def report(error: BbansError | OSError, source: str | None = None) -> int:
    """Print an error on one line of standard error; return the exit code.

    source: the file that was worked on, which the line begins with, once: messages of the package
    may name it too.

    Examples:
        >>> report(InputError("no image"), "a.txt"), report(InputError("a.txt: no image"), "a.txt")
        (3, 3)
    """
    if isinstance(error, BbansError):
        message, status = str(error), error.exit_code
    else:
        message, status = _describe(error, source)
    where = ""
    if source is not None:
        where = f"{shown(source)}: "
        for name in (source, str(Path(source)), source.removeprefix("file://")):
            message = message.removeprefix(f"{name}: ")
    say(f"bbans: {where}{printable(' '.join(message.split()))}")
    return status


def _describe(error: OSError, source: str | None) -> tuple[str, int]:
    """Return the message and exit code of an OSError: an input error if it is about the source."""
    message = error.strerror or str(error)
    if error.filename is None:
        return message, OutputError.exit_code
    name = os.fsdecode(error.filename)
    path = (source or "").removeprefix("file://")
    if source is not None and os.path.normpath(name) == os.path.normpath(path):
        return message, InputError.exit_code
    return f"{message}: {shown(name)}", OutputError.exit_code


def shown(name: str) -> str:
    r"""Return a file's name as it is printed: on one line, with bytes that are no text replaced.

    Examples:
        >>> shown("a.png"), shown("two\nlines.png"), shown("")
        ('a.png', 'two\\nlines.png', "''")
    """
    return printable(click.format_filename(name)) or "''"


def printable(text: str) -> str:
    r"""Return a text with control characters as escapes: names may hold any, and a terminal obeys
    them.

    Examples:
        >>> printable("red \x1b[31m")
        'red \\x1b[31m'
    """
    return "".join(
        ascii(c)[1:-1] if unicodedata.category(c) in ("Cc", "Zl", "Zp") else c for c in text
    )


def say(message: str) -> None:
    """Print one line on standard error. That it is closed or full does not count as a failure."""
    with suppress(OSError):
        click.echo(message, err=True)


def say_not_taken(not_taken: Sequence[NotTaken]) -> int:
    """Print a line for every file that is left out; return the exit code, 0 if there is none.

    Examples:
        >>> say_not_taken([])
        0
    """
    for other in not_taken:
        report(InputError(f"left out: {other.reason}"), other.place)
    return InputError.exit_code if not_taken else 0


def print_result(text: str) -> None:
    """Print a result on standard output. Raises OutputError if that is closed.

    Examples:
        >>> print_result("a result")
        a result
    """
    check_standard_output()
    click.echo(text)


def check_standard_output() -> None:
    """Raise OutputError if standard output is closed.

    Examples:
        >>> check_standard_output()
    """
    if sys.stdout is None:
        raise OutputError("standard output is closed: redirect it, or name a file with -o")


@contextmanager
def on_cluster(address: str | None) -> Iterator[Cluster | None]:
    """Connect to the dask cluster at an address; None without an address. A context manager.

    Raises ClusterError.

    Examples:
        >>> with on_cluster(None) as cluster:
        ...     print(cluster)
        None
    """
    if address is None:
        yield None
        return
    from bbans.execution.dask import connected

    with connected(address) as cluster:
        yield cluster
