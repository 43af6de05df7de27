"""A progress bar on standard error: of the files, and of the tiles of each."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TypeAlias

import click

from bbans.options import Progress

Begin: TypeAlias = Callable[[str], AbstractContextManager[Progress | None]]
"""Gives the context in which a source is worked on, with the function that is told of its tiles."""
WHOLE_RUN = 10.0**6
"""Seconds over which the speed is averaged: sources differ, so no recent part of them tells it."""
BEGUN = 1e-9
"""Share of a source that counts as done at its beginning: rich measures time from the first share
that is not 0.
"""


@contextmanager
def shown_progress(
    sources: Sequence[str],
    wanted: bool,
    stages: Sequence[str] = ("decoded",),
    parts: str = "tiles",
) -> Iterator[Begin]:
    """Show a progress bar over the sources, with the time that is left, as a context manager.

    wanted: if not, or if standard error is no terminal, there is no bar. stages: what is done to
    the parts of a source, in order; each counts as the same share of the work. parts: what these
    are, in words.

    Examples:
        >>> with shown_progress(["a"], wanted=False) as begin, begin("a") as told:
        ...     print(told)
        None
    """
    if not wanted or sys.stderr is None or not sys.stderr.isatty():

        @contextmanager
        def silent(source: str) -> Iterator[Progress | None]:
            yield None

        yield silent
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        SpinnerColumn,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.progress import (
        Progress as Bar,
    )

    columns = (
        SpinnerColumn(),
        BarColumn(),
        MofNCompleteColumn() if len(sources) > 1 else TaskProgressColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("left"),
        TextColumn("{task.description}", markup=False),
    )
    # standard output is not redirected, since it may carry the result
    with Bar(
        *columns,
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=False,
        speed_estimate_period=WHOLE_RUN,
    ) as bar:
        task = bar.add_task("", total=len(sources))
        shares: dict[str, float] = {}  # of each source that was begun, what is done of it

        def update(source: str, share: float, doing: str = "") -> None:
            shares[source] = max(share, BEGUN)
            name = "".join(c if c.isprintable() else "?" for c in click.format_filename(source))
            bar.update(
                task, completed=sum(shares.values()), description=name + doing, refresh=not share
            )

        @contextmanager
        def begin(source: str) -> Iterator[Progress | None]:
            def told(stage: str, done: int, total: int) -> None:
                share = (stages.index(stage) + done / total) / len(stages)
                update(source, share, f": {done} of {total} {parts} {stage}" if total > 1 else "")

            update(source, 0.0)
            try:
                yield told
            finally:
                update(source, 1.0)

        yield begin
