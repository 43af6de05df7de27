"""Figure: signal-to-noise ratio of gradients against particles K and groups M, of p's parameters
and q's, and their slopes.

python -m benchmarks.tables.snr The setting of Rainforth et al. 2018 (arXiv:1802.04537), section 4;
theory: sqrt(M K) for p, sqrt(M / K) for q. The figure is JSON: points and slopes.
"""

import argparse
import time
from pathlib import Path

import numpy as np

from bbans.training.diagnostics import signal_to_noise
from benchmarks.tables import rows
from tests.methods.gradients import gradients

RUNS = 60_000


def main() -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=RUNS, help="independent gradients a point")
    parser.add_argument("--results", type=Path, help="the folder of the JSON")
    options = parser.parse_args()
    start = time.monotonic()
    measured = {}
    for name, points in (
        ("particles", [(k, 1) for k in (1, 4, 16, 64)]),
        ("groups", [(4, m) for m in (1, 4, 16)]),
    ):
        found = np.array(
            [[signal_to_noise(g) for g in gradients(options.runs, k, m)] for k, m in points]
        )
        counts = [k if name == "particles" else m for k, m in points]
        slopes = np.polyfit(np.log(counts), np.log(np.maximum(found, 1e-9)), 1)[0]
        measured[name] = {
            "counts": counts,
            "p": found[:, 0].tolist(),
            "q": found[:, 1].tolist(),
            "slopes": slopes.tolist(),
        }
    published = {"particles": [0.5, -0.5], "groups": [0.5, 0.5]}
    rows.save(
        "snr",
        {"data": "toy", "published": published, "measured": measured, **rows.circumstances(start)},
        options,
        options.runs >= RUNS,
    )


if __name__ == "__main__":
    main()
