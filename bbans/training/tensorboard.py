"""Write the reports of a training run as TensorBoard scalars: rates and terms in bits per
dimension, and the learning rate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bbans.errors import InputError

Report = Callable[[dict[str, float]], None]
NO_SCALARS = ("step", "seconds")


@contextmanager
def logged(folder: Path | None, report: Report) -> Iterator[Report]:
    """Return a report function that also writes every number of a row under its name, at the row's
    step, to `folder`; None: `report` unchanged.

    Raises InputError if tensorboard is not installed.

    Examples:
        >>> with logged(None, print) as report:
        ...     report({"step": 1.0})
        {'step': 1.0}
    """
    if folder is None:
        yield report
        return
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise InputError(
            'TensorBoard logs need the package tensorboard: pip install "bbans[train]"'
        ) from None
    writer: Any = SummaryWriter(str(folder))

    def both(row: dict[str, float]) -> None:
        for name, value in row.items():
            if name not in NO_SCALARS:
                writer.add_scalar(name, value, int(row["step"]))
        writer.flush()
        report(row)

    try:
        yield both
    finally:
        writer.close()
