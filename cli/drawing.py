"""Drawings of `bbans info`: the terms of a rate as bars in the terminal or a file, and the heat
map.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .run import check_standard_output

WIDEST = 60
"""Largest number of columns of a bar."""


def draw(facts: Any, heatmap: str | None, plot: bool, plot_file: str | None, force: bool) -> None:
    """Draw the costs of a `FileInfo`: bars in the terminal, bars in a file, a heat map in a file.

    heatmap, plot_file: files to write, or None. plot: draw in the terminal. force: overwrite files.
    Raises OutputExistsError and OutputError.

    Examples:
        >>> import bbans, numpy as np
        >>> data = bbans.compress(np.zeros((8, 8), np.uint8), model="none")
        >>> draw(bbans.info(data, costs=True), None, plot=True, plot_file=None, force=False)
        bits per dimension
        ideal 0.1250 ...
    """
    if plot:
        from bbans.evaluation.visual import plots

        _bars(plots.rows(facts))
    if plot_file is not None:
        from bbans.evaluation.visual import plots

        plots.save(facts, Path(plot_file), overwrite=force)
    if heatmap is not None:
        from bbans.evaluation.visual import heatmaps

        heatmaps.save(facts.costs.bits, Path(heatmap), overwrite=force)


def _bars(rows: Any) -> None:
    """Print a row of text and a bar for each sum and term."""
    from rich.bar import Bar
    from rich.console import Console
    from rich.table import Table

    check_standard_output()
    console = Console()
    table = Table.grid(padding=(0, 1))
    for justify in ("left", "left", "right"):
        table.add_column(justify=justify, no_wrap=True)
    table.add_column()
    largest = max(row.rate for row in rows)
    width = max(10, min(WIDEST, console.width - 42))
    previous_group = ""
    for row in rows:
        group = row.group if row.group not in (previous_group, "rate", "file", "other") else ""
        if previous_group == "rate" and row.group != previous_group:
            table.add_row()
        previous_group = row.group
        rate = max(0.0, row.rate)
        # of a terminal without blocks
        plain = "#" * round(width * rate / largest) if largest > 0 else ""
        bar = plain if console.options.ascii_only else Bar(largest, 0, rate, width=width)
        table.add_row(group, row.name, f"{row.rate:.4f}", bar)
    console.print("bits per dimension", style="bold")
    console.print(table)
