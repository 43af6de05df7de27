"""`bbans info` and `bbans verify`: commands that inspect compressed files.

Heavy modules are imported only when a command starts to work, so that `--help` and usage errors
answer at once.
"""

from __future__ import annotations

import json
from typing import Any

import click

import bbans
from bbans.errors import InputError
from bbans.options import Progress

from .checks import check_input, check_outputs
from .drawing import draw
from .options import (
    OutputPath,
    files_argument,
    force_option,
    max_pixels_option,
    model_option,
    quiet_option,
    threads_option,
    verbose_option,
)
from .outputs import read_bytes
from .run import print_result, process, shown


@click.command()
@files_argument
@model_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line for each file.")
@click.option(
    "--account",
    is_flag=True,
    help="Decode it, and show its bits: ideal, net and total, and all their terms.",
)
@click.option(
    "--heatmap",
    type=OutputPath(dir_okay=False),
    metavar="FILE",
    help="Write bits per pixel over the image (PNG; one input).",
)
@click.option("--plot", is_flag=True, help="Draw the split of the rate over levels and terms.")
@click.option(
    "--plot-file",
    type=OutputPath(dir_okay=False),
    metavar="FILE",
    help="Write that drawing (.png, .svg, .pdf; one input).",
)
@force_option
@max_pixels_option
@verbose_option
def info(
    files: tuple[str, ...],
    model: str | None,
    as_json: bool,
    account: bool,
    heatmap: str | None,
    plot: bool,
    plot_file: str | None,
    force: bool,
    max_pixels: int,
    verbose: bool,
) -> int:
    """Show what compressed files hold.

    Size, samples, model and bytes, at once; with --account, and for drawings, where the bits went,
    which takes longer than to decode. Of an archive or a stack, what is in it.
    """
    outputs = [name for name in (heatmap, plot_file) if name is not None]
    costs = plot or bool(outputs)
    if outputs and len(files) > 1:
        raise click.UsageError("--heatmap and --plot-file take one input")
    check_outputs(outputs, files, force)

    def show(source: str, values: dict[str, Any], lines: list[str]) -> None:
        if as_json:
            print_result(json.dumps({"file": source, **values}))
            return
        indented = [f"  {line}" for line in lines]
        print_result("\n".join([f"{shown(source)}:", *indented]))

    def work(source: str, progress: Progress | None) -> None:
        from bbans.container.archive_reader import is_archive

        data = read_bytes(source)
        if is_archive(data):
            if costs:
                raise InputError(
                    "an archive has no heat map or plot of its own: extract an image of it and "
                    "compress that"
                )
            listed = bbans.list_archive(data)
            show(source, listed.to_dict(), listed.lines(each_item=verbose))
            return
        facts = bbans.info(
            data,
            model=model,
            account=account or costs,
            costs=costs,
            max_pixels=max_pixels,
        )
        show(source, facts.to_dict(), facts.lines(each_tile=verbose))
        if costs:
            draw(facts, heatmap, plot and not as_json, plot_file, force)

    return process(files, check_input, work, bar=False)


@click.command()
@files_argument
@model_option
@threads_option
@max_pixels_option
@quiet_option
def verify(
    files: tuple[str, ...], model: str | None, threads: int | None, max_pixels: int, quiet: bool
) -> int:
    """Decode compressed files and check them.

    Every checksum is looked at, and nothing is written.
    """

    def work(source: str, progress: Progress | None) -> None:
        from bbans.container.archive_reader import is_archive

        data = read_bytes(source)
        if is_archive(data):
            bbans.verify_archive(data, model=model, threads=threads, max_pixels=max_pixels)
        else:
            bbans.verify(
                data, model=model, threads=threads, max_pixels=max_pixels, progress=progress
            )
        if not quiet:
            click.echo(f"{shown(source)}: ok")

    return process(files, check_input, work, bar=not quiet)
