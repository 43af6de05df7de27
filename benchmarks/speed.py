"""Speed of one large photograph by effort, and of the coder alone, on the threads that the process
may use.

    python benchmarks/speed.py PHOTO --json benchmarks/results/speed.json
    python benchmarks/speed.py PHOTO --beside CHECKOUT

CHECKOUT is a checkout of another commit, which is measured in turn with this one, each in a process
of its own; the ratios of their speeds are printed. PHOTO is cut to its middle 2048 x 1024 pixels or
less. Each figure is the best of several runs in one process, after one of warm-up: start-up is
excluded. The coder's figures are for 4096 lanes and intervals that are given, on one core.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np

import bbans
from bbans.coding.blocks import pop_block, push_block
from bbans.coding.rans import base_message
from bbans.options import EFFORTS

SIDES = 1024, 2048
SYMBOLS, LANES, PRECISION = 2**22, 4096, 22


def best(call: Callable[[], Any], runs: int) -> float:
    """Seconds of the fastest of some runs."""
    found = []
    for _ in range(runs):
        started = time.perf_counter()
        call()
        found.append(time.perf_counter() - started)
    return min(found)


def photograph(path: Path) -> Any:
    """The middle of a photograph."""
    pixels = imagecodecs.imread(path)
    top, left = (max(0, have - want) // 2 for have, want in zip(pixels.shape, SIDES, strict=False))
    return np.ascontiguousarray(pixels[top : top + SIDES[0], left : left + SIDES[1]])


def effort(pixels: Any, name: str, runs: int) -> dict[str, float]:
    """MP/s of one effort, and its rate."""
    data = bbans.compress(pixels, effort=name, verify=False)
    if not np.array_equal(bbans.decompress(data), pixels):
        raise SystemExit("the image did not come back")
    megapixels = pixels.shape[0] * pixels.shape[1] / 1e6
    calls = {
        "encode_mps": lambda: bbans.compress(pixels, effort=name, verify=False),
        "decode_mps": lambda: bbans.decompress(data),
        "verified_encode_mps": lambda: bbans.compress(pixels, effort=name),
    }
    return {
        "bpsp": 8 * len(data) / pixels.size,
        **{key: megapixels / best(call, runs) for key, call in calls.items()},
    }


def peers(pixels: Any, runs: int) -> dict[str, dict[str, float]]:
    """MP/s and rates of other codecs, on as many threads as their libraries take by default."""
    megapixels = pixels.shape[0] * pixels.shape[1] / 1e6
    calls: dict[str, tuple[Callable[[], bytes], Callable[[bytes], Any]]] = {
        f"JPEG XL e{level}": (
            lambda level=level: imagecodecs.jpegxl_encode(pixels, lossless=True, effort=level),
            imagecodecs.jpegxl_decode,
        )
        for level in (7, 9)
    }
    calls["WebP"] = lambda: imagecodecs.webp_encode(pixels, lossless=True), imagecodecs.webp_decode
    found = {}
    for name, (encode, decode) in calls.items():
        data = encode()
        found[name] = {
            "bpsp": 8 * len(data) / pixels.size,
            "encode_mps": megapixels / best(encode, runs),
            "decode_mps": megapixels / best(lambda data=data, decode=decode: decode(data), runs),
        }
    return found


def beside(checkout: Path, arguments: list[str], turns: int = 2) -> None:
    """Print the speeds of this checkout and of another, and their ratio: the best of some turns."""
    folders = {"this": Path(__file__).resolve().parent.parent, "other": checkout.resolve()}
    speeds: dict[str, dict[str, float]] = {name: {} for name in folders}
    for _ in range(turns):
        for name, folder in folders.items():
            done = subprocess.run(
                [sys.executable, __file__, *arguments],
                env={**os.environ, "PYTHONPATH": str(folder)},
                cwd=folder,
                capture_output=True,
                text=True,
                check=True,
            )
            for row, figures in json.loads(done.stdout).items():
                if isinstance(figures, dict):
                    for key, value in figures.items():
                        speeds[name][f"{row} {key}"] = max(
                            value, speeds[name].get(f"{row} {key}", 0)
                        )
    for key, value in speeds["this"].items():
        other = speeds["other"].get(key)
        ratio = f"{value / other:6.2f} times {other:.3f}" if other else ""
        print(f"{key:32} {value:8.3f} {ratio}")


def coder(runs: int) -> dict[str, float]:
    """Millions of symbols a second whose intervals are known."""
    rng = np.random.default_rng(0)
    freqs = rng.integers(1 << 12, 1 << 20, SYMBOLS)
    starts = (rng.random(SYMBOLS) * ((1 << PRECISION) - freqs)).astype(np.int64)
    symbols = np.arange(SYMBOLS)
    message = push_block(base_message((LANES,)), starts, freqs, PRECISION)
    given = lambda cf, first, last: (symbols[first:last], starts[first:last], freqs[first:last])  # noqa: E731
    return {
        "push_millions": SYMBOLS
        / best(lambda: push_block(base_message((LANES,)), starts, freqs, PRECISION), runs)
        / 1e6,
        "pop_millions": SYMBOLS
        / best(lambda: pop_block(message, SYMBOLS, PRECISION, given), runs)
        / 1e6,
    }


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("photo", type=Path)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument(
        "--efforts",
        nargs="*",
        default=[name for name in EFFORTS if name != "max"],
        choices=list(EFFORTS),
    )
    parser.add_argument("--json", type=Path, help="where to write the figures")
    parser.add_argument("--beside", type=Path, help="a checkout of another commit")
    parser.add_argument("--peers", action="store_true", help="also other codecs")
    options = parser.parse_args()
    if options.beside:
        efforts = ["--efforts", *options.efforts] if options.efforts else ["--efforts"]
        arguments = [str(options.photo.resolve()), "--runs", str(options.runs), *efforts]
        beside(options.beside, arguments)
        return
    pixels = photograph(options.photo)
    found: dict[str, Any] = {
        "machine": f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores",
        "pixels": pixels.shape[:2],
    }
    found |= {name: effort(pixels, name, options.runs) for name in options.efforts}
    if options.peers:
        found |= peers(pixels, options.runs)
    found["coder"] = coder(options.runs)
    text = json.dumps(found, indent=1)
    print(text)
    if options.json:
        options.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
