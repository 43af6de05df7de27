"""Where the time of a megapixel goes, on one core, in this checkout and in another.

    python benchmarks/stages.py PHOTO --beside CHECKOUT --json benchmarks/results/stages.json

The middle 1024 x 1024 pixels of PHOTO are encoded without verification and decoded, after a first
time that is not counted, while another thread looks a thousand times a second at what the code is
in: a look counts for the part of the package of the innermost function that belongs to one.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import imagecodecs
import numpy as np

import bbans

SIDE, SECONDS = 1024, 0.001
PARTS = {  # of the path of a file; the first that fits
    "bbans/exact/": "networks",
    "bbans/distributions/": "mixtures and bins",
    "bbans/coding/": "coder",
    "bbans/tiles/codecs/jpegxl": "other codecs",
    "bbans/tiles/codecs/webp": "other codecs",
    "bbans/tiles/codecs/lzma": "other codecs",
}


def part_of(frame: FrameType | None) -> str:
    """The part that a stack of calls is in."""
    while frame is not None:
        path = frame.f_code.co_filename.replace(os.sep, "/")
        for words, part in PARTS.items():
            if words in path:
                return part
        if "/bbans/" in path:
            return "the rest"
        frame = frame.f_back
    return "the rest"


def shares(call: Callable[[], Any], runs: int) -> dict[str, float]:
    """Seconds of each part in one call, from several."""
    looks: Counter[str] = Counter()
    done = threading.Event()
    worker = threading.get_ident()

    def look() -> None:
        while not done.wait(SECONDS):
            looks[part_of(sys._current_frames().get(worker))] += 1

    watcher = threading.Thread(target=look)
    watcher.start()
    started = time.perf_counter()
    for _ in range(runs):
        call()
    seconds = (time.perf_counter() - started) / runs
    done.set()
    watcher.join()
    total = sum(looks.values())
    return {part: seconds * count / total for part, count in looks.items()}


def measured(photo: Path, runs: int) -> dict[str, dict[str, float]]:
    """Seconds a megapixel of encoding and of decoding, by part."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    pixels = imagecodecs.imread(photo)
    top, left = (max(0, have - SIDE) // 2 for have in pixels.shape[:2])
    pixels = np.ascontiguousarray(pixels[top : top + SIDE, left : left + SIDE])
    data = bbans.compress(pixels, verify=False, threads=1)
    bbans.decompress(data, threads=1)
    megapixels = pixels.shape[0] * pixels.shape[1] / 1e6
    found = {
        "encode": shares(lambda: bbans.compress(pixels, verify=False, threads=1), runs),
        "decode": shares(lambda: bbans.decompress(data, threads=1), runs),
    }
    return {
        name: {part: seconds / megapixels for part, seconds in parts.items()}
        for name, parts in found.items()
    }


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("photo", type=Path)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--beside", type=Path, help="a checkout of another commit")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    options = parser.parse_args()
    if options.beside is None:
        print(json.dumps(measured(options.photo, options.runs)))
        return
    folders = {"before": options.beside.resolve(), "now": Path(__file__).resolve().parent.parent}
    results: dict[str, Any] = {"machine": f"{platform.machine()}, engine {bbans.engine()}"}
    for name, folder in folders.items():
        done = subprocess.run(
            [sys.executable, __file__, str(options.photo.resolve()), "--runs", str(options.runs)],
            env={**os.environ, "PYTHONPATH": str(folder)},
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
        )
        results[name] = json.loads(done.stdout)
        commit = ["git", "-C", str(folder), "rev-parse", "--short", "HEAD"]
        results[f"commit {name}"] = subprocess.run(
            commit, capture_output=True, text=True
        ).stdout.strip()
        print(name, json.dumps(results[name], indent=1))
    if options.json is not None:
        options.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
