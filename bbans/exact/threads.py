"""Divides the work of one call among at most T threads, and keeps libraries from starting threads
of their own for small work.

OpenMP's threads wait for each other in loops that use a core. Beside another busy process, hundreds
of short parallel regions then take many times as long as on one thread, and a child process that is
forked after one of them waits for ever for threads that it does not have. So networks run on one
OpenMP thread (`one_openmp_thread`). Large maps are cut into bands of rows, which threads of this
module share (`in_bands`); these sleep while they wait, and end with the call.

A call that may use T threads has a semaphore of T permits (`permitted`). A job holds one permit
while it runs. The bands of a job take permits that are free, so that a single tile is computed by
all threads, and many tiles by one each.
"""

from __future__ import annotations

import ctypes
import os
import re
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias, TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")
Results: TypeAlias = Generator[Result, None, None]

# a process with another id has been forked since the import: its OpenMP threads are gone
LOADED_IN = os.getpid()
OPENMP_NAME = re.compile(r"lib(g|i)?omp\b|libg?omp-|libiomp5|libomp140|vcomp")
_PERMITS: ContextVar[threading.Semaphore | None] = ContextVar("permits", default=None)


def available_cores() -> int:
    """Returns the number of cores that this process may run on.

    Examples:
        >>> available_cores() >= 1
        True
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def permits_of_this_call() -> threading.Semaphore | None:
    """Returns the semaphore of the running call, whose permits are those that its jobs do not hold,
    or None outside of a call.

    Examples:
        >>> permits_of_this_call() is None
        True
    """
    return _PERMITS.get()


@contextmanager
def permitted(permits: threading.Semaphore) -> Iterator[None]:
    """Runs a block as a job of a call: acquires a permit first, and makes the semaphore available
    to `spare_permits` inside the block.

    Examples:
        >>> with permitted(threading.Semaphore(3)), spare_permits(10) as extra:
        ...     extra
        2
    """
    with permits:
        token = _PERMITS.set(permits)
        try:
            yield
        finally:
            _PERMITS.reset(token)


@contextmanager
def spare_permits(most: int) -> Iterator[int]:
    """Acquires up to `most` more permits of this job's call, as many as are free now, for a block;
    yields their number.

    Examples:
        >>> with spare_permits(10) as extra:  # outside of a call
        ...     extra
        0
    """
    if (permits := _PERMITS.get()) is None:
        yield 0
        return
    taken = 0
    try:
        while taken < most and permits.acquire(blocking=False):
            taken += 1
        yield taken
    finally:
        for _ in range(taken):
            permits.release()


def in_bands(function: Callable[[Job], Result], jobs: Sequence[Job]) -> Results[Result]:
    """Yields function(job) for all jobs, in order, computed by as many threads as are permitted and
    free, each on one OpenMP thread.

    Examples:
        >>> list(in_bands(abs, [-1, -2]))
        [1, 2]
    """
    with spare_permits(len(jobs) - 1) as helpers:
        yield from on_pool(partial(_alone, function), jobs, helpers + 1)


def _alone(function: Callable[[Job], Result], job: Job) -> Result:
    """function(job) on one OpenMP thread."""
    with one_openmp_thread():
        return function(job)


def on_pool(
    function: Callable[[Job], Result], jobs: Iterable[Job], workers: int
) -> Results[Result]:
    """Yields function(job) for all jobs, in order, computed by this number of threads, without
    permits of a call: for jobs that acquire permits themselves, or that mostly wait.

    Examples:
        >>> list(on_pool(abs, [-1, -2, -3], workers=2))
        [1, 2, 3]
    """
    if workers == 1:
        yield from map(function, jobs)
        return
    with ThreadPoolExecutor(workers) as pool:
        yield from windowed(lambda job: pool.submit(function, job), jobs, workers)


def windowed(
    submit: Callable[[Job], Future[Result]], jobs: Iterable[Job], window: int
) -> Results[Result]:
    """Yields the results of submitted jobs in order, with at most `window` of them pending; cancels
    what is pending when a job fails or the consumer stops.

    Examples:
        >>> with ThreadPoolExecutor(1) as pool:
        ...     list(windowed(lambda job: pool.submit(abs, job), [-1, -2], window=1))
        [1, 2]
    """
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


@contextmanager
def one_openmp_thread(wanted: bool = True) -> Iterator[None]:
    """Runs a block with one OpenMP thread for the current thread; other threads keep their number.

    With `wanted` false, this is done only in a process that was forked, whose OpenMP threads are
    gone.

    Examples:
        >>> with one_openmp_thread():
        ...     [library.get() for library in _openmp() if library.get() > 1]
        []
    """
    changed: list[tuple[OpenMP, int]] = []
    if wanted or os.getpid() != LOADED_IN:
        _initialise()
        for library in _openmp():
            if (count := library.get()) > 1:
                changed.append((library, count))
                library.set(1)
    try:
        yield
    finally:
        for library, count in changed:
            library.set(count)


def _initialise() -> None:
    """torch sets the number of OpenMP threads of a new thread on its first use there; makes it do
    so now.
    """
    if (torch := sys.modules.get("torch")) is not None and hasattr(torch, "get_num_threads"):
        torch.get_num_threads()


def _openmp() -> tuple[OpenMP, ...]:
    """The OpenMP libraries, if torch has been imported."""
    return _libraries() if "torch" in sys.modules else ()


class OpenMP(NamedTuple):
    """Functions that get and set an OpenMP library's number of threads, which it keeps for every
    calling thread (the ICV nthreads-var of the OpenMP specification).
    """

    get: Callable[[], int]
    set: Callable[[int], Any]


@lru_cache(maxsize=1)
def _libraries() -> tuple[OpenMP, ...]:
    """The OpenMP libraries that this process has loaded."""
    libraries = []
    for path in sorted(path for path in _loaded() if OPENMP_NAME.match(Path(path).name)):
        try:
            library = ctypes.CDLL(path)
            libraries.append(OpenMP(library.omp_get_max_threads, library.omp_set_num_threads))
        except (OSError, AttributeError):  # it cannot be opened again, or only has such a name
            continue
    return tuple(libraries)


def _loaded() -> set[str]:
    """Paths of this process's shared libraries; where the system does not list them, of those
    beside torch.
    """
    try:
        lines = Path("/proc/self/maps").read_text().splitlines()
    except OSError:
        folder = Path(str(sys.modules["torch"].__file__)).parent / "lib"
        return {str(path) for path in folder.iterdir()} if folder.is_dir() else set()
    return {line.split(maxsplit=5)[5] for line in lines if "/" in line}
