"""Tags that travel with an image: of the TIFF that it came from, or made of its metadata."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Callable
from dataclasses import replace

from bbans.errors import InputError
from bbans.images import metadata
from bbans.images.formats.tiff_directory import (
    IFD,
    IFD8,
    LONG,
    LONG8,
    TYPE_BYTES,
    Directory,
    Entry,
    Source,
    head_of,
    numbers_of,
    read_entries,
    value_of,
)
from bbans.images.formats.tiff_tags import (
    ICC,
    MIN_IS_WHITE,
    ORIENTATION,
    PHOTOMETRIC,
    UNIT,
    X_RESOLUTION,
    XMP,
    Y_RESOLUTION,
)
from bbans.images.formats.tiff_write import shorts
from bbans.images.image import Image, TiffTag, TiffTags
from bbans.images.pillow_convert import guarded

SUB_IFDS, EXIF, GPS, INTEROPERABILITY = 330, 34665, 34853, 40965
OLD_JPEG = frozenset(range(512, 522))
STORAGE = frozenset(
    {256, 257, 258, 259, 262, 266, 273, 274, 277, 278, 279, 284, 288, 289, 292, 293, 317, 320}
    | {322, 323, 324, 325, SUB_IFDS, 338, 339, 347, *OLD_JPEG, 529, 530, 531, 532}
)
"""Tags that say where and how pixels are stored, as in `docs/format.md`."""
DIRECTORIES = {None: (EXIF, GPS), EXIF: (INTEROPERABILITY,), GPS: (), INTEROPERABILITY: ()}
OFFSETS = {
    400: "global parameters (tag 400)",
    33560: "Olympus SIS data (tag 33560)",
    34361: "FluoView data (tag 34361)",
    34412: "Zeiss LSM data (tag 34412)",
    50341: "print image matching (tag 50341)",
}
"""Private tags that hold offsets into the file, which would point nowhere in another."""
GEOGRAPHIC = frozenset((33550, 33922, 34264))
"""Tags that place the pixels of a GeoTIFF, in the order of the file."""
MAX_TAG_BYTES = 2**25
"""Bytes of a page's tags that are kept; a value beyond them is left out and said so."""


def carried(
    data: Source,
    entries: tuple[Entry, ...],
    wanted: Callable[[int], bool] = lambda tag: tag not in STORAGE,
) -> tuple[TiffTags, tuple[str, ...]]:
    r"""Return the tags of a page besides those that say how it is stored, and in words what cannot
    be carried.

    wanted: whether a tag of the page is asked for. Raises InputError on damage.

    Examples:
        >>> from bbans.images.formats.tiff_directory import chain
        >>> data = b"II*\0\x08\0\0\0" + bytes(6)
        >>> carried(data, chain(data)[0].entries)
        (TiffTags(big_endian=False, tags=()), ())
    """
    head, notes = head_of(data), list[str]()
    left = MAX_TAG_BYTES

    def kept(entries: tuple[Entry, ...], parent: int | None) -> tuple[TiffTag, ...]:
        nonlocal left
        found: dict[int, TiffTag] = {}
        for entry in entries:
            tag = entry.tag
            if parent is None and not wanted(tag):
                continue
            if tag in found:
                notes.append(f"a second tag {tag}")
            elif tag in DIRECTORIES[parent]:
                if entry.values != 1 or entry.type not in (LONG, IFD, LONG8, IFD8):
                    raise InputError(f"damaged TIFF: tag {tag} is no directory")
                number = numbers_of(data, head, entry._replace(type=_plain(entry.type)))
                found[tag] = TiffTag(tag, 0, directory=kept(_inner(number[0]), tag))
            elif tag in OFFSETS and parent is None:
                notes.append(OFFSETS[tag])
            elif entry.type not in TYPE_BYTES:
                kind = "offsets" if entry.type in (IFD, IFD8) else f"unknown type {entry.type}"
                notes.append(f"tag {tag}, of {kind}")
            elif tag in (SUB_IFDS, INTEROPERABILITY, EXIF, GPS):
                notes.append(f"the directory of tag {tag}")
            elif (size := entry.values * TYPE_BYTES[entry.type]) > left:
                notes.append(f"tag {tag}, of {size} bytes")
            else:
                left -= size
                found[tag] = TiffTag(tag, entry.type, entry.values, value_of(data, entry))
        return tuple(found[tag] for tag in sorted(found))

    def _inner(offset: int) -> tuple[Entry, ...]:
        return read_entries(data, head, offset)[0]

    tags = TiffTags(head.order == ">", kept(entries, None))
    by_tag = {entry.tag: entry for entry in entries}
    if SUB_IFDS in by_tag:
        notes.append(
            f"{by_tag[SUB_IFDS].values} images in SubIFDs (a pyramid's levels or thumbnails)"
        )
    return tags, tuple(notes)


