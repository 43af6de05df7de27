"""TIFF of several pages, or of more samples a pixel than an image has: pages with their tags, read
and written one at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from bbans.errors import InputError, OutputError
from bbans.images.formats.tiff import decode_samples, read_page, upright
from bbans.images.formats.tiff_carried import tags_of, with_tags
from bbans.images.formats.tiff_directory import Directory, Source, head_of, numbers_of
from bbans.images.formats.tiff_pages import page_file, pages_of
from bbans.images.formats.tiff_stored import (
    described_samples,
    row_data,
    stored_bits,
    stored_page,
)
from bbans.images.formats.tiff_tags import (
    CHANNELS,
    EXTRA,
    HEIGHT,
    LAST_CHANNELS,
    MIN_IS_BLACK,
    MIN_IS_WHITE,
    ORIENTATION,
    PHOTOMETRIC,
    PLANAR,
    RGB,
    WIDTH,
    Kind,
    check_compression,
    check_samples,
    read_directory,
)
from bbans.images.formats.tiff_write import header_bytes, needs_big, page_bytes
from bbans.images.image import Image, TiffTags, make_image
from bbans.images.page import Layout, Page, grey_images
from bbans.images.pillow_convert import check_size, guarded
from bbans.images.sample_kind import full_range, kind_of_largest

CLASSIC = 2**32 - 2**28
"""Bytes of samples beyond which a BigTIFF is written."""


def is_stack(data: Source) -> bool:
    """Return whether a TIFF has several pages, or a page that no single image holds.

    Raises InputError on damage.

    Examples:
        >>> from bbans.images.formats.tiff import tiff_bytes
        >>> is_stack(tiff_bytes(make_image(np.zeros((2, 3), np.uint8))))
        False
    """
    if data[:4] == b"MM\0+":
        return False
    pages, _ = pages_of(data)
    if len(pages) > 1:
        return True
    return _layout(data, pages[0]) is not None


def _numbers(data: Source, page: Directory) -> dict[int, tuple[int, ...]]:
    """Return the tags of a page that say what its samples are."""
    head, wanted = head_of(data), (PHOTOMETRIC, CHANNELS, EXTRA, PLANAR)
    return {
        entry.tag: numbers_of(data, head, entry)
        for entry in page.entries
        if entry.tag in wanted and entry.values
    }


def _layout(data: Source, page: Directory) -> Layout | None:
    """Return the layout of a page of samples that are no single image; None for all others, also
    those that cannot be read.
    """
    tags = _numbers(data, page)
    photometric, channels = tags.get(PHOTOMETRIC, (MIN_IS_WHITE,))[0], tags.get(CHANNELS, (1,))[0]
    if photometric not in (MIN_IS_WHITE, MIN_IS_BLACK, RGB):
        return None
    colours, extra = 3 if photometric == RGB else 1, tags.get(EXTRA, ())
    one_more = (
        channels == colours + 1
        and photometric != MIN_IS_WHITE
        and (not extra or (len(extra) == 1 and extra[0] in LAST_CHANNELS))
    )
    if channels <= colours or one_more:
        return None
    return Layout(channels, photometric, tags.get(PLANAR, (1,))[0] == 2, extra[:channels])


def grey_layout(samples: int) -> Layout:
    """Return the layout of a page of channels without a meaning.

    Examples:
        >>> grey_layout(5).extra
        (0, 0, 0, 0)
    """
    return Layout(samples, MIN_IS_BLACK, False, (0,) * (samples - 1))


def read_pages(data: Source, as_pixels: bool, max_pixels: int) -> Iterator[Page]:
    """Yield the pages of a TIFF, with their tags.

    Memory: one page. Raises InputError on damage, and as `read_tiff` does.

    Examples:
        >>> from bbans.images.formats.tiff import tiff_bytes
        >>> data = tiff_bytes(make_image(np.zeros((2, 3), np.uint8)))
        >>> [page.samples for page in read_pages(data, False, 100)]
        [1]
    """
    pages, notes = pages_of(data)
    for number, directory in enumerate(pages):
        try:
            layout = _layout(data, directory)
            page = _read_page(page_file(data, directory), layout, as_pixels, max_pixels)
        except InputError as error:
            raise type(error)(f"page {number + 1}: {error}") from error.__cause__
        first = with_tags(page.images[0], data, directory, notes if not number else ())
        if page.layout is not None:
            first = _without_white(first)
        yield replace(page, images=(first, *page.images[1:]))


def _without_white(image: Image) -> Image:
    """Return an image of a page of several without tag 262, which the layout has."""
    assert image.tiff is not None
    tags = tuple(tag for tag in image.tiff.tags if tag.tag != PHOTOMETRIC)
    return replace(image, tiff=replace(image.tiff, tags=tags))


def _read_page(data: bytes, layout: Layout | None, as_pixels: bool, max_pixels: int) -> Page:
    with guarded("TIFF"):
        tags = read_directory(data)
        if layout is None or check_compression(tags, as_pixels):
            return Page((read_page(data, as_pixels, max_pixels),))
        width, height = int(tags[WIDTH]), int(tags[HEIGHT])
        if width < 1 or height < 1:
            raise InputError(f"damaged TIFF: no valid size ({width} x {height})")
        check_size(width * layout.samples, height, max_pixels)
        bits, signed = check_samples(tags, layout.samples)
        kind = Kind(width, height, layout.samples, bits, MIN_IS_BLACK, layout.planar, signed)
        samples = upright(decode_samples(data, kind, tags), tags.get(ORIENTATION, 1))
        depth, meaning = kind_of_largest(full_range(bits, signed), layout.samples, signed)
        if layout.photometric != RGB:
            return Page(grey_images(samples, depth, meaning), layout)
        colours = make_image(np.ascontiguousarray(samples[..., :3]), (), depth, samples=meaning)
        return Page((colours, *grey_images(samples[..., 3:], depth, meaning)), layout)


def tiff_stack(pages: Iterator[Page], count: int, raw_bytes: int) -> Iterator[bytes]:
    """Yield the bytes of a TIFF of `count` pages, uncompressed, with their tags.

    raw_bytes: of the samples of all pages, by which a BigTIFF is chosen. Memory: one page. Raises
    OutputError for what TIFF cannot hold, and for pages whose tags have different byte orders.

    Examples:
        >>> page = Page((make_image(np.zeros((2, 3), np.uint8)),))
        >>> data = b"".join(tiff_stack(iter([page, page]), 2, 12))
        >>> len(list(read_pages(data, False, 100)))
        2
    """
    at, order, big = 0, ">", False
    for number, page in enumerate(pages):
        tags = tags_of(page.images[0], order)
        if not number:
            order, big = (
                ">" if tags.big_endian else "<",
                raw_bytes > CLASSIC or needs_big(tags.tags),
            )
            begin = header_bytes(order, big)
            at = len(begin)
            yield begin
        written = _page_bytes(page, tags, order, big, at, number == count - 1)
        at += len(written)
        yield written


def _page_bytes(page: Page, tags: TiffTags, order: str, big: bool, start: int, last: bool) -> bytes:
    if not tags.tags:
        tags = TiffTags(order == ">", ())
    if (">" if tags.big_endian else "<") != order:
        raise OutputError("the pages of a TIFF have one byte order, found two: choose NPY or PNM")
    if needs_big(tags.tags) and not big:
        raise OutputError("a page has tags of 64 bits, and the first has none: choose NPY or PNM")
    first, strips = page.images[0], 1
    if page.layout is None:
        stored, rows = stored_page(first, tags)
    else:
        channels = [image.pixels.reshape(*image.pixels.shape[:2], -1) for image in page.images]
        samples = np.concatenate(channels, axis=-1)
        height, width, count = samples.shape
        bits = stored_bits(first)
        stored = described_samples(
            (height, width, count),
            bits,
            page.layout.photometric,
            page.layout.extra,
            order,
            page.layout.planar,
            first.samples.signed,
        )
        if page.layout.planar:
            strips = count
            samples = np.moveaxis(samples, -1, 0).reshape(count * height, width)
        rows = row_data(np.ascontiguousarray(samples), bits, order)
    carried = [tag for tag in tags.tags if tag.tag != PHOTOMETRIC]
    return page_bytes((*stored, *carried), rows, order, big, start, last, strips)
