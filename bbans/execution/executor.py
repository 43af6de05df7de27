"""Parallel execution: a function of a context and a job is called for every job, and the results
are returned in order.

The context is what all jobs share, such as a model's network. It belongs to the executor and not to
the function: threads share one context, and each machine of a cluster builds its own. Nested
executors share the thread permits of the outermost call (`exact.threads`).
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
    """Calls a function with the context for every job, and yields the results in order.

    Jobs are consumed as workers become free. A caller that stops before the last result must close
    the generator.
    """

    def __call__(
        self, function: Callable[[Context_co, Job], Result], jobs: Iterable[Job], /
    ) -> Results[Result]: ...


class Workers(Protocol):
    """Interface of a cluster, implemented by `execution.dask.Cluster`."""

    @property
    def threads(self) -> int:
        """Return the number of threads of all workers."""

    def spread(self, build: Callable[[Request], Context], request: Request) -> Executor[Context]:
        """Return an executor whose context `build(request)` is made on each worker."""


@dataclass(frozen=True)
class Execution:
    """Where jobs run: on `threads` threads of this process (None: one per core), or on a cluster.
    Results do not depend on it.
    """

    threads: int | None = None
    cluster: Workers | None = None

    def executor(self, build: Callable[[Request], Context], request: Request) -> Executor[Context]:
        """Return an executor with the context `build(request)`, made here once, or once on each
        worker.

        Examples:
            >>> executor = Execution(threads=2).executor(lambda request: request * 10, 4)
            >>> list(executor(lambda context, job: context + job, range(3)))
            [40, 41, 42]
        """
        if self.cluster is not None:
            return self.cluster.spread(build, request)
        return on_threads(build(request), self.threads)


def on_threads(context: Context, threads: int | None) -> Executor[Context]:
    """Return an executor on up to `threads` threads of this process (None: one per core).

    Examples:
        >>> list(on_threads(10, 2)(lambda context, job: context + job, range(3)))
        [10, 11, 12]
    """

    def spread(function: Callable[[Context, Job], Result], jobs: Iterable[Job]) -> Results[Result]:
        return in_order(partial(function, context), jobs, threads)

    return spread


def in_order(
    function: Callable[[Job], Result], jobs: Iterable[Job], threads: int | None
) -> Results[Result]:
    """Yield the results of all jobs in order, from up to `threads` threads (None: one per core).

    At most one result per thread waits to be taken. Inside a job of another call, only that call's
    free threads are used.

    Examples:
        >>> list(in_order(lambda job: job * job, range(4), threads=2))
        [0, 1, 4, 9]
    """
    remaining_jobs = iter(jobs)
    first_jobs = list(islice(remaining_jobs, 2))
    if permits_of_this_call() is not None:
        with spare_permits(
            0 if len(first_jobs) < 2 or threads == 1 else (threads or available_cores()) - 1
        ) as helpers:
            yield from on_pool(function, chain(first_jobs, remaining_jobs), helpers + 1)
        return
    workers = threads or available_cores()
    permits = threading.Semaphore(workers)

    def job_of_a_call(job: Job) -> Result:
        with permitted(permits), one_openmp_thread(wanted=False):
            return function(job)

    yield from on_pool(
        job_of_a_call, chain(first_jobs, remaining_jobs), 1 if len(first_jobs) < 2 else workers
    )


@contextmanager
def all_threads(threads: int | None = None) -> Iterator[None]:
    """Run the body as a call of its own, in which up to `threads` threads (None: one per core)
    share the work of a single job.

    Inside another call this has no effect.

    Examples:
        >>> with all_threads(2):
        ...     pass
    """
    if permits_of_this_call() is not None:
        yield
        return
    with (
        permitted(threading.Semaphore(threads or available_cores())),
        one_openmp_thread(wanted=False),
    ):
        yield