def _plain(kind: int) -> int:
    return {IFD: LONG, IFD8: LONG8}.get(kind, kind)


def with_tags(image: Image, data: Source, page: Directory, notes: tuple[str, ...]) -> Image:
    """Return an image of a page with the page's tags, and with notes on what is left out.

    Tag 262 is kept where white is zero in a grey image: its samples have been inverted.

    Examples:
        >>> import numpy as np
        >>> from bbans.images.formats.tiff import tiff_bytes
        >>> from bbans.images.image import from_array
        >>> from bbans.images.formats.tiff_directory import chain
        >>> image = from_array(np.zeros((2, 3), np.uint8))
        >>> data = tiff_bytes(image)
        >>> with_tags(image, data, chain(data)[0], ()).tiff
        TiffTags(big_endian=True, tags=())
    """
    tags, more = carried(data, page.entries)
    turned = [entry for entry in page.entries if entry.tag == ORIENTATION and entry.values == 1]
    if turned and GEOGRAPHIC & {tag.tag for tag in tags.tags}:
        (orientation,) = numbers_of(data, head_of(data), turned[0])
        if orientation != 1:
            more += (f"orientation {orientation}, to which its geographic tags refer",)
    white = [entry for entry in page.entries if entry.tag == PHOTOMETRIC]
    if (
        white
        and image.pixels.ndim == 2
        and not image.palette
        and numbers_of(data, head_of(data), white[0]) == (MIN_IS_WHITE,)
    ):
        kept = (*tags.tags, TiffTag(PHOTOMETRIC, 3, 1, b"\0\0"))
        tags = replace(tags, tags=tuple(sorted(kept, key=lambda tag: tag.tag)))
    return replace(image, tiff=tags, left_out=(*image.left_out, *notes, *more))


def tags_of(image: Image, order: str = ">") -> TiffTags:
    """Return the tags for an image's page: those of the TIFF it came from, else what its metadata
    hold of EXIF, profile, XMP and resolution.

    order: of bytes, as in `struct`, where nothing else says it.

    Examples:
        >>> import numpy as np
        >>> from bbans.images.image import from_array
        >>> image = from_array(np.zeros((2, 3), np.uint8), (metadata.icc_chunk(b"profile"),))
        >>> [tag.value for tag in tags_of(image).tags]
        [b'profile']
    """
    if image.tiff is not None:
        return image.tiff
    info = metadata.to_info(image.metadata)
    found = dict[int, TiffTag]()
    if "exif" in info:
        block = info["exif"].removeprefix(metadata.EXIF_PREFIX)
        wanted = frozenset((*metadata.DESCRIPTIVE_TAGS, ORIENTATION, EXIF, GPS))
        # an EXIF block that cannot be parsed is left out
        with contextlib.suppress(InputError), guarded("EXIF"):
            if block[:4] not in (b"II*\0", b"MM\0*"):
                raise InputError("damaged EXIF: it does not start as a TIFF does")
            head = head_of(block)
            entries = read_entries(block, head, head.first)[0]
            parsed = carried(block, entries, wanted.__contains__)[0]
            order, found = head.order, {tag.tag: tag for tag in parsed.tags}
    if "icc_profile" in info:
        found[ICC] = TiffTag(ICC, 7, len(info["icc_profile"]), info["icc_profile"])
    if "xmp" in info:
        found[XMP] = TiffTag(XMP, 1, len(info["xmp"]), info["xmp"])
    if "dpi" in info:
        found |= _resolution(info["dpi"], order)
    return TiffTags(order == ">", tuple(found[tag] for tag in sorted(found)))


def _resolution(dots_per_inch: tuple[float, float], order: str) -> dict[int, TiffTag]:
    """Return the tags of a resolution that PNG holds in whole pixels per metre: whole dots per inch
    that round to these, else the pixels per metre as hundredths per centimetre.
    """
    metres = [round(value / metadata.METRES_PER_INCH) for value in dots_per_inch]
    inches = [round(value) for value in dots_per_inch]
    whole = [round(dots / metadata.METRES_PER_INCH) for dots in inches] == metres
    x, y = [(dots, 1) for dots in inches] if whole else [(each, 100) for each in metres]
    return {
        X_RESOLUTION: TiffTag(X_RESOLUTION, 5, 1, struct.pack(f"{order}II", *x)),
        Y_RESOLUTION: TiffTag(Y_RESOLUTION, 5, 1, struct.pack(f"{order}II", *y)),
        UNIT: shorts(UNIT, order, 2 if whole else 3),
    }
