"""`bbans bench`: other lossless codecs on one's own images."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import click

from .options import effort_option, files_argument, model_option, quiet_option, threads_option
from .outputs import check_input, read_bytes
from .run import process

DASH = "–"
COLUMNS = {  # heading: key, and how its figures are written
    "bytes": ("bytes", ",d"),
    "bits/subpixel": ("bits_per_subpixel", ".4f"),
    "of PNG": ("ratio_to_png", ".1%"),
    "encode MB/s": ("encode_mb_per_s", ".2f"),
    "decode MB/s": ("decode_mb_per_s", ".2f"),
}


@click.command()
@files_argument
@model_option
@effort_option
@click.option(
    "--jpegxl-effort",
    type=click.IntRange(1, 9),
    default=7,
    metavar="N",
    help="Of JPEG XL, 1 to 9. Default: 7.",
)
@click.option("--as-pixels", is_flag=True, help="Take JPEGs as pixels.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, with every image in it.")
@threads_option
@quiet_option
@click.option("-v", "--verbose", is_flag=True, help="Print a table for every image too.")
def bench(
    files: tuple[str, ...],
    model: str | None,
    effort: str,
    jpegxl_effort: int,
    as_pixels: bool,
    as_json: bool,
    threads: int | None,
    quiet: bool,
    verbose: bool,
) -> int:
    """Compare bbans with PNG, WebP and JPEG XL on your own images.

    Every codec takes the pixels alone, without loss, and what it restores is compared. A codec that
    is not installed, or that cannot hold one of the images, has a dash. Speeds are of this machine
    as it is now.
    """
    from bbans.evaluation import compare

    codecs = compare.contenders(model, effort=effort, jpegxl_effort=jpegxl_effort, threads=threads)
    found: list[compare.ImageScores] = []

    def work(source: str) -> None:
        found.append(
            compare.measure(source, read_bytes(source), codecs, as_pixels=as_pixels, warm=not found)
        )

    status = process(files, check_input, work, bar=not quiet)
    if not found:
        return status
    every = compare.together(found)
    if as_json:
        images = [{"file": image.name, "codecs": image.rows()} for image in found]
        click.echo(json.dumps({"images": images, "together": every.rows()}))
        return status
    for image in found if verbose and len(found) > 1 else ():
        _table(click.format_filename(image.name), image.rows())
    count = click.format_filename(found[0].name) if len(found) == 1 else f"{len(found)} images"
    _table(f"{count}, {every.scores[0].samples:,} subpixels", every.rows())
    return status


def _table(title: str, rows: Sequence[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(title), title_justify="left")
    table.add_column("codec")
    for heading in COLUMNS:
        table.add_column(heading, justify="right")
    coded = [row["bytes"] for row in rows if row["bytes"] is not None]
    for row in rows:
        style = "bold" if row["bytes"] == min(coded, default=None) else ""
        table.add_row(row["codec"], *(_cell(row, *kind) for kind in COLUMNS.values()), style=style)
    Console().print(table)


def _cell(row: dict[str, Any], name: str, form: str) -> str:
    return DASH if row[name] is None else format(row[name], form)
