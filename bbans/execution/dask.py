"""Work on a dask cluster: whatever an executor does on threads, on the workers of a scheduler.

The results are the same bytes.

A job and the request of its context go to the workers as tasks of their own, which the scheduler
can do again: when a worker dies, what it held and what it was at is done by another. A worker makes
a context once and keeps it for the jobs to come.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module, metadata
from typing import Any, TypeVar

from bbans.errors import BbansError, ClusterError
from bbans.execution.executor import Context, Executor, Job, Result, Results, windowed

Request = TypeVar("Request", bound=Hashable)
SENT_AT_ONCE = 2**22  # bytes of a task's arguments; dask warns of tasks of 10 MB
SECONDS_TO_CONNECT = 30
WAITING_A_THREAD = 2  # jobs that wait at a worker's thread, so that none is idle


@dataclass(frozen=True)
class Cluster:
    """The workers of a scheduler. client: a `distributed.Client`."""

    client: Any

    @property
    def threads(self) -> int:
        """Threads of all workers."""
        return max(1, sum(map(int, self.client.nthreads().values())))

    def spread(self, build: Callable[[Request], Context], request: Request) -> Executor[Context]:
        """Work in the context `build(request)`, made at each worker.

        All of it, functions and jobs are pickled.

        Errors of ours reach the caller as they are. Raises ClusterError where workers keep dying or
        cannot do the work.
        """
        kept = self._sent(request)

        def spread(
            function: Callable[[Context, Job], Result], jobs: Iterable[Job]
        ) -> Results[Result]:
            def submit(job: Job) -> Any:
                return self.client.submit(_work, build, kept, function, self._sent(job), pure=False)

            with _named_errors():
                yield from windowed(submit, jobs, WAITING_A_THREAD * self.threads)

        return spread

    def _sent(self, value: Any) -> list[Any]:
        """Futures of the pieces of a pickled value: not scattered, since scattered data is lost
        with its worker.
        """
        data = pickle.dumps(value)
        pieces = (data[i : i + SENT_AT_ONCE] for i in range(0, len(data), SENT_AT_ONCE))
        return [self.client.submit(_same, piece, pure=False) for piece in pieces]


@contextmanager
def connected(address: str) -> Iterator[Cluster]:
    """The cluster of the scheduler at an address, such as tcp://host:8786. Raises ClusterError."""
    try:
        distributed = import_module("distributed")
    except ImportError:
        raise ClusterError(
            "a cluster needs dask, which is not installed; pip install 'bbans[dask]'"
        ) from None
    try:
        client = distributed.Client(address, timeout=SECONDS_TO_CONNECT, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise ClusterError(f"no dask scheduler answers at {address}; check the address") from error
    with client:
        with _named_errors():
            client.wait_for_workers(1, timeout=SECONDS_TO_CONNECT)
            found, ours = set(client.run(_version).values()), _version()
        if found != {ours}:
            raise ClusterError(
                f"workers have bbans {', '.join(sorted(found))}, this is {ours}; install one "
                "version everywhere"
            )
        yield Cluster(client)


@contextmanager
def _named_errors() -> Iterator[None]:
    try:
        yield
    except (BbansError, GeneratorExit, KeyboardInterrupt):
        raise
    except Exception as error:  # of dask, of pickle, and whatever a worker's environment lacks
        raise ClusterError(
            f"the cluster cannot do the work ({type(error).__name__}: {error}); see the workers' "
            "logs"
        ) from error


def _version() -> str:
    return metadata.version("bbans")


def _same(piece: bytes) -> bytes:
    return piece


@lru_cache(maxsize=2)
def _context(build: Callable[[Any], Any], request: bytes) -> Any:
    return build(pickle.loads(request))


def _work(
    build: Callable[[Any], Any],
    request: list[bytes],
    function: Callable[[Any, Any], Any],
    job: list[bytes],
) -> Any:
    return function(_context(build, b"".join(request)), pickle.loads(b"".join(job)))
