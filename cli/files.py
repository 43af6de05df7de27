"""`bbans compress` and `bbans decompress`: image files to compressed files and back.

Heavy modules are imported only when a command starts to work, so that `--help` and usage errors
answer at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import click

import bbans
from bbans.errors import DamagedTilesError, InputError
from bbans.images.formats.registry import FORMATS, JPEG, written
from bbans.options import Progress

from .checks import STREAM, check_input, check_output
from .options import (
    RegionType,
    RowChoice,
    coding_options,
    dask_option,
    effort_option,
    files_argument,
    force_option,
    max_pixels_option,
    model_option,
    no_verify_option,
    output_options,
    quiet_option,
    threads_option,
    verbose_option,
)
from .outputs import as_files, image_kind, is_stream, plan
from .run import on_cluster, process, say, shown

OURS = ".bbans"


@click.command()
@files_argument
@output_options
@force_option
@model_option
@effort_option
@threads_option
@dask_option
@no_verify_option
@click.option(
    "--as-pixels",
    is_flag=True,
    help="Take the decoded pixels of a JPEG or another lossy file, which need more bytes than it.",
)
@click.option(
    "--model-only",
    is_flag=True,
    help="Code by the model even where JPEG XL, WebP or LZMA is shorter.",
)
@click.option("--strip", is_flag=True, help="Leave out metadata: ICC profile, EXIF, text.")
@click.option(
    "--keep-suffix", is_flag=True, help="Write a.png to a.png.bbans, not to a.bbans as a.tif."
)
@click.option(
    "--keep-going",
    is_flag=True,
    help="Leave out damaged chunks of a PNG that are no pixels, and say so.",
)
@coding_options(
    in_files=True,
    default="two-part, with latents that are chosen and no initial bits, where it can be",
)
@quiet_option
@verbose_option
def compress(
    files: tuple[str, ...],
    output: str | None,
    stdout: bool,
    force: bool,
    model: str | None,
    effort: str,
    threads: int | None,
    cluster: str | None,
    no_verify: bool,
    as_pixels: bool,
    model_only: bool,
    strip: bool,
    keep_suffix: bool,
    keep_going: bool,
    quiet: bool,
    verbose: bool,
    **coding: Any,
) -> int:
    """Compress images: photo.png to photo.bbans.

    Pixels, palettes and metadata come back exactly; what cannot be kept is named. What was made is
    decoded and compared before it is written. A TIFF of several pages, a PNM of several images and
    an array of images become one file too. Reads PNG, lossless WebP, TIFF, BMP, PNM, JPEG 2000 and
    .npy with 1 to 16 bits a sample. A JPEG comes back byte for byte; no model is used for it.
    """
    targets = plan(
        files,
        output,
        stdout,
        lambda source, path: path.with_suffix((path.suffix if keep_suffix else "") + OURS),
        advice="keep their suffixes (--keep-suffix), or name outputs with -o",
    )

    def work(source: str, progress: Progress | None) -> None:
        with as_files(source, targets[source]) as (read, write):
            options = dict(
                model=model,
                effort=effort,
                verify=not no_verify,
                overwrite=force,
                as_pixels=as_pixels,
                model_only=model_only,
                strip=strip,
                threads=threads,
                cluster=workers,
                **coding,
            )
            if _is_stack(source, read):
                result = bbans.compress_stack(read, write, **options)
            else:
                result = bbans.compress_file(
                    read, write, keep_going=keep_going, progress=progress, **options
                )
        for line in result.left_out:
            say(f"bbans: {shown(source)}: not kept: {line}")
        if verbose and not quiet:
            share = (
                f"{result.file_bytes / max(1, result.source_bytes):.1%} of it, "
                f"{result.file_bytes / result.raw_bytes:.1%} of raw"
            )
            say(
                f"{shown(source)}: {result.source_bytes:,} -> {result.file_bytes:,} bytes ({share})"
            )

    with on_cluster(cluster) as workers:
        return process(
            targets,
            _checker_of_input_and_output(targets, force),
            work,
            bar=not quiet,
            at_once=1 if workers is None else workers.threads + 1,
            stages=("coded",) if no_verify else ("coded", "checked"),
        )


@click.command()
@files_argument
@output_options
@force_option
@click.option(
    "--format",
    "kind",
    type=RowChoice(lambda: (*written(), JPEG)),
    help="Kind of image file. Default: by -o, else what the file was made of, else png, or one "
    "that holds what png cannot.",
)
@model_option
@threads_option
@click.option("--region", type=RegionType(), help="Restore only this rectangle, in pixels.")
@click.option(
    "--preview",
    type=click.IntRange(0, 10),
    default=0,
    metavar="LEVEL",
    help="Every 2^LEVEL-th row and column, from little data.",
)
@click.option(
    "--keep-going",
    is_flag=True,
    help="Restore what a damaged file still holds; missing tiles are black or transparent.",
)
@max_pixels_option
@quiet_option
@verbose_option
def decompress(
    files: tuple[str, ...],
    output: str | None,
    stdout: bool,
    force: bool,
    kind: str | None,
    model: str | None,
    threads: int | None,
    region: tuple[int, int, int, int] | None,
    preview: int,
    keep_going: bool,
    max_pixels: int,
    quiet: bool,
    verbose: bool,
) -> int:
    """Restore images: photo.bbans to photo.png, a JPEG as it was.

    Writes what the file was made of where that is known: a JPEG byte for byte, a TIFF with its
    tags, a stack. Other images become PNG with all metadata, or TIFF, WebP, BMP, PNM and .npy.
    Every tile's pixels are checked by a checksum.
    """
    if keep_going and (region is not None or preview):
        raise click.UsageError(
            "--keep-going restores the whole image: leave out --region and --preview"
        )
    in_part = region is not None or preview > 0
    if in_part and kind == JPEG:
        raise click.UsageError("a region or a preview of a JPEG is pixels: choose another --format")

    def restore_stack(read: Path | str, write: Path | str, kind: str | None) -> None:
        if keep_going or region is not None or preview:
            raise InputError(
                "a stack is restored whole: get at its images with bbans archive extract, which "
                "has --keep-going too"
            )
        bbans.decompress_stack(
            read,
            write,
            model=model,
            overwrite=force,
            threads=threads,
            format=kind,
            max_pixels=max_pixels,
        )

    @cache
    def original(source: str) -> str | None:
        # nothing is known of a stream before it is read, and nothing needed where a kind is named
        if is_stream(source) or kind is not None:
            return None
        from bbans.files.jpeg import SUFFIX
        from bbans.files.on_disk import default_kind, original_suffix

        suffix = original_suffix(source)
        if suffix is not None and not (in_part and suffix == SUFFIX):
            return suffix
        other = default_kind(source)
        return None if other == "png" else written()[other][0]

    targets = plan(
        files,
        output,
        stdout,
        lambda source, path: _restored_name(path, _suffix(kind) or original(source)),
    )
    kinds = {
        source: kind or _kind(source, target, original(source))
        for source, target in targets.items()
    }

    def work(source: str, progress: Progress | None) -> None:
        with as_files(source, targets[source]) as (read, write):
            if _is_stack(source, read):
                restore_stack(read, write, kinds[source])
                return
            damaged = bbans.decompress_file(
                read,
                write,
                model=model,
                overwrite=force,
                threads=threads,
                format=kinds[source],
                max_pixels=max_pixels,
                region=region,
                preview=preview,
                keep_going=keep_going,
                progress=progress,
            )
        for damage in damaged:
            r = damage.region
            say(
                f"{shown(source)}: tile {damage.tile}, {r.width} x {r.height} at "
                f"{r.x},{r.y}, is missing: {damage.reason}"
            )
        if damaged:
            raise DamagedTilesError(
                f"{len(damaged)} damaged tiles are missing; the rest was restored"
            )
        if verbose and not quiet:
            say(
                f"{shown(source)}: restored to "
                f"{'standard output' if targets[source] is None else shown(str(targets[source]))}"
            )

    return process(targets, _checker_of_input_and_output(targets, force), work, bar=not quiet)


def _is_stack(source: str, read: Path | str) -> bool:
    """Return whether a file holds several images. A pipe, which looking would use up, does not."""
    return (source == STREAM or not is_stream(source)) and bbans.is_stack(read)


def _suffix(kind: str | None) -> str | None:
    """Return the suffix of a kind of image file, None if no kind is asked for."""
    return None if kind is None else FORMATS[kind.upper()].suffixes[0]


def _kind(source: str, target: Path | str | None, original: str | None) -> str | None:
    """Return the kind of image file for an output, by its suffix; None: what suits the source.

    original: the suffix of the file that the source gives back byte for byte, if it does. Of
    a stream that is known only when it has been read. Raises click.UsageError.
    """
    if not is_stream(source):
        return image_kind(target, original)
    suffix = "" if target is None else Path(target).suffix
    return image_kind(target, original=suffix.lower()) if suffix else None


def _restored_name(source: Path, suffix: str | None) -> Path:
    """Return the default output: the source with the suffix of the kind of image file, or the name
    before `compress --keep-suffix` if it has one that suits the kind.

    suffix: of the kind that is asked for or that the source was; None: any kind that is written,
    and PNG if the source's name tells none.
    """
    kinds = (
        written().values()
        if suffix is None
        else [row.suffixes for row in FORMATS.values() if suffix in row.suffixes]
    )
    if source.suffix == OURS and any(Path(source.stem).suffix.lower() in kind for kind in kinds):
        return source.with_suffix("")
    suffix = suffix or ".png"
    return (
        source.with_suffix(suffix)
        if source.suffix == OURS
        else source.with_name(source.name + suffix)
    )


def _checker_of_input_and_output(
    targets: Mapping[str, Path | str | None], force: bool
) -> Callable[[str], None]:
    """Return the function that checks a source and its target before the work."""

    def check(source: str) -> None:
        check_input(source)
        check_output(targets[source], force, makes_folder=True)

    return check
