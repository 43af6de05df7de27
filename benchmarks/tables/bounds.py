"""The tables of docs/bounds.md, each from the JSON of the script of its name: text, by the name of
its markers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from typing import Any

SINGLE = {
    "idle": "default latents",
    "two-part": "two-part",
    "bits-back": "bits-back",
    "bb-cis 8": "bb-cis 8",
}
NAMES = {
    "iwae64": "IWAE",
    "piwae": "PIWAE(8, 8)",
    "miwae": "MIWAE(8, 8)",
    "ciwae": "CIWAE(0.5)",
    "elbo": "ELBO",
}


def tables(found: Mapping[str, Any]) -> dict[str, str]:
    """Those that there are rows for, of rows by name."""
    return {name: table(found[name]) for name, table in TABLES.items() if name in found}


def mcbits(row: dict[str, Any]) -> str:
    """Rates of one model by coder, beside the published ones of another, and the bits at the
    beginning of a message.
    """
    heads = ["coder", "published", "net", "expected", "saved, published", "saved", "initial bits"]
    lines = _head([*heads, f"{row['message']} images with initial bits, published", "ours"])
    measured, published, begun = row["measured"], row["published"], row["published_with_initial"]
    few = measured["bits-back refined"]["unrefined"]  # of the images whose posteriors were refined
    saved = {
        name: 1 - m["net"] / (few if name.endswith("refined") else measured["bits-back"]["net"])
        for name, m in measured.items()
    }
    theirs = {name: 1 - rate / published["bits-back"] for name, rate in published.items()}
    for name, m in sorted(measured.items(), key=lambda pair: saved[pair[0]]):
        rates = (
            _at(published, name, ".4f"),
            f"{m['net']:.4f}",
            f"{m['expected']:.4f}",
            _at(theirs, name, ".1%"),
            f"{saved[name]:.1%}",
        )
        lines.append(
            _line(
                [
                    name,
                    *rates,
                    f"{m['initial_bits']:,.0f}",
                    _at(begun, name, ".4f"),
                    f"{m['with_initial']:.4f}",
                ]
            )
        )
    ordered = sorted((name for name in published if name in saved), key=lambda name: -saved[name])
    images = (
        f"{row['images']:,} images; {row['refined_images']:,} of them refined by "
        f"{row['refine']} steps, and what that saved is of these"
    )
    return "\n".join(
        [
            *lines,
            "",
            f"Most saved first: {_listed(ordered)}; published: "
            f"{_listed(sorted(theirs, key=lambda n: -theirs[n]))}.",
            _run(row, images),
        ]
    )


def trained_coded(row: dict[str, Any]) -> str:
    """Net rates of models by the particles they were trained with, down, and coded with, across."""
    measured = row["measured"]
    net = {
        tuple(int(part.split()[1]) for part in name.split(", ")): m["net"]
        for name, m in measured.items()
    }
    trained, coded = (sorted({key[i] for key in net}) for i in (0, 1))
    lines = _head(["trained with", *(f"coded with {k}" for k in coded)])
    lines += [_line([f"K = {k}", *(f"{net[k, c]:.4f}" for c in coded)]) for k in trained]
    best = {c: min(trained, key=lambda k, c=c: net[k, c]) for c in coded}
    said = "; ".join(f"coded with {c}: trained with {k}" for c, k in best.items())
    worst = max(abs(m["net"] / m["bound"] - 1) for m in measured.values())
    return "\n".join(
        [
            *lines,
            "",
            f"Best, {said}. Net rates are within {worst:.2%} of the bounds.",
            _run(row, f"{row['images']:,} images"),
        ]
    )


def single(row: dict[str, Any]) -> str:
    """Messages and files of one image by scheme, beside those of the best other codec."""
    heads = [
        "data",
        "model",
        "-ELBO, bits",
        *(f"{name}: net bits, payload bytes" for name in SINGLE.values()),
    ]
    lines = _head([*heads, "file, bytes", "best other codec, bytes"])
    for m in sorted(row["measured"].values(), key=lambda m: (m["data"], -m["ideal_bits"])):
        cells = [
            f"{m['net_bits'][scheme]:,.1f}, {m['payload_bytes'][scheme]:.1f}" for scheme in SINGLE
        ]
        others = {name: size for name, size in m["file_bytes"].items() if name != "bbans"}
        best = min(others, key=lambda name: others[name])
        files = f"{m['file_bytes']['bbans']:.1f}", f"{others[best]:.1f} ({best})"
        lines.append(_line([m["data"], m["model"], f"{m['ideal_bits']:,.1f}", *cells, *files]))
    return "\n".join(
        [
            *lines,
            "",
            f"{row['images']} test images each, all of them decoded and compared. Commit "
            f"{row['commit']}.",
        ]
    )


def tightness(row: dict[str, Any]) -> str:
    """L_64, log p(x) and the difference, nats, of models trained on five objectives."""
    heads = [
        "trained on",
        *(
            f"{name}, {whose}"
            for name in ("L_64", "log p(x)", "-KL(Q ‖ P)")
            for whose in ("published", "ours")
        ),
    ]
    lines = _head(heads)
    for name in NAMES:
        theirs, m = row["published"][name], row["measured"][name]
        cells = (
            f"{value:.2f}"
            for pair in zip(theirs, (m["iwae64"], m["log_p"], m["minus_kl"]), strict=True)
            for value in pair
        )
        lines.append(_line([NAMES[name], *cells]))
    ours = sorted(row["published"], key=lambda name: -row["measured"][name]["minus_kl"])
    theirs = sorted(row["published"], key=lambda name: -row["published"][name][2])
    gaps = {name: row["measured"][name]["minus_kl"] for name in theirs}
    steps = (
        f"{NAMES[a]} less {NAMES[b]} {gaps[a] - gaps[b]:+.2f} ± "
        f"{row['errors'][f'{a} less {b}']:.2f}"
        for a, b in pairwise(theirs)
    )
    said = (
        f"Smallest divergence first: {_listed(NAMES[n] for n in ours)}; published: "
        f"{_listed(NAMES[n] for n in theirs)}. "
        f"In the published order, with standard errors over images: {'; '.join(steps)}."
    )
    return "\n".join(
        [
            *lines,
            "",
            said,
            _run(row, f"{row['images']:,} images, log p(x) from {row['particles']:,} weights"),
        ]
    )


def mites(row: dict[str, Any]) -> str:
    """What posteriors of the negative binomial's parameters lack, in nats, and what they are
    like.
    """
    lines = _head(["posterior of (r, p)", "log p(x) less bound, nats", "sd of r", "correlation"])
    found = {name: m for name, m in row["measured"].items() if name != "bits"}
    ordered = sorted(
        found,
        key=lambda name: (
            name.startswith("semi"),
            int(name.split()[-1]) if name.startswith("semi") else 0,
        ),
    )
    lines += [
        _line(
            [
                name,
                *(
                    f"{round(found[name][key], 3) + 0.0:.3f}"
                    for key in ("gap", "sd_r", "correlation")
                ),
            ]
        )
        for name in ordered
    ]
    cost = found["mean-field"]["gap"] / math.log(2)
    return "\n".join(
        [
            *lines,
            "",
            f"All 150 counts cost {row['measured']['bits']:.2f} bits; with the best product of "
            f"factors {cost:.2f} more.",
        ]
    )


def snr(row: dict[str, Any]) -> str:
    """Signal-to-noise ratios of gradients by the number of particles and of groups, and their
    slopes.
    """
    lines, said = _head(["", "count", "SNR, parameters of p", "SNR, parameters of q"]), []
    for name, words in (
        ("particles", "particles K, one group"),
        ("groups", "groups M of 4 particles"),
    ):
        m = row["measured"][name]
        lines += [
            _line([words, str(n), f"{p:.4f}", f"{q:.4f}"])
            for n, p, q in zip(m["counts"], m["p"], m["q"], strict=True)
        ]
        slopes = (
            f"{slope:+.2f} ({theory:+.1f})"
            for slope, theory in zip(m["slopes"], row["published"][name], strict=True)
        )
        said.append(
            f"Slopes by {name} on logarithmic axes, and in theory: {' of p, '.join(slopes)} of q."
        )
    return "\n".join([*lines, "", *said])


def _head(heads: Iterable[str]) -> list[str]:
    found = list(heads)
    return [_line(found), "|---" * len(found) + "|"]


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _at(values: Mapping[str, float], name: str, form: str) -> str:
    return format(values[name], form) if name in values else "–"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)


def _run(row: dict[str, Any], images: str) -> str:
    return (
        f"{row['steps']:,} steps of {row['batch']} images a training; {images}. Commit "
        f"{row['commit']}."
    )


TABLES: dict[str, Callable[[dict[str, Any]], str]] = {
    "mcbits": mcbits,
    "trained-coded": trained_coded,
    "single": single,
    "tightness": tightness,
    "mites": mites,
    "snr": snr,
}
