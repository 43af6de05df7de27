"""Damaged and forged files through the public functions, for as long as wanted: `make fuzz`.

The same mutators as `tests/test_hostile_files.py`. With atheris installed, `--atheris` lets
coverage guide the bytes instead. Stops at the first file that ends in anything but a named error,
takes more than two seconds or warns, and prints it.

python benchmarks/fuzz.py --files 1000000 --seed 0
"""

import argparse
import collections
import random
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))


def fuzz(files: int, seed: int, models: Path) -> None:
    """Half damaged, half forged; file n depends on the seed and n alone, so that a run can be taken
    up again.
    """
    from bbans.models import library
    from tests.fuzzing import try_forged, try_mutated

    library.SHIPPED = models  # none: a file that names another model is refused at once
    counts: collections.Counter[str] = collections.Counter()
    start = time.monotonic()
    for n in range(files):
        rng = random.Random(f"{seed} {n}")
        try:
            error = (try_mutated, try_forged)[n % 2](rng)
        except BaseException:
            print(f"stopped at file {n} of seed {seed}", file=sys.stderr)
            raise
        counts["taken" if error is None else type(error).__name__] += 1
        if n + 1 == files or (n + 1) % 10_000 == 0:
            found = ", ".join(f"{count} {name}" for name, count in counts.most_common())
            print(f"{n + 1} files in {time.monotonic() - start:.0f} s: {found}", flush=True)


def guided(runs: int, models: Path) -> None:
    """Bytes guided by coverage of the package, from the seeds on."""
    import atheris  # type: ignore[import-not-found]

    with atheris.instrument_imports(include=["bbans"]):
        from bbans.models import library
        from tests.fuzzing import CALLS, attempt, seeds
    library.SHIPPED = models  # none: a file that names another model is refused at once
    calls = tuple(CALLS)
    with tempfile.TemporaryDirectory() as corpus:
        for n, data in enumerate(seeds()):
            Path(corpus, str(n)).write_bytes(data)
        atheris.Setup(
            [sys.argv[0], corpus, f"-runs={runs}", "-max_len=4096"],
            lambda data: void(attempt(calls[len(data) % len(calls)], data)),
        )
        atheris.Fuzz()


def void(_: object) -> None:
    """What atheris wants of a function that it calls."""


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--files", type=int, default=10**6)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--atheris", action="store_true", help="guided by coverage; needs the package atheris"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as empty:
        if options.atheris:
            guided(options.files, Path(empty))
        else:
            fuzz(options.files, options.seed, Path(empty))


if __name__ == "__main__":
    main()
