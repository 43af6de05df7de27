"""PNM files of several images, one after the other: P4 to P7, whose samples are bytes of known
number. (The forms of text hold one image, as Netpbm's manual pages say.)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from bbans.errors import InputError
from bbans.images.formats.pnm import header_of, pnm_bytes, read_pnm
from bbans.images.formats.rows import row_bytes
from bbans.images.formats.tiff_directory import Source
from bbans.images.page import Page

MAX_HEADER = 2**16
MAX_FRAMES = 2**20


def _size(data: Source, at: int) -> int:
    """Return the bytes of the image that starts at byte `at`. Raises InputError on damage."""
    start = data[at : at + MAX_HEADER]
    header = header_of(start)
    bits = 1 if start[1:2] == b"4" else 8 if header.largest < 256 else 16
    size = header.start + row_bytes(header.width, header.channels, bits) * header.height
    if header.width < 1 or header.height < 1:
        raise InputError(f"damaged PNM: no valid size ({header.width} x {header.height})")
    if at + size > len(data):
        raise InputError(
            f"truncated PNM: {size} bytes of an image were expected, found {len(data) - at}"
        )
    return size


def _is_frame(data: Source, at: int) -> bool:
    start = data[at : at + 3]
    return start[:1] == b"P" and start[1:2] in b"4567" and start[2:3].isspace()


def is_stack(data: Source) -> bool:
    """Return whether another image follows the first. Raises InputError on damage.

    Examples:
        >>> is_stack(b"P5 1 1 255 aP5 1 1 255 b"), is_stack(b"P5 1 1 255 a")
        (True, False)
    """
    if not _is_frame(data, 0):
        return False
    try:
        return _is_frame(data, _size(data, 0))
    except InputError:
        return False  # the reader of single images says what is wrong


def read_frames(data: Source, max_pixels: int) -> Iterator[Page]:
    """Yield the images of a file. Memory: one image.

    Raises InputError on damage and on more than 2^20 images.

    Examples:
        >>> len(list(read_frames(b"P5 1 1 255 aP5 1 1 255 b", 100)))
        2
    """
    at, number = 0, 0
    while at < len(data) and (not number or _is_frame(data, at)):
        if number == MAX_FRAMES:
            raise InputError(f"a PNM file of more than {MAX_FRAMES} images is not read: split it")
        try:
            size = _size(data, at)
            image = read_pnm(data[at : at + size], False, max_pixels)
        except InputError as error:
            raise type(error)(f"image {number + 1}: {error}") from error.__cause__
        at += size
        number += 1
        if len(data) > at and not _is_frame(data, at):
            image = replace(image, left_out=(f"{len(data) - at} bytes after its last image",))
        yield Page((image,))


def pnm_stack(pages: Iterator[Page]) -> Iterator[bytes]:
    r"""Yield the bytes of a PNM file of several images.

    Raises OutputError for pages that PNM cannot hold.

    Examples:
        >>> b"".join(pnm_stack(read_frames(b"P5 1 1 255 aP5 1 1 255 b", 100)))
        b'P5\n1 1\n255\naP5\n1 1\n255\nb'
    """
    for page in pages:
        yield pnm_bytes(page.single("PNM"))
