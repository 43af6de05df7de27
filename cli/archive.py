"""`bbans archive create/list/extract`: many images in one file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

import bbans
from bbans.errors import DamagedTilesError, NotTakenError
from bbans.files import urls
from bbans.images.formats.registry import written

from .checks import check_output
from .completion import model_names
from .options import (
    ModelName,
    OutputPath,
    PathOrUrl,
    RowChoice,
    coding_options,
    dask_option,
    force_option,
    max_items_option,
    max_pixels_option,
    model_option,
    no_verify_option,
    quiet_option,
    shape_option,
    threads_option,
    verbose_option,
)
from .progress import shown_progress
from .run import each, on_cluster, print_result, say, say_not_taken, shown


@click.group()
def archive() -> None:
    """Many images in one file: create, list, extract.

    Images that a latent chain's model fits share one message, of which only the first images pay.
    """


@archive.command()
@click.argument(
    "images",
    nargs=-1,
    required=True,
    type=PathOrUrl(exists=True, readable=False),
    metavar="IMAGES...",
)
@click.option(
    "-o",
    "--output",
    required=True,
    type=OutputPath(dir_okay=False),
    help="The archive to write (.bbar).",
)
@force_option
@model_option
@click.option(
    "--file-model",
    type=ModelName(),
    metavar="MODEL",
    shell_complete=model_names,
    help="The model for images that a chain model does not fit. Default: the photograph model.",
)
@click.option(
    "--group",
    type=click.IntRange(1, 65536),
    default=1000,
    metavar="N",
    help="Images of a chained group: to get one, its group is decoded.",
)
@click.option(
    "--unordered", is_flag=True, help="Give up the order of the images for log2 N! bits a group."
)
@click.option(
    "--embed-model",
    is_flag=True,
    help="Put the models into the archive, which then needs nothing else.",
)
@shape_option
@coding_options()
@no_verify_option
@click.option(
    "--as-pixels",
    is_flag=True,
    help="Take the pixels of JPEGs and other lossy files, which need more bytes than they do.",
)
@click.option(
    "--strict",
    is_flag=True,
    help="Read all files before any work, and end at the first that cannot be taken.",
)
@threads_option
@dask_option
@quiet_option
def create(
    images: tuple[str, ...],
    output: str,
    force: bool,
    model: str | None,
    file_model: str | None,
    group: int,
    unordered: bool,
    embed_model: bool,
    shape: tuple[int, int] | None,
    scheme: str | None,
    particles: int | None,
    refine: int | None,
    no_verify: bool,
    as_pixels: bool,
    strict: bool,
    threads: int | None,
    cluster: str | None,
    quiet: bool,
) -> int:
    """Write an archive of IMAGES.

    IMAGES are folders, image files, .npy, .npz or idx files, or their URLs. Those that a latent
    chain's model fits are chained, others coded one by one. JPEGs come back byte for byte. Files
    that are no images or cannot be taken are left out and listed, each with the reason.
    """
    place = urls.located(output)
    check_output(place, force, makes_folder=True)
    if isinstance(place, Path):
        place.parent.mkdir(parents=True, exist_ok=True)
    with (
        on_cluster(cluster) as workers,
        shown_progress([output], not quiet, ("coded",), "images") as begin,
        begin(output) as progress,
    ):
        result = bbans.create_archive(
            output,
            images,
            model=model,
            file_model=file_model,
            group=group,
            unordered=unordered,
            embed_model=embed_model,
            scheme=scheme,
            particles=particles,
            refine=refine,
            verify=not no_verify,
            overwrite=force,
            as_pixels=as_pixels,
            strict=strict,
            shape=shape,
            threads=threads,
            cluster=workers,
            progress=progress,
        )
    lost = [other for other in result.not_taken if other.image]
    say_not_taken(lost if quiet else result.not_taken)
    for name, note in result.left_out:
        say(f"bbans: {name}: not kept: {note}")
    if not quiet:
        _report(result, group)
    if lost:
        raise NotTakenError(
            f"{'1 image is' if len(lost) == 1 else f'{len(lost)} images are'} left out; the "
            f"archive holds the other {result.items}"
        )
    return 0


def _report(result: Any, group: int) -> None:
    """Print the counts and sizes of a `CreateResult`."""
    share = result.file_bytes / result.raw_bytes
    counts = f"{result.items} images, {result.chained} of them chained, in {result.groups} groups"
    say(f"{counts}: {result.file_bytes:,} bytes, {share:.1%} of raw")
    if result.chained:
        part = result.restart_bytes / result.file_bytes
        say(
            f"groups of {group} images cost {result.restart_bytes:,.0f} bytes ({part:.2%}) over a "
            "single message without a beginning"
        )


@archive.command(name="list")
@click.argument("file", type=click.Path(readable=False))
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@verbose_option
@max_items_option
def list_(file: str, as_json: bool, verbose: bool, max_items: int) -> int:
    """Show the images of an archive.

    Their names, and with -v their sides and groups.
    """

    def work(source: str) -> None:
        facts = bbans.list_archive(source, max_items=max_items)
        if as_json:
            print_result(json.dumps({"file": source, **facts.to_dict()}))
        elif verbose:
            print_result("\n".join(facts.lines(each_item=True)))
        else:
            print_result("\n".join(item.name for item in facts.items))

    return each([file], work).status


@archive.command()
@click.argument("file", type=click.Path(readable=False))
@click.argument("names", nargs=-1, metavar="[NAMES...]")
@click.option(
    "-o",
    "--output",
    type=OutputPath(file_okay=False),
    default=".",
    help="The folder to write to. Default: this one.",
)
@click.option(
    "--format",
    "kind",
    type=RowChoice(written),
    help="Kind of image file. Default: png, and a JPEG as it was.",
)
@force_option
@model_option
@click.option(
    "--keep-going", is_flag=True, help="Restore the undamaged groups of a damaged archive."
)
@max_pixels_option
@max_items_option
@threads_option
@quiet_option
def extract(
    file: str,
    names: tuple[str, ...],
    output: str,
    kind: str | None,
    force: bool,
    model: str | None,
    keep_going: bool,
    max_pixels: int,
    max_items: int,
    threads: int | None,
    quiet: bool,
) -> int:
    """Restore the images of an archive.

    All of them, or those of these NAMES. To get at one image its group is decoded.
    """

    def work(source: str) -> None:
        extracted = bbans.extract_archive(
            source,
            names or None,
            output=output,
            model=model,
            overwrite=force,
            format=kind,
            keep_going=keep_going,
            threads=threads,
            max_pixels=max_pixels,
            max_items=max_items,
        )
        for image in extracted.lost:
            say(f"{image.name} is missing: {image.reason}")
        if extracted.lost:
            raise DamagedTilesError(
                f"{len(extracted.lost)} images of damaged groups are missing; "
                f"{len(extracted.written)} were restored"
            )
        if not quiet:
            say(f"{len(extracted.written)} images restored to {shown(output)}")

    return each([file], work).status
