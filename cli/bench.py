"""`bbans bench`: comparison with other lossless codecs on given images."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import click

from bbans.options import Progress

from .checks import check_input
from .options import effort_option, files_argument, model_option, quiet_option, threads_option
from .outputs import read_bytes
from .run import check_standard_output, print_result, process, shown

DASH = "–"
"""Shown where a codec has no result."""
COLUMNS = {  # heading: key of the value, and its format
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
@click.option("--as-pixels", is_flag=True, help="Take the pixels of JPEGs, not the files.")
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
    as it is now. A JPEG is to be restored byte for byte, which only JPEG XL and bbans can.
    """
    from bbans.evaluation import compare

    codecs = compare.contenders(model, effort=effort, jpegxl_effort=jpegxl_effort, threads=threads)
    results: list[compare.ImageScores] = []

    check_standard_output()

    def work(source: str, progress: Progress | None) -> None:
        data, first = read_bytes(source, "an image file"), not results
        results.append(compare.measure(source, data, codecs, as_pixels=as_pixels, warm=first))

    status = process(files, check_input, work, bar=not quiet)
    if not results:
        return status
    sums = compare.together(results)
    if as_json:
        images = [{"file": image.name, "codecs": image.rows()} for image in results]
        print_result(json.dumps({"images": images, "together": sums.rows()}))
        return status
    for image in results if verbose and len(results) > 1 else ():
        _table(shown(image.name), image.rows())
    one = len(results) == 1
    title = shown(results[0].name) if one else f"{len(results)} images"
    _table(f"{title}, {sums.scores[0].samples:,} subpixels", sums.rows())
    return status


def _table(title: str, rows: Sequence[dict[str, Any]]) -> None:
    """Print a table with a row for each codec, the smallest in bold."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(title), title_justify="left")
    table.add_column("codec")
    for heading in COLUMNS:
        table.add_column(heading, justify="right")
    sizes = [row["bytes"] for row in rows if row["bytes"] is not None]
    for row in rows:
        style = "bold" if row["bytes"] == min(sizes, default=None) else ""
        table.add_row(
            row["codec"], *(_cell(row, *column) for column in COLUMNS.values()), style=style
        )
    Console().print(table)


def _cell(row: dict[str, Any], key: str, number_format: str) -> str:
    return DASH if row[key] is None else format(row[key], number_format)
