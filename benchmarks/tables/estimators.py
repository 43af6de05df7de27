"""The tables of docs/estimators.md from the rows of `relax` and `structured`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean, stdev
from typing import Any

from benchmarks.tables import figures

# of structured prediction: the bound that was trained, on both sets, and what the message grows by
# for a test image
NATS = {"test": "-L_m, test", "train": "-L_m, training", "net": "net, test (-L_1)"}


def tables(found: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """The text of those that there are results for, by name."""
    return {
        name: table(found[name])
        for name, table in (("relax", relax), ("structured", structured))
        if name in found
    }


def relax(row: Mapping[str, Any]) -> str:
    """What each gradient estimator reached, in what order, and the curves; nats an image."""
    lines = [
        "| model | estimator | published | training objective | test | net |",
        "|---|---|---|---|---|---|",
    ]
    said = list[str]()
    for model, published in row["published"].items():
        by_seed = row["measured"].get(model, {})
        found = {name: list(by_seed[name].values()) for name in published if name in by_seed}
        if not found:
            continue
        for name, done in found.items():
            cells = [spread([run[key] for run in done]) for key in ("train", "test", "net")]
            lines.append(f"| {model} | {name} | {published[name]:.2f} | {' | '.join(cells)} |")
        best = sorted(
            found, key=lambda name, found=found: -fmean(run["train"] for run in found[name])
        )
        theirs = sorted(published, key=lambda name, published=published: -published[name])
        said.append(
            f"Training objectives, best first, {model}: {', '.join(best)}; published: "
            f"{', '.join(theirs)}."
        )
        for better, worse in (("relax", "rebar"), ("rebar", "muprop")):
            a, b = (by_seed.get(name, {}) for name in (better, worse))
            if differences := [
                a[seed]["train"] - b[seed]["train"] for seed in sorted(a.keys() & b.keys())
            ]:
                said.append(f"{better} less {worse}, seed by seed: {spread(differences)}.")
    said.append(runs(row, [done for model in row["measured"].values() for done in model.values()]))
    pictures = [f"![{figure.about}](figures/{figure.name}.png)" for figure in figures.CURVES]
    return "\n".join([*lines, "", "\n".join(said), "", *pictures])


def structured(row: Mapping[str, Any]) -> str:
    """What half an image costs given the other, by Concrete and VIMCO and the number m of samples
    trained on; nats.
    """
    counts = sorted(
        {m for model in row["measured"].values() for by_m in model.values() for m in by_m}, key=int
    )
    lines = [
        f"| model | estimator | nats | {' | '.join(f'm = {m}' for m in counts)} | published |",
        "|---" * (4 + len(counts)) + "|",
    ]
    said = []
    for model, by_estimator in row["measured"].items():
        for name, by_m in by_estimator.items():
            for key in ("test", "train", "net"):
                cells = [
                    spread([run[key] for run in by_m[m].values()]) if m in by_m else "–"
                    for m in counts
                ]
                theirs = " / ".join(map(str, row["published"][model].get(key, {}).get(name, ["–"])))
                lines.append(f"| {model} | {name} | {NATS[key]} | {' | '.join(cells)} | {theirs} |")
        for m in counts:
            test = {
                name: fmean(run["test"] for run in by_m[m].values())
                for name, by_m in by_estimator.items()
                if m in by_m
            }
            if len(test) == 2:
                best, other = sorted(test, key=lambda name, test=test: test[name])
                said.append(
                    f"Test, {model}, m = {m}: {best} is {test[other] - test[best]:.2f} nats below "
                    f"{other}."
                )
    done = [
        by_seed
        for model in row["measured"].values()
        for by_m in model.values()
        for by_seed in by_m.values()
    ]
    return "\n".join([*lines, "", *said, runs(row, done)])


def runs(row: Mapping[str, Any], done: Sequence[Mapping[str, Any]]) -> str:
    """What the runs, by seed, have in common."""
    seeds = max(map(len, done))
    counted = f"{seeds} seeds (mean ± standard deviation)" if seeds > 1 else "one seed"
    return (
        f"{row['steps']:,} steps of {row['batch']} images, {counted}, {row['test_images']:,} "
        f"test images; commit {row['commit']}."
    )


def spread(values: Sequence[float]) -> str:
    """Mean and standard deviation, where there are several."""
    return f"{fmean(values):.2f}" + (f" ± {stdev(values):.2f}" if len(values) > 1 else "")
