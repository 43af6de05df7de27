"""The split of a file's rate into terms: rows of numbers, and a bar chart by matplotlib (extra
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
    """A sum or term of a rate in bits per dimension.

    group: "rate" for a sum, "level 0" and so on for terms of a level of the pyramid, "other" for
    terms of codecs without levels, and "file" for the remaining bits of the file.
    """

    group: str
    name: str
    rate: float


def rows(facts: FileInfo) -> list[Row]:
    """Return ideal, net and total, followed by the terms of which total is the sum.

    The terms are the pixels and the net bits of the latents of every level, and the rest of the
    file. Raises InputError if `facts` has no costs.

    Examples:
        >>> import numpy as np
        >>> from bbans.files.encoder import compress
        >>> from bbans.files.info import info
        >>> data = compress(np.zeros((8, 8), np.uint8), model="none")
        >>> [row.name for row in rows(info(data, costs=True))][:3]
        ['ideal', 'net', 'total']
    """
    if facts.costs is None or facts.account is None or facts.ideal_bits is None:
        raise InputError("the split of a rate needs the costs; ask for them with `costs=True`")
    n, a = facts.dimensions, facts.account
    sums = ("ideal", facts.ideal_bits), ("net", a.net), ("total", 8.0 * facts.file_bytes)
    rest = (
        ("initial bits", a.initial),
        ("coder overhead", a.coder),
        ("flush", a.flush),
        ("framing", facts.framing_bits),
    )
    listed = [Row("rate", name, bits / n) for name, bits in sums]
    listed += [Row(group, name, bits / n) for group, name, bits in _shares(facts)]
    return listed + [Row("file", name, bits / n) for name, bits in rest]


def _shares(facts: FileInfo) -> Iterator[tuple[str, str, float]]:
    """Yield group, name and bits; prior and posterior of latents are combined in one row."""
    assert facts.costs is not None
    levels: dict[tuple[int | None, str], dict[str, float]] = {}
    for share in facts.costs.shares:
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
            posterior = terms.get("posterior", 0.0)
            yield (
                group,
                f"latents, {prior / facts.dimensions:.4f} − {-posterior / facts.dimensions:.4f}",
                prior + posterior,
            )


def save(facts: FileInfo, target: Path, *, overwrite: bool = False) -> None:
    """Write a bar chart of the rows of a file's rate, in the format of the target's suffix.

    Raises OutputError on a suffix that is not in KINDS and if matplotlib is not installed,
    OutputExistsError unless `overwrite`, and InputError if `facts` has no costs.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> import numpy as np
        >>> from bbans.files.info import info
        >>> from bbans.files.encoder import compress
        >>> facts = info(compress(np.zeros((8, 8), np.uint8), model="none"), costs=True)
        >>> with TemporaryDirectory() as folder:
        ...     save(facts, Path(folder, "rate.svg"))
        ...     Path(folder, "rate.svg").exists()
        True
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
    listed = rows(facts)
    figure = Figure(figsize=(8, 1.2 + 0.26 * len(listed)), layout="constrained")
    axes = figure.add_subplot()
    positions = range(len(listed))
    colours = {"rate": "#4c566a", "file": "#8a8f98"}
    bars = axes.barh(
        positions, [row.rate for row in listed], color=[_colour(row, colours) for row in listed]
    )
    axes.bar_label(bars, [f"{row.rate:.4f}" for row in listed], padding=4, fontsize=8)
    axes.set_yticks(
        positions,
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
