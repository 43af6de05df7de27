"""Steps a second of training by the number of processes, one thread each, on this machine.

    python benchmarks/scaling.py --processes 1 2 --json benchmarks/results/scaling.json

Every run trains the default model of 28 x 28 grey images on cuts of the sample photograph, through
`torchrun` as a user would. Start-up is taken out: what counts is the difference between a long run
and a short one. A step has the same batch whatever the number of processes.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from bbans import images

SAMPLE = Path(__file__).resolve().parent.parent / "samples" / "tea-gardens.png"
SIDE, COUNT = 28, 600
SHORT, LONG = 10, 60  # steps


def cuts(path: Path) -> None:
    """Write cuts of the sample photograph as an array."""
    grey, rng = images.read_image(SAMPLE).pixels[:, :, 1], np.random.default_rng(0)
    corners = rng.integers(0, np.array(grey.shape) - SIDE, (COUNT, 2))
    np.save(path, np.stack([grey[i : i + SIDE, j : j + SIDE] for i, j in corners]))


def seconds(folder: Path, processes: int, steps: int) -> float:
    """Of one run."""
    launcher = (
        [
            "-m",
            "torch.distributed.run",
            "--standalone",
            "--nproc-per-node",
            str(processes),
            "--module",
        ]
        if processes > 1
        else ["-m"]
    )
    output = folder / f"{processes}-{steps}.safetensors"
    command = [
        sys.executable,
        *launcher,
        "bbans_cli",
        "train",
        str(folder / "cuts.npy"),
        "-o",
        str(output),
        "--steps",
        str(steps),
        "-q",
    ]
    start = time.monotonic()
    subprocess.run(command, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    return time.monotonic() - start


def main() -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--json", type=Path, help="where to write the figures")
    options = parser.parse_args()
    found = {}
    with tempfile.TemporaryDirectory() as name:
        cuts(Path(name) / "cuts.npy")
        for processes in options.processes:
            taken = seconds(Path(name), processes, LONG) - seconds(Path(name), processes, SHORT)
            found[processes] = (LONG - SHORT) / taken
            print(
                f"{processes} processes: {found[processes]:.2f} steps/s, "
                f"{found[processes] / found[options.processes[0]]:.2f} times"
            )
    machine = f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores"
    text = json.dumps({"machine": machine, "steps_per_second": found}, indent=1)
    if options.json:
        options.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
