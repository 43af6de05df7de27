"""Draw the figures of the documents from the benchmarks' JSON: docs/figures/*.png.

Each says in its metadata which data it shows.

python -m benchmarks.tables.figures
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib.style
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from benchmarks.tables import rows

FOLDER = Path(__file__).resolve().parent.parent.parent / "docs" / "figures"
# on white, which is opaque so that a dark page does not swallow the text; every colour has a
# contrast of 3:1 or more to it
PAPER, COLOURS, DASHES = (
    "#ffffff",
    ("#0072b2", "#b35000", "#00775a", "#aa3377", "#333333"),
    ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1))),
)
SIZE, DPI = (9.0, 3.6), 100  # inches
DIGEST = "Comment"  # the chunk of text with `digest`
SETTLED = 0.1  # share of a run that is over before curves decide the vertical range


@dataclass(frozen=True)
class Curves:
    """A figure of curves by training step: `key` of each run's curve, and what the vertical axis
    says.
    """

    name: str
    key: str
    axis: str
    about: str


CURVES = (
    Curves(
        "relax-training", "train", "training objective, nats an image", "Training objective by step"
    ),
    Curves(
        "relax-variance",
        "log_variance",
        "log of the gradient's variance, bits²",
        "Log-variance of the gradient by step",
    ),
)
Runs = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""Runs by estimator and seed."""


def lines(runs: Runs, key: str) -> dict[str, dict[str, list[float]]]:
    """What a panel shows of each estimator: step, and the mean, least and largest value over the
    seeds.
    """
    found = {}
    for estimator, by_seed in runs.items():
        curves = [run["curve"] for _, run in sorted(by_seed.items())]
        values = np.array([curve[key] for curve in curves])
        found[estimator] = {
            "step": curves[0]["step"],
            "mean": values.mean(0).tolist(),
            "least": values.min(0).tolist(),
            "largest": values.max(0).tolist(),
        }
    return found


def shown(row: Mapping[str, Any], figure: Curves) -> dict[str, Any]:
    """All that a figure draws, by model."""
    return {model: lines(runs, figure.key) for model, runs in sorted(row["measured"].items())}


def digest(row: Mapping[str, Any], figure: Curves) -> str:
    """SHA-256 of what a figure draws, which its file names."""
    return hashlib.sha256(json.dumps(shown(row, figure), sort_keys=True).encode()).hexdigest()


def drawn(row: Mapping[str, Any], figure: Curves) -> Figure:
    """A panel a model: an estimator's mean over seeds as a line, and what lies between its least
    and largest as a band.
    """
    panels = shown(row, figure)
    names = sorted({name for curves in panels.values() for name in curves})
    styles = dict(zip(names, zip(COLOURS, DASHES, strict=True), strict=False))
    with matplotlib.style.context("default", after_reset=True):  # whatever the user's settings are
        found = Figure(SIZE, DPI, facecolor=PAPER, layout="constrained")
        legend = {}
        for axes, (model, curves) in zip(
            found.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True
        ):
            for name, curve in sorted(curves.items()):
                colour, dashes = styles[name]
                (legend[name],) = axes.plot(
                    curve["step"],
                    curve["mean"],
                    color=colour,
                    linestyle=dashes,
                    linewidth=1.4,
                    label=name,
                )
                axes.fill_between(
                    curve["step"],
                    curve["least"],
                    curve["largest"],
                    color=colour,
                    alpha=0.15,
                    linewidth=0,
                )
            settled = [
                v
                for c in curves.values()
                for v, s in zip(c["mean"], c["step"], strict=True)
                if s >= SETTLED * c["step"][-1]
            ]
            margin = 0.05 * (max(settled) - min(settled)) or 1.0
            axes.set_ylim(min(settled) - margin, max(settled) + margin)
            axes.set(title=model, xlabel="training step", facecolor=PAPER)
            axes.grid(color="#dddddd", linewidth=0.6)
        found.supylabel(figure.axis, fontsize="medium")
        found.legend(
            [legend[name] for name in names], names, loc="outside right center", frameon=False
        )
    return found


def noise(row: Mapping[str, Any]) -> Figure:
    """A panel for particles and one for groups: signal-to-noise ratios of p's and of q's gradients,
    and the slopes of theory.
    """
    with matplotlib.style.context("default", after_reset=True):
        found = Figure(SIZE, DPI, facecolor=PAPER, layout="constrained")
        for axes, (name, points) in zip(
            found.subplots(1, 2, sharey=True),
            sorted(row["measured"].items(), reverse=True),
            strict=True,
        ):
            counts = np.array(points["counts"], float)
            for i, part in enumerate(("p", "q")):
                ratios, theory = np.array(points[part]), row["published"][name][i]
                label = f"{part}: slope {points['slopes'][i]:+.2f}, in theory {theory:+.1f}"
                axes.plot(counts, ratios, "os"[i], color=COLOURS[i], label=label)
                middle = np.exp(np.log(ratios).mean() - theory * np.log(counts).mean())
                axes.plot(counts, middle * counts**theory, DASHES[i], color=COLOURS[i], linewidth=1)
            axes.set(
                title=name,
                xscale="log",
                yscale="log",
                xticks=counts,
                xticklabels=[f"{n:g}" for n in counts],
                facecolor=PAPER,
            )
            axes.minorticks_off()
            axes.set_xlabel(
                {"particles": "particles K, one group", "groups": "groups M of 4 particles"}[name]
            )
            axes.grid(color="#dddddd", linewidth=0.6)
            axes.legend(frameon=False)
        found.supylabel("signal-to-noise ratio of a gradient", fontsize="medium")
    return found


def save(row: Mapping[str, Any], figure: Curves, folder: Path) -> Path:
    """Write a figure of curves."""
    return written(
        drawn(row, figure), folder / f"{figure.name}.png", figure.about, digest(row, figure)
    )


def save_noise(row: Mapping[str, Any], folder: Path) -> Path:
    """Write the figure of `noise`."""
    shows = hashlib.sha256(
        json.dumps([row["measured"], row["published"]], sort_keys=True).encode()
    ).hexdigest()
    return written(noise(row), folder / "snr.png", "Signal-to-noise ratio of gradients", shows)


def written(figure: Figure, path: Path, title: str, shows: str) -> Path:
    """Write a figure, in few colours so that it is small; the same data and matplotlib make the
    same bytes.
    """
    with matplotlib.style.context("default", after_reset=True):
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[:, :, :3]
    text = PngInfo()
    text.add_text("Title", title)
    text.add_text(DIGEST, shows)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).quantize(256, dither=Image.Dither.NONE).save(
        path, pnginfo=text, optimize=True
    )
    return path


def main() -> None:
    """See the module's docstring."""
    if row := rows.saved("relax"):
        for figure in CURVES:
            save(row, figure, FOLDER)
    if row := rows.saved("snr"):
        save_noise(row, FOLDER)


if __name__ == "__main__":
    main()
