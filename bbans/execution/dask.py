"""Execution on a dask cluster: the same interface and the same results as an executor on threads.

A job and the request of its context are sent to the workers as tasks of their own, which the
scheduler can repeat: when a worker dies, its data and its work are recomputed by another. A worker
builds a context once and caches it for later jobs.
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
SENT_AT_ONCE = 2**22
"""Largest number of bytes of a task's arguments; dask warns from 10 MB on."""
SECONDS_TO_CONNECT = 30
WAITING_A_THREAD = 2
"""Jobs queued per thread of a worker, so that no thread is idle."""


@dataclass(frozen=True)
class Cluster:
    """The workers of a scheduler. client: a `distributed.Client`."""

    client: Any

    @property
    def threads(self) -> int:
        """Return the number of threads of all workers, at least 1."""
        return max(1, sum(map(int, self.client.nthreads().values())))

    def spread(self, build: Callable[[Request], Context], request: Request) -> Executor[Context]:
        """Return an executor whose context `build(request)` is made on each worker.

        `build`, requests, functions and jobs are pickled. Errors of this package are raised
        unchanged; ClusterError is raised where workers keep dying or cannot do the work.
        """
        request_pieces = self._sent(request)

        def spread(
            function: Callable[[Context, Job], Result], jobs: Iterable[Job]
        ) -> Results[Result]:
            def submit(job: Job) -> Any:
                return self.client.submit(
                    _work, build, request_pieces, function, self._sent(job), pure=False
                )

            with _named_errors():
                yield from windowed(submit, jobs, WAITING_A_THREAD * self.threads)

        return spread

    def _sent(self, value: Any) -> list[Any]:
        """Send a pickled value in pieces, as tasks; scattered data would be lost with its
        worker.
        """
        data = pickle.dumps(value)
        pieces = (data[i : i + SENT_AT_ONCE] for i in range(0, len(data), SENT_AT_ONCE))
        return [self.client.submit(_same, piece, pure=False) for piece in pieces]


@contextmanager
def connected(address: str) -> Iterator[Cluster]:
    """Connect to the scheduler at an address such as tcp://host:8786, as a context manager.

    Raises ClusterError where dask is not installed, no scheduler answers, or workers have another
    version of this package.
    """
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
            versions, ours = set(client.run(_version).values()), _version()
        if versions != {ours}:
            raise ClusterError(
                f"workers have bbans {', '.join(sorted(versions))}, this is {ours}; install one "
                "version everywhere"
            )
        yield Cluster(client)


@contextmanager
def _named_errors() -> Iterator[None]:
    """Turn errors of dask, pickle and the workers' environment into ClusterError."""
    try:
        yield
    except (BbansError, GeneratorExit, KeyboardInterrupt):
        raise
    except Exception as error:  # raised by dask, by pickle, or by a worker's environment
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
