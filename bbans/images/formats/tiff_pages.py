"""Pages of a TIFF: which are images of their own, and a page as a file of its own."""

from __future__ import annotations

import struct

from bbans.errors import InputError, UnsupportedImageError
from bbans.images.formats.tiff_carried import OLD_JPEG, SUB_IFDS, carried
from bbans.images.formats.tiff_directory import (
    LONG,
    LONG8,
    Directory,
    Source,
    chain,
    head_of,
    numbers_of,
)
from bbans.images.formats.tiff_tags import STRIP_BYTES, STRIPS
from bbans.images.formats.tiff_write import directory_bytes, header_bytes
from bbans.images.image import TiffTag

DESCRIPTION, STK_PLANES = 270, 33629
TILE_OFFSETS, TILE_BYTES = 324, 325
FREE = (288, 289)
"""Tags of unused bytes of a file."""


def pages_of(data: Source) -> tuple[list[Directory], tuple[str, ...]]:
    """Return the pages of a file that are no smaller version of another, and in words what is left
    out.

    Raises InputError on damage, and UnsupportedImageError on planes that no directory describes.

    Examples:
        >>> import numpy as np
        >>> from bbans.images.formats.tiff import tiff_bytes
        >>> from bbans.images.image import from_array
        >>> pages, notes = pages_of(tiff_bytes(from_array(np.zeros((2, 3), np.uint8))))
        >>> len(pages), notes
        (1, ())
    """
    pages = chain(data)
    if not pages:
        raise InputError("damaged TIFF: it has no pages")
    check_planes(data, pages)
    kept = [page for page in pages if not page.subfile & 1] or pages[:1]
    if dropped := len(pages) - len(kept):
        note = f"{dropped} images of lower resolution (thumbnails, levels of a pyramid)"
        return kept, (note,)
    return kept, ()


def check_planes(data: Source, pages: list[Directory]) -> None:
    """Raise UnsupportedImageError for files with planes that no directory describes.

    Examples:
        >>> check_planes(b"", [Directory((), 0)])
    """
    for entry in pages[0].entries if pages else ():
        if entry.tag == STK_PLANES and entry.values > max(1, len(pages)):
            raise UnsupportedImageError(
                f"a MetaMorph stack whose {entry.values} planes have one directory is not "
                "coded: save it as OME-TIFF"
            )
        if entry.tag == DESCRIPTION and entry.type == 2:
            text = data[entry.place : entry.place + min(entry.values, 4096)]
            lines = text.split(b"\n") if text.startswith(b"ImageJ=") else []
            counts = [line[7:] for line in lines if line.startswith(b"images=")]
            if counts and counts[0].strip().isdigit() and int(counts[0]) > len(pages):
                raise UnsupportedImageError(
                    f"an ImageJ file of {int(counts[0])} planes has directories for {len(pages)}, "
                    "the others would be lost: save it as OME-TIFF"
                )


def page_file(data: Source, page: Directory) -> bytes:
    r"""Return a page as a file of its own: its tags, and its strips or tiles one after the other.

    Memory: the bytes of the page. Raises InputError on damage, UnsupportedImageError on old-style
    JPEG.

    Examples:
        >>> from bbans.images.formats.tiff import tiff_bytes
        >>> from bbans.images.image import from_array
        >>> import numpy as np
        >>> data = tiff_bytes(from_array(np.zeros((2, 3), np.uint8)))
        >>> page_file(data, chain(data)[0])[-6:]
        b'\x00\x00\x00\x00\x00\x00'
    """
    head = head_of(data)
    by_tag = {entry.tag: entry for entry in page.entries}
    if OLD_JPEG & set(by_tag):
        raise UnsupportedImageError("a page of old-style JPEG is not coded: save it anew")
    tiled = TILE_OFFSETS in by_tag
    places = (TILE_OFFSETS, TILE_BYTES) if tiled else (STRIPS, STRIP_BYTES)
    if not set(places) <= set(by_tag):
        raise InputError("damaged TIFF: a page does not say where its pixels are")
    offsets, sizes = (numbers_of(data, head, by_tag[tag]) for tag in places)
    if len(offsets) != len(sizes) or sum(sizes) > len(data):
        raise InputError("damaged TIFF: the strips of a page overlap or are more than the file")
    skipped = {*places, SUB_IFDS, 288, 289}
    tags = carried(data, page.entries, lambda tag: tag not in skipped)[0].tags
    kind, letter = (LONG8, "Q") if head.big else (LONG, "I")

    def pointers(tag: int, values: list[int]) -> TiffTag:
        packed = struct.pack(f"{head.order}{len(values)}{letter}", *values)
        return TiffTag(tag, kind, len(values), packed)

    def directory(start: int) -> bytes:
        moved, at = [], start
        for size in sizes:
            moved.append(at if size else 0)
            at += size
        both = (pointers(places[0], moved), pointers(places[1], list(sizes)))
        everything = tuple(sorted((*tags, *both), key=lambda tag: tag.tag))
        return directory_bytes(everything, head.order, head.big, len(begin), 0)

    begin = header_bytes(head.order, head.big)
    start = len(begin) + len(directory(0))
    strips = [data[offset : offset + size] for offset, size in zip(offsets, sizes, strict=True)]
    if any(len(strip) < size for strip, size in zip(strips, sizes, strict=True)):
        raise InputError("truncated TIFF: it ends in the pixels of a page")
    return begin + directory(start) + b"".join(strips)
