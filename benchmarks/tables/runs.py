"""Tables of trainings: runs of several models, estimators and seeds that are written one by one, so
that a table broken off goes on.
"""

import argparse
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from bbans.training.distributed import Processes, choose_device
from benchmarks.tables import rows

Job: TypeAlias = tuple[tuple[str, ...], Callable[[], dict[str, Any]]]
"""Where in `measured` a run's result belongs, by a path of keys, and the run."""
STEPS = 50_000


def parser(about: str | None, models: Iterable[str], seeds: int) -> argparse.ArgumentParser:
    """What the command line of such a table has; `height` and `width` are the images'."""
    found = argparse.ArgumentParser(
        description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    found.add_argument("data", type=Path)
    found.add_argument("--steps", type=int, default=STEPS, help="of each run")
    found.add_argument("--seeds", type=int, default=seeds, help="runs of each kind")
    found.add_argument(
        "--which", nargs="+", choices=models, default=list(models), help="the models"
    )
    found.add_argument("--results", type=Path, help="the folder of the JSON")
    found.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="where to train")
    found.set_defaults(height=28, width=28)
    return found


def group(options: argparse.Namespace) -> Processes:
    """Where to train. Raises InputError where there is no such device."""
    return Processes(device=choose_device(getattr(options, "device", None)))


def grow(
    name: str,
    settings: Mapping[str, Any],
    facts: Mapping[str, Any],
    jobs: Iterable[Job],
    options: argparse.Namespace,
) -> dict[str, Any]:
    """Run the jobs whose results a row lacks, and write it after each. Returns all of `measured`.

    `settings` are what all runs of a row have in common: a row of others ends the program.
    `seconds` sums over every start of it.
    """
    row, start = rows.saved(name, options.results), time.monotonic()
    if row and (
        other := {key: row.get(key) for key, value in settings.items() if row.get(key) != value}
    ):
        raise SystemExit(
            f"{name}.json has runs of other settings, {other}; delete it, or name another folder "
            "with --results"
        )
    measured: dict[str, Any] = row.get("measured", {})
    start -= row.get("seconds", 0.0)
    for (*place, last), job in jobs:
        found = measured
        for key in place:
            found = found.setdefault(key, {})
        if last in found:
            continue
        found[last] = job()
        said = {key: value for key, value in found[last].items() if not isinstance(value, dict)}
        print(f"{', '.join((*place, last))}: {said}", flush=True)
        rows.write(
            name,
            {**settings, **facts, "measured": measured, **rows.circumstances(start)},
            options.results,
        )
    return measured
