"""`bbans archive create/list/extract`: many images in one file."""

from __future__ import annotations

import json

import click

import bbans
from bbans.errors import DamagedTilesError
from bbans.files import urls
from bbans.images.formats.registry import written

from .completion import model_names
from .options import (
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
from .outputs import check_output
from .run import on_cluster, say


@click.group()
def archive() -> None:
    """Many images in one file: create, list, extract.

    Images that a latent chain's model fits share one message, of which only the first images pay.
    """


@archive.command()
@click.argument("images", nargs=-1, required=True, type=PathOrUrl(exists=True), metavar="IMAGES...")
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(dir_okay=False),
    help="The archive to write (.bbar).",
)
@force_option
@model_option
@click.option(
    "--file-model",
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
    threads: int | None,
    cluster: str | None,
    quiet: bool,
) -> int:
    """Write an archive of IMAGES.

    IMAGES are folders, image files, .npy, .npz or idx files, or their URLs. Those that a latent
    chain's model fits are chained, others coded one by one. JPEGs come back byte for byte.
    """
    check_output(urls.located(output), force)
    with on_cluster(cluster) as workers:
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
            shape=shape,
            threads=threads,
            cluster=workers,
        )
    if quiet:
        return 0
    if result.skipped:
        say(
            f"{len(result.skipped)} files are no images and were skipped, the first: "
            f"{click.format_filename(result.skipped[0])}"
        )
    share = result.file_bytes / result.raw_bytes
    counts = f"{result.items} images, {result.chained} of them chained, in {result.groups} groups"
    say(f"{counts}: {result.file_bytes:,} bytes, {share:.1%} of raw")
    if result.chained:
        part = result.restart_bytes / result.file_bytes
        say(
            f"groups of {group} images cost {result.restart_bytes:,.0f} bytes ({part:.2%}) over a "
            "single message without a beginning"
        )
    return 0


@archive.command(name="list")
@click.argument("file", type=click.Path())
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@verbose_option
@max_items_option
def list_(file: str, as_json: bool, verbose: bool, max_items: int) -> int:
    """Show the images of an archive.

    Their names, and with -v their sides and groups.
    """
    facts = bbans.list_archive(file, max_items=max_items)
    if as_json:
        click.echo(json.dumps({"file": file, **facts.to_dict()}))
    elif verbose:
        click.echo("\n".join(facts.lines(each_item=True)))
    else:
        for item in facts.items:
            click.echo(item.name)
    return 0


@archive.command()
@click.argument("file", type=click.Path())
@click.argument("names", nargs=-1, metavar="[NAMES...]")
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False),
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
    extracted = bbans.extract_archive(
        file,
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
        say(f"{len(extracted.written)} images restored to {click.format_filename(output)}")
    return 0
