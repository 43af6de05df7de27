"""How processes get on with each other on one machine: photographs by several commands at once,
many tiny images.

Prints seconds and ratios, with this checkout and, for comparison, with others (--checkout FOLDER, a
work tree of another commit). Parts are run in turn, checkout after checkout, so that all of them
see the same machine.

python benchmarks/contention.py --checkout ../released
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
COMMAND = """
import sys
import bbans
for path in sys.argv[1:]:
    bbans.compress_file(path, path + ".bbans", overwrite=True)
"""
ARCHIVE = """
import sys, bbans
bbans.create_archive(sys.argv[1] + ".bbar", sys.argv[1], overwrite=True)
"""
SIDES = (432, 760)


def pictures(folder: Path, count: int, sides: tuple[int, int]) -> list[str]:
    """PNG files of crops of the samples."""
    sources = [np.asarray(Image.open(path)) for path in sorted((ROOT / "samples").glob("*.png"))]
    rng = np.random.default_rng(0)
    folder.mkdir()
    found = []
    for i in range(count):
        source = sources[i % len(sources)]
        top, left = (
            int(rng.integers(0, whole - side + 1))
            for whole, side in zip(source.shape, sides, strict=False)
        )
        path = folder / f"{i:05}.png"
        Image.fromarray(source[top : top + sides[0], left : left + sides[1]]).save(path)
        found.append(str(path))
    return found


def seconds(checkout: Path, code: str, commands: Sequence[Sequence[str]], at_once: int) -> float:
    """Wall-clock time of these processes, so many of them running at once."""
    env = {**os.environ, "PYTHONPATH": str(checkout)}
    started, waiting, running = time.perf_counter(), list(commands), list[subprocess.Popen[bytes]]()
    while waiting or running:
        while waiting and len(running) < at_once:
            running.append(
                subprocess.Popen(
                    [sys.executable, "-W", "ignore", "-c", code, *waiting.pop(0)],
                    env=env,
                    cwd=checkout,
                )
            )
        done = [process for process in running if process.poll() is not None]
        if any(process.returncode for process in done):
            raise SystemExit("a command failed")
        running = [process for process in running if process not in done]
        time.sleep(0.005)
    return time.perf_counter() - started


def parts(
    folder: Path, photographs_given: int, icons_given: int, tiny: int
) -> dict[str, Callable[[Path], float]]:
    """What is timed, of a checkout."""
    photographs = pictures(folder / "photographs", photographs_given, SIDES)
    each = [[path] for path in photographs]
    pictures(folder / "tiny", tiny, (32, 32))
    icons = pictures(folder / "icons", icons_given, (16, 16))
    thirds = [icons[i::3] for i in range(3)]
    return {
        "photographs, one command": lambda checkout: seconds(checkout, COMMAND, [photographs], 1),
        "photographs, a command each, in turn": lambda checkout: seconds(
            checkout, COMMAND, each, 1
        ),
        "photographs, a command each, two at a time": lambda checkout: seconds(
            checkout, COMMAND, each, 2
        ),
        f"{icons_given} icons of 16 x 16, three commands at once": lambda checkout: seconds(
            checkout, COMMAND, thirds, 3
        ),
        f"archive of {tiny} images of 32 x 32": lambda checkout: seconds(
            checkout, ARCHIVE, [[str(folder / "tiny")]], 1
        ),
    }


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--checkout", type=Path, action="append", default=[], help="work tree of another commit"
    )
    parser.add_argument("--photographs", type=int, default=6)
    parser.add_argument("--icons", type=int, default=51)
    parser.add_argument("--tiny", type=int, default=2000, help="images of the archive")
    parser.add_argument("--repeats", type=int, default=2, help="of which the fastest counts")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    checkouts = [ROOT, *(path.resolve() for path in options.checkout)]
    rows: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, measure in parts(
            Path(folder), options.photographs, options.icons, options.tiny
        ).items():
            runs = [[measure(checkout) for checkout in checkouts] for _ in range(options.repeats)]
            rows[name] = [min(column) for column in zip(*runs, strict=True)]
            ratios = "".join(
                f"   {other:8.1f} s, {other / rows[name][0]:.2f} times" for other in rows[name][1:]
            )
            print(f"{name:45} {rows[name][0]:8.1f} s{ratios}", flush=True)
    if options.json:
        options.json.write_text(
            json.dumps({"cores": os.cpu_count(), "seconds": rows}, indent=1) + "\n"
        )


if __name__ == "__main__":
    main()
