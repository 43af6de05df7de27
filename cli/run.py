"""Work on many files in one call: an error of one file is reported on one line, and the others are
processed nevertheless.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from bbans.errors import BbansError, InputError, OutOfMemoryError, OutputError
from bbans.execution.executor import on_pool

if TYPE_CHECKING:
    from bbans.execution.dask import Cluster

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
    work: Callable[[str], None],
    bar: bool,
    at_once: int = 1,
) -> int:
    """Check all sources, then work on those that passed; return the exit code of the first failure.

    bar: show a progress bar. at_once: sources to work on in parallel.

    Examples:
        >>> process(["a"], check=lambda source: None, work=lambda source: None, bar=False)
        0
    """
    checked = each(sources, check)
    with progress(checked.done, bar) as step:

        def work_with_progress(source: str) -> None:
            step(source)
            work(source)

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

    source: the file that was worked on, named in the line.

    Examples:
        >>> report(InputError("no image"), "a.txt")
        3
    """
    if isinstance(error, BbansError):
        message, status = str(error), error.exit_code
    else:
        message, status = _describe(error, source)
    where = "" if source is None else f"{click.format_filename(source)}: "
    say(f"bbans: {where}{' '.join(message.split())}")
    return status


def _describe(error: OSError, source: str | None) -> tuple[str, int]:
    """Return the message and exit code of an OSError: an input error if it is about the source."""
    message = error.strerror or str(error)
    if error.filename is None:
        return message, OutputError.exit_code
    name = os.fsdecode(error.filename)
    if source is not None and os.path.normpath(name) == os.path.normpath(source):
        return message, InputError.exit_code
    return f"{message}: {click.format_filename(name)}", OutputError.exit_code


def say(message: str) -> None:
    """Print one line on standard error."""
    click.echo(message, err=True)


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


@contextmanager
def progress(sources: Sequence[str], shown: bool) -> Iterator[Callable[[str], None]]:
    """Show a progress bar over the sources on standard error, as a context manager.

    It gives a function to call with each source before the work on it. No bar is shown unless
    `shown` and standard error is a terminal.

    Examples:
        >>> with progress(["a"], shown=False) as step:
        ...     step("a")
    """
    if not shown or sys.stderr is None or not sys.stderr.isatty():
        yield lambda source: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
    )

    columns = (
        SpinnerColumn(),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}", markup=False),
    )
    # standard output is not redirected, since it may carry the result
    with Progress(
        *columns, console=Console(stderr=True), transient=True, redirect_stdout=False
    ) as bar:
        task = bar.add_task("", total=len(sources))
        started: list[str] = []

        def step(source: str) -> None:
            bar.update(
                task,
                completed=len(started),
                description=click.format_filename(source),
                refresh=True,
            )
            started.append(source)

        yield step
