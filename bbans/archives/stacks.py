"""Stacks in one file: an archive whose images are the pages of a TIFF, of a PNM file, or the planes
of an array, with a record of how they are put together again.

Pages are coded as the images of any archive are, and read, coded and written one at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bbans import container, images
from bbans.archives import models
from bbans.archives.models import ArchiveModel
from bbans.archives.restore import restore
from bbans.archives.write import Writing, write_archive
from bbans.container import archive_reader as reader
from bbans.container import archive_records as records
from bbans.container import stack_record
from bbans.container.archive_records import MAX_ITEMS
from bbans.errors import FormatError, InputError, LimitError, OutputError
from bbans.files import storage
from bbans.files.on_disk import CompressResult
from bbans.images import stacks
from bbans.images.formats.pnm_frames import pnm_stack
from bbans.images.formats.registry import format_of_suffix
from bbans.images.formats.tiff_stack import grey_layout, tiff_stack
from bbans.images.page import Layout, Page
from bbans.options import SchemeOptions, effort_named

if TYPE_CHECKING:
    from bbans.execution.dask import Cluster

KINDS = {"NPY": stack_record.ARRAY, "TIFF": stack_record.TIFF, "PPM": stack_record.PNM}
"""Kinds of stacks in an index, by the format of the file."""
FORMATS = {kind: name for name, kind in KINDS.items()}


def is_stack(source: str | Path | bytes) -> bool:
    """Return whether a path, URL or bytes hold a stack: a file of several images, an image of more
    samples than the format of single images has, or an archive of such.

    False for what cannot be read. Of a file, headers and directories are read.

    Examples:
        >>> is_stack(b"P5 1 1 255 aP5 1 1 255 b"), is_stack(b"P5 1 1 255 a")
        (True, False)
    """
    try:
        with storage.open_buffer(source) as data:
            if reader.is_archive(data[:8]):
                return reader.read_archive_index(data, whole=False).archive.stack is not None
            return stacks.open_stack(data) is not None
    except (InputError, FormatError):
        return False


def compress_stack(
    source: str | Path | bytes | NDArray[Any],
    target: str | Path,
    *,
    model: ArchiveModel = None,
    effort: str = "default",
    scheme: str | None = None,
    particles: int | None = None,
    refine: int | None = None,
    verify: bool = True,
    overwrite: bool = False,
    as_pixels: bool = False,
    strip: bool = False,
    model_only: bool = False,
    threads: int | None = None,
    cluster: Cluster | None = None,
) -> CompressResult:
    """Compress a stack to an archive and return the sizes, and what was left out.

    source: a path or URL, or the bytes, of a TIFF of several pages or of more than four samples a
    pixel, of a PNM file of several images, or of an `.npy` file; or an array of bool or of integers
    of 8 or 16 bits, `(N, H, W)`, `(N, H, W, C)` or `(H, W, C)`, with more leading axes if need be.
    The last axis is taken as channels if it has up to four entries or is at most a quarter as long
    as rows and columns. target: a path or URL.

    The other options are those of `compress_file`. Pages that a latent model of whole images fits
    share messages. Raises as `compress_file` does, and InputError on what is no stack.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     array = np.zeros((3, 4, 5), np.uint16)
        ...     _ = compress_stack(array, f"{folder}/a.bbans", model="none")
        ...     read_stack(f"{folder}/a.bbans").shape
        (3, 4, 5)
    """
    named = effort_named(effort)
    file_model = named.model if model is None else None
    left_out: list[str] = []
    raw_bytes = 0
    pages: list[stack_record.StackPage] = []
    array = source if isinstance(source, np.ndarray) else None
    path = None if isinstance(source, np.ndarray | bytes) else source
    with storage.open_buffer(b"" if isinstance(source, np.ndarray) else source) as data:
        stack = stacks.pages_of_array(array) if array is not None else _opened(data, as_pixels)

        def members() -> Iterator[tuple[str, images.Image]]:
            nonlocal raw_bytes
            number = 0
            for page in stack.pages():
                if page.left_out:
                    left_out.append(f"of page {len(pages) + 1}: {', '.join(page.left_out)}")
                pages.append(_page_record(page))
                for image in page.images:
                    raw_bytes += image.pixels.nbytes
                    yield str(number), images.without_metadata(image) if strip else image
                    number += 1

        def record() -> stack_record.Stack:
            return _record(stack, tuple(pages))

        written = write_archive(
            target,
            lambda folder: members(),
            Writing(
                model,
                file_model,
                scheme=SchemeOptions(scheme, particles, refine),
                verify=verify,
                overwrite=overwrite,
                threads=threads,
                cluster=cluster,
                effort=effort,
                model_only=model_only,
                mode=None if path is None else storage.mode_of(path),
            ),
            record,
        )
        source_bytes = len(data) if array is None else array.nbytes
    return CompressResult(source_bytes, written.file_bytes, raw_bytes, tuple(left_out))


def _opened(data: container.Buffer, as_pixels: bool) -> stacks.StackSource:
    stack = stacks.open_stack(data, as_pixels)
    if stack is None:
        raise InputError(
            "a stack was expected (a TIFF of several pages, a PNM file of several images, an array "
            "of images), found none: compress it as a single image"
        )
    return stack


def _page_record(page: Page) -> stack_record.StackPage:
    if page.layout is None:
        return stack_record.StackPage(page.samples)
    layout = page.layout
    return stack_record.StackPage(layout.samples, layout.photometric, layout.planar, layout.extra)


def _record(
    stack: stacks.StackSource, pages: tuple[stack_record.StackPage, ...]
) -> stack_record.Stack:
    kind, shape = KINDS[stack.format], stack.shape
    if shape is not None:
        big_endian = shape.dtype.str[0] == ">"
        return stack_record.Stack(kind, shape.axes, shape.channels, big_endian, shape.fortran)
    return stack_record.Stack(kind, pages=pages if kind == stack_record.TIFF else ())


def decompress_stack(
    source: str | Path,
    target: str | Path,
    *,
    model: ArchiveModel = None,
    overwrite: bool = False,
    threads: int | None = None,
    format: str | None = None,
    max_pixels: int = container.DEFAULT_MAX_PIXELS,
    max_items: int = MAX_ITEMS,
) -> None:
    """Decompress an archive of a stack to a file like the one that it was made of.

    source, target: paths or URLs. format: "TIFF", "NPY" or "PPM"; None: by
    the suffix of the target, else that of the stack.
    max_pixels: of a page; max_items: of the archive. Memory: a page, where pages share no messages.
    The other options are those of `decompress_file`.

    Raises FormatError on damage and on archives that are no stack, of which LimitError,
    ModelNotFoundError, OutputExistsError, and OutputError on a format that cannot hold the stack.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     np.save(f"{folder}/a.npy", np.ones((3, 4, 5), np.uint8))
        ...     _ = compress_stack(f"{folder}/a.npy", f"{folder}/a.bbans", model="none")
        ...     decompress_stack(f"{folder}/a.bbans", f"{folder}/b.npy")
        ...     np.load(f"{folder}/b.npy").shape
        (3, 4, 5)
    """
    with storage.open_buffer(source) as data:
        index = _stack_index(data, max_items)
        pages = _restored(data, index, model, threads, max_pixels)
        kind = format or format_of_suffix(Path(target).suffix)
        pieces = _pieces(index.archive, pages, kind)
        storage.write_file(target, pieces, overwrite, storage.mode_of(source))


def read_stack(
    source: str | Path | bytes,
    *,
    model: ArchiveModel = None,
    threads: int | None = None,
    max_pixels: int = container.DEFAULT_MAX_PIXELS,
    max_items: int = MAX_ITEMS,
) -> NDArray[Any]:
    """Decompress an archive of a stack to an array, of the shape and type that it had.

    source: a path or URL, or bytes. Pages of a TIFF or PNM file must be alike; their first axis is
    that of the pages. max_pixels: of all images together, since they are in memory at once.

    Raises FormatError on damage, of which LimitError, ModelNotFoundError, and OutputError on pages
    that are no array.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     array = np.zeros((32, 32, 5), np.uint8)
        ...     _ = compress_stack(array, f"{folder}/a.bbans", model="none")
        ...     read_stack(f"{folder}/a.bbans").shape
        (32, 32, 5)
    """
    with storage.open_buffer(source) as data:
        index = _stack_index(data, max_items)
        pixels = sum(item.width * item.height for item in index.archive.items)
        if pixels > max_pixels:
            raise LimitError(
                f"the stack has {pixels} pixels, more than the limit of {max_pixels}: raise the "
                "limit to read it"
            )
        pages = list(_restored(data, index, model, threads, max_pixels))
    shape = _shape(index.archive, pages[0])
    raw = b"".join(stacks.npy_stack(iter(pages), shape))
    flat = np.frombuffer(raw, shape.dtype, offset=len(raw) - shape.dtype.itemsize * shape.size)
    array: NDArray[Any] = flat.reshape(shape.axes, order="F" if shape.fortran else "C").copy()
    return array


def _stack_index(data: container.Buffer, max_items: int) -> reader.ArchiveIndex:
    index = reader.read_archive_index(data, max_items)
    if index.archive.stack is None:
        raise FormatError(
            "a stack was expected, found an archive of single images: extract it (bbans archive "
            "extract)"
        )
    return index


def _restored(
    data: container.Buffer,
    index: reader.ArchiveIndex,
    model: ArchiveModel,
    threads: int | None,
    max_pixels: int,
) -> Iterator[Page]:
    """Yield the pages of a stack in order."""
    archive = index.archive
    assert archive.stack is not None
    sources = models.models_for_reading(data, index, model, threads, max_pixels)
    numbers = stack_record.items_of_images(archive.stack, archive.items)
    layouts = _layouts(archive.stack, numbers)
    waiting: dict[int, images.Image] = {}  # groups may not be in the order of the images
    at = 0
    for number, image in restore(data, index, sources):
        waiting[number] = image
        while at < len(numbers) and all(n in waiting for n in numbers[at]):
            page = Page(tuple(waiting.pop(n) for n in numbers[at]), layouts[at])
            if any(image.samples != page.images[0].samples for image in page.images):
                raise FormatError(
                    f"image {at + 1} of the stack: its items have samples of different kinds (kind "
                    "7 of the metadata); the file is malformed"
                )
            yield page
            at += 1


def _layouts(stack: stack_record.Stack, numbers: list[range]) -> list[Layout | None]:
    if stack.kind == stack_record.PNM:
        return [None] * len(numbers)
    if stack.kind == stack_record.ARRAY:
        samples = stack.axes[-1] if stack.channels else 1
        return [grey_layout(samples) if len(of) > 1 else None for of in numbers]
    return [
        Layout(page.samples, page.photometric, page.planar, page.extra) if len(of) > 1 else None
        for page, of in zip(stack.pages, numbers, strict=True)
    ]


def _shape(archive: records.Archive, first: Page) -> stacks.Shape:
    """Return the shape of the array that a stack was, or that its pages make."""
    stack = archive.stack
    assert stack is not None
    count = len(stack_record.items_of_images(stack, archive.items))
    shape = stacks.shape_of_pages(first, count)
    if stack.kind != stack_record.ARRAY:
        return shape
    dtype = shape.dtype.newbyteorder(">") if stack.big_endian else shape.dtype
    return replace(
        shape, axes=stack.axes, channels=stack.channels, dtype=dtype, fortran=stack.fortran
    )


def _pieces(archive: records.Archive, pages: Iterator[Page], format: str | None) -> Iterator[bytes]:
    """Yield the bytes of a stack's file."""
    stack = archive.stack
    assert stack is not None
    kind = (format or FORMATS[stack.kind]).upper()
    count = len(stack_record.items_of_images(stack, archive.items))
    if kind == "TIFF":
        raw = sum(
            container.FORMATS[item.pixel_format].raw_bytes(item.height, item.width)
            for item in archive.items
        )
        yield from tiff_stack(pages, count, raw)
    elif kind == "PPM":
        yield from pnm_stack(pages)
    elif kind == "NPY":
        first = next(pages)
        yield from stacks.npy_stack(chain([first], pages), _shape(archive, first))
    else:
        raise OutputError(
            f"{kind} holds no stack: choose TIFF, NPY or PPM, or its images one by one (bbans "
            "archive extract)"
        )
