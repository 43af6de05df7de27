"""Work over many jobs, here or elsewhere: a function of a context and a job, called for every job,
results in order.

The context is what all jobs share (a model's network). Who spreads the work has it, the function
does not carry it: so threads share one, and every machine of a cluster makes its own. Jobs within a
job share its call's permits (`exact.threads`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from typing import Protocol, TypeVar

from bbans.exact.threads import Job as Job
from bbans.exact.threads import Result as Result
from bbans.exact.threads import Results as Results
from bbans.exact.threads import (
    available_cores,
    one_openmp_thread,
    permits_of_this_call,
    permitted,
    spare_permits,
)
from bbans.exact.threads import on_pool as on_pool
from bbans.exact.threads import windowed as windowed

Context = TypeVar("Context")
Request = TypeVar("Request", bound=Hashable)
Context_co = TypeVar("Context_co", covariant=True)


class Executor(Protocol[Context_co]):
    """Calls a function with the context for every job and yields the results in order.

    Jobs are taken as they can be worked on.

    Who stops before the last result closes the generator.
    """

    def __call__(
        self, function: Callable[[Context_co, Job], Result], jobs: Iterable[Job], /
    ) -> Results[Result]: ...


class Workers(Protocol):
    """A cluster as `execution.dask` connects to one."""

    @property
    def threads(self) -> int:
        """Threads of all workers."""

    def spread(self, build: Callable[[Request], Context], request: Request) -> Executor[Context]:
        """Work in the context `build(request)`, made at each worker."""


@dataclass(frozen=True)
class Execution:
    """Where jobs run: on so many threads of this process (None: one a core), or on the workers of a
    cluster. What comes out depends on neither.
    """

    threads: int | None = None
    cluster: Workers | None = None

    def executor(self, build: Callable[[Request], Context], request: Request) -> Executor[Context]:
        """Work in the context `build(request)`, made here once, or once at each worker."""
        if self.cluster is not None:
            return self.cluster.spread(build, request)
        return on_threads(build(request), self.threads)


def on_threads(context: Context, threads: int | None) -> Executor[Context]:
    """Up to `threads` threads of this process (default: one a core)."""

    def spread(function: Callable[[Context, Job], Result], jobs: Iterable[Job]) -> Results[Result]:
        return in_order(partial(function, context), jobs, threads)

    return spread


def in_order(
    function: Callable[[Job], Result], jobs: Iterable[Job], threads: int | None
) -> Results[Result]:
    """Results in order, from up to `threads` threads (default: one a core), at most one waiting
    result a thread.

    Within a job of another call the threads are those that this call has free.
    """
    rest = iter(jobs)
    first = list(islice(rest, 2))
    if permits_of_this_call() is not None:
        with spare_permits(
            0 if len(first) < 2 or threads == 1 else (threads or available_cores()) - 1
        ) as helpers:
            yield from on_pool(function, chain(first, rest), helpers + 1)
        return
    workers = threads or available_cores()
    permits = threading.Semaphore(workers)

    def job_of_a_call(job: Job) -> Result:
        with permitted(permits), one_openmp_thread(wanted=False):
            return function(job)

    yield from on_pool(job_of_a_call, chain(first, rest), 1 if len(first) < 2 else workers)


@contextmanager
def all_threads(threads: int | None = None) -> Iterator[None]:
    """One job as a call of its own, whose bands may take so many threads (default: one a core)."""
    if permits_of_this_call() is not None:
        yield
        return
    with (
        permitted(threading.Semaphore(threads or available_cores())),
        one_openmp_thread(wanted=False),
    ):
        yield
