"""Threads of one call: what may run at once is counted, and no library starts threads of its own
for small work.

OpenMP's threads wait for each other in loops that burn a core. Beside another busy process hundreds
of short parallel regions then take many times as long as on one thread, and a child forked after
one of them waits for ever for threads that it has not got. So networks run on one thread of OpenMP
(`one_openmp_thread`), and large maps are cut into bands, which threads of ours share (`in_bands`);
these sleep while they wait, and end with the call.

A call that may use T threads has T permits (`permitted`). A job holds one while it runs. Bands of a
job take what is left, so that one tile is worked on by all threads, and many by one each.
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

LOADED_IN = (
    os.getpid()
)  # another process than this one has been forked since: its threads of OpenMP are gone
OPENMP_NAME = re.compile(r"lib(g|i)?omp\b|libg?omp-|libiomp5|libomp140|vcomp")
_PERMITS: ContextVar[threading.Semaphore | None] = ContextVar("permits", default=None)


def available_cores() -> int:
    """Cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def permits_of_this_call() -> threading.Semaphore | None:
    """The permits that are left beside those of running jobs; None where nothing has been
    permitted.
    """
    return _PERMITS.get()


@contextmanager
def permitted(permits: threading.Semaphore) -> Iterator[None]:
    """Run as a job that holds one of these permits."""
    with permits:
        token = _PERMITS.set(permits)
        try:
            yield
        finally:
            _PERMITS.reset(token)


@contextmanager
def spare_permits(most: int) -> Iterator[int]:
    """Up to so many more permits of this job's call, as many as are free now."""
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
    """Results in order, from as many threads as are permitted and free, each on one thread of
    OpenMP.
    """
    with spare_permits(len(jobs) - 1) as helpers:
        yield from on_pool(partial(_alone, function), jobs, helpers + 1)


def _alone(function: Callable[[Job], Result], job: Job) -> Result:
    with one_openmp_thread():
        return function(job)


def on_pool(
    function: Callable[[Job], Result], jobs: Iterable[Job], workers: int
) -> Results[Result]:
    """Results in order, from so many threads, which are not counted among those of a call: for jobs
    that wait, or one by one.
    """
    if workers == 1:
        yield from map(function, jobs)
        return
    with ThreadPoolExecutor(workers) as pool:
        yield from windowed(lambda job: pool.submit(function, job), jobs, workers)


def windowed(
    submit: Callable[[Job], Future[Result]], jobs: Iterable[Job], window: int
) -> Results[Result]:
    """Results in order, of which at most `window` wait; what is pending is cancelled when a job
    fails or nobody asks for more.
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
    """This thread without others of OpenMP, which is no setting of the process: other threads keep
    theirs.

    With `wanted` false only in a child that was forked, where those threads are gone.
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
    """torch sets OpenMP's threads of a new thread when it is first used there: let it do so
    before.
    """
    if (torch := sys.modules.get("torch")) is not None and hasattr(torch, "get_num_threads"):
        torch.get_num_threads()


def _openmp() -> tuple[OpenMP, ...]:
    """The OpenMP libraries that torch has brought."""
    return _libraries() if "torch" in sys.modules else ()


class OpenMP(NamedTuple):
    """A library's number of threads, which it keeps for every thread that calls it (the ICV
    nthreads-var of the OpenMP specification).
    """

    get: Callable[[], int]
    set: Callable[[int], Any]


@lru_cache(maxsize=1)
def _libraries() -> tuple[OpenMP, ...]:
    found = []
    for path in sorted(path for path in _loaded() if OPENMP_NAME.match(Path(path).name)):
        try:
            library = ctypes.CDLL(path)
            found.append(OpenMP(library.omp_get_max_threads, library.omp_set_num_threads))
        except (
            OSError,
            AttributeError,
        ):  # no library that can be opened again, or another that has such a name
            continue
    return tuple(found)


def _loaded() -> set[str]:
    """Files of this process's shared libraries, where the system lists them; those that lie beside
    torch's elsewhere.
    """
    try:
        lines = Path("/proc/self/maps").read_text().splitlines()
    except OSError:
        folder = Path(str(sys.modules["torch"].__file__)).parent / "lib"
        return {str(path) for path in folder.iterdir()} if folder.is_dir() else set()
    return {line.split(maxsplit=5)[5] for line in lines if "/" in line}
