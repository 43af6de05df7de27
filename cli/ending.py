"""Signals that end the process: the work is stopped as by Ctrl-C, so that temporary files go."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

ENDING = ("SIGTERM", "SIGHUP")  # there is no SIGHUP on Windows


class Ended(BaseException):
    """A signal asks the process to end. number: of the signal."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number

    @property
    def exit_code(self) -> int:
        """The exit code that shells give to a process that the signal ends."""
        return 128 + self.number


def _end(number: int, frame: FrameType | None) -> None:
    # later ones are ignored (`timeout` sends two): the removal of temporary files is not to be
    # broken off
    for name in ENDING:
        if name in signal.Signals.__members__:
            signal.signal(signal.Signals[name], signal.SIG_IGN)
    raise Ended(number)


@contextmanager
def signals_raised() -> Iterator[None]:
    """Raise Ended where the body is when a signal asks the process to end; a context manager.

    A signal that is ignored, as SIGHUP under nohup, stays so. Only a process's main thread can do
    this; elsewhere nothing is changed.

    Examples:
        >>> with signals_raised():
        ...     signal.raise_signal(signal.SIGTERM)
        Traceback (most recent call last):
        ...
        bbans_cli.ending.Ended: 15
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {}
    for name in ENDING:
        if name in signal.Signals.__members__:
            number = signal.Signals[name]
            if signal.getsignal(number) is signal.SIG_DFL:
                before[number] = signal.signal(number, _end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
