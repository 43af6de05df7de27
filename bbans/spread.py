"""Work over many jobs, here or elsewhere: a function of a context and a job, called for every job, results in order.

The context is what all jobs share (a model's network). Who spreads the work has it, the function does not carry it: so threads
share one, and every machine of a cluster makes its own.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import chain, islice
from typing import Any, Protocol, TypeAlias, TypeVar

Context = TypeVar("Context")
Context_co = TypeVar("Context_co", covariant=True)
Job = TypeVar("Job")
Result = TypeVar("Result")
Results: TypeAlias = Generator[Result, None, None]


class Spread(Protocol[Context_co]):
    """Calls a function with the context for every job and yields the results in order. Jobs are taken as they can be worked on.

    Who stops before the last result closes the generator.
    """

    def __call__(self, function: Callable[[Context_co, Job], Result], jobs: Iterable[Job], /) -> Results[Result]: ...


def on_threads(context: Context, threads: int | None) -> Spread[Context]:
    """Up to `threads` threads of this process (default: one a core)."""

    def spread(function: Callable[[Context, Job], Result], jobs: Iterable[Job]) -> Results[Result]:
        return in_order(partial(function, context), jobs, threads)

    return spread


def in_order(function: Callable[[Job], Result], jobs: Iterable[Job], threads: int | None) -> Results[Result]:
    """Results in order, from up to `threads` threads (default: one a core), at most one waiting result a thread."""
    workers, rest = threads or os.cpu_count() or 1, iter(jobs)
    first = [] if workers == 1 else list(islice(rest, 2))
    if len(first) < 2:
        yield from map(function, chain(first, rest))
        return
    with ThreadPoolExecutor(workers) as pool:
        yield from windowed(lambda job: pool.submit(function, job), chain(first, rest), workers)


def windowed(submit: Callable[[Job], Future[Result]], jobs: Iterable[Job], window: int) -> Results[Result]:
    """Results in order, of which at most `window` wait; what is pending is cancelled when a job fails or nobody asks for more."""
    pending: deque[Any] = deque()
    try:
        for job in jobs:
            pending.append(submit(job))
            if len(pending) > window:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        for future in pending:
            future.cancel()
