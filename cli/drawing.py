"""What `bbans info` draws: the rate's split in the terminal or a file, and the heat map."""

from __future__ import annotations

from pathlib import Path
from typing import Any

WIDEST = 60  # columns of a bar, where the terminal has them


def draw(found: Any, heatmap: str | None, plot: bool, plot_file: str | None, force: bool) -> None:
    """Draw a `FileInfo` with its costs in all the ways that are asked for."""
    if plot:
        from bbans.evaluation.visual import plots

        _bars(plots.rows(found))
    if plot_file is not None:
        from bbans.evaluation.visual import plots

        plots.save(found, Path(plot_file), overwrite=force)
    if heatmap is not None:
        from bbans.evaluation.visual import heatmaps

        heatmaps.save(found.costs.bits, Path(heatmap), overwrite=force)


def _bars(rows: Any) -> None:
    from rich.bar import Bar
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table.grid(padding=(0, 1))
    for justify in ("left", "left", "right"):
        table.add_column(justify=justify, no_wrap=True)
    table.add_column()
    largest = max(row.rate for row in rows)
    width = max(10, min(WIDEST, console.width - 42))
    before = ""
    for row in rows:
        group = row.group if row.group not in (before, "rate", "file", "other") else ""
        if before == "rate" and row.group != before:
            table.add_row()
        before = row.group
        table.add_row(
            group, row.name, f"{row.rate:.4f}", Bar(largest, 0, max(0.0, row.rate), width=width)
        )
    console.print("bits per dimension", style="bold")
    console.print(table)
