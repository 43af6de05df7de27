"""The rate of a file, term by term: rows of figures, and a drawing of them by matplotlib (extra
`plots`).
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from bbans import images
from bbans.errors import InputError, OutputError
from bbans.files.info import FileInfo

KINDS = (".pdf", ".png", ".svg")
DOTS_PER_INCH = 150


class Row(NamedTuple):
    """What takes so many bits per dimension.

    `group`: a sum ("rate"), a level of the image ("level 0") or what else there is ("file").
    """

    group: str
    name: str
    rate: float


def rows(found: FileInfo) -> list[Row]:
    """Ideal, net and total; then pixels and net latents of every level, and the rest, which
    together are the total.

    Raises InputError unless the costs were asked for.
    """
    if found.costs is None or found.account is None or found.ideal_bits is None:
        raise InputError("the split of a rate needs the costs; ask for them with `costs=True`")
    n, a = found.dimensions, found.account
    sums = ("ideal", found.ideal_bits), ("net", a.net), ("total", 8.0 * found.file_bytes)
    rest = (
        ("initial bits", a.initial),
        ("coder overhead", a.coder),
        ("flush", a.flush),
        ("framing", found.framing_bits),
    )
    listed = [Row("rate", name, bits / n) for name, bits in sums]
    listed += [Row(group, name, bits / n) for group, name, bits in _shares(found)]
    return listed + [Row("file", name, bits / n) for name, bits in rest]


def _shares(found: FileInfo) -> Iterator[tuple[str, str, float]]:
    """Group, name and bits; what is pushed of latents and what is got back in one row."""
    assert found.costs is not None
    levels: dict[tuple[int | None, str], dict[str, float]] = {}
    for share in found.costs.shares:
        terms = levels.setdefault((share.level, "" if share.level is not None else share.codec), {})
        terms[share.term] = terms.get(share.term, 0.0) + share.bits
    for (level, codec), terms in sorted(
        levels.items(), key=lambda item: (item[0][0] is None, item[0][0] or 0)
    ):
        group = "other" if level is None else f"level {level}"
        if "likelihood" in terms:
            yield group, codec or "pixels", terms["likelihood"]
        if "exceptions" in terms:
            yield group, "exceptions to the lattice", terms["exceptions"]
        if prior := terms.get("prior", 0.0):
            back = terms.get("posterior", 0.0)
            yield (
                group,
                f"latents, {prior / found.dimensions:.4f} − {-back / found.dimensions:.4f}",
                prior + back,
            )


def save(found: FileInfo, target: Path, *, overwrite: bool = False) -> None:
    """Draw the rows. Raises OutputError on a suffix that is not among KINDS, and without
    matplotlib; OutputExistsError.
    """
    kind = target.suffix.lower()
    if kind not in KINDS:
        raise OutputError(
            f"{target.name}: a drawing is written as {', '.join(KINDS)}; choose one of these "
            "suffixes"
        )
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise OutputError(
            'drawings need matplotlib: install it with `pip install "bbans[plots]"`, or use --plot'
        ) from error
    listed = rows(found)
    figure = Figure(figsize=(8, 1.2 + 0.26 * len(listed)), layout="constrained")
    axes = figure.add_subplot()
    places = range(len(listed))
    colours = {"rate": "#4c566a", "file": "#8a8f98"}
    bars = axes.barh(
        places, [row.rate for row in listed], color=[_colour(row, colours) for row in listed]
    )
    axes.bar_label(bars, [f"{row.rate:.4f}" for row in listed], padding=4, fontsize=8)
    axes.set_yticks(
        places,
        [
            row.name if row.group in ("rate", "file", "other") else f"{row.group}: {row.name}"
            for row in listed
        ],
    )
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.set_xlabel("bits per dimension")
    axes.spines[["top", "right"]].set_visible(False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind[1:], dpi=DOTS_PER_INCH)
    images.atomic_write(target, buffer.getvalue(), overwrite=overwrite)


def _colour(row: Row, fixed: dict[str, str]) -> str:
    return fixed.get(row.group, "#c2573b" if "latents" in row.name else "#7a4bb5")
