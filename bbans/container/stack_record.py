"""The record of a stack in the index of an archive: which file its items came from, and how they
are put together again.

The items are the stack's images in order; an image of more samples a pixel than an item takes is
several items one after the other.

Specification: `docs/archive.md`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from bbans.container.binary import Cursor, require, varint
from bbans.container.pixel_formats import FORMATS, PixelFormat
from bbans.errors import FormatError, VersionError

if TYPE_CHECKING:
    from bbans.container.archive_records import Item

ARRAY, TIFF, PNM = range(3)
KINDS = {ARRAY: "array", TIFF: "TIFF", PNM: "PNM"}
BIG_ENDIAN, FORTRAN, CHANNELS = 1, 2, 4  # flags of an array
MIN_AXES, MAX_AXES = 3, 8
U32_MAX = 2**32 - 1
MAX_SAMPLES = 2**16 - 1
MAX_PHOTOMETRIC = 2


@dataclass(frozen=True, slots=True)
class StackPage:
    """A page of a TIFF: its samples a pixel, and for one of several items what the samples are.

    photometric: the number in TIFF (0 and 1 grey, 2 RGB). planar: whether the channels are stored
    one after the other. extra: the meanings of the extra samples, as in TIFF.
    """

    samples: int
    photometric: int = 0
    planar: bool = False
    extra: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Stack:
    """What a stack was: an array, a TIFF or a PNM file of several images.

    axes: the shape of an array, whose last axis is the channels if `channels`; else its last two
    are rows and columns. big_endian, fortran: byte order and order of an array in its file. pages:
    of a TIFF.
    """

    kind: int
    axes: tuple[int, ...] = ()
    channels: bool = False
    big_endian: bool = False
    fortran: bool = False
    pages: tuple[StackPage, ...] = ()

    @property
    def sides(self) -> tuple[int, int]:
        """Rows and columns of an array's images."""
        rows, columns = self.axes[-3:-1] if self.channels else self.axes[-2:]
        return rows, columns

    @property
    def samples(self) -> tuple[int, ...]:
        """Samples a pixel of every image; empty for PNM, whose images are one item each."""
        if self.kind == TIFF:
            return tuple(page.samples for page in self.pages)
        if self.kind == PNM:
            return ()
        each = self.axes[-1] if self.channels else 1
        return (each,) * prod(self.axes[: -3 if self.channels else -2])


def items_of_images(stack: Stack, items: Sequence[Item]) -> list[range]:
    """Returns the numbers of the items of every image of a stack.

    Raises FormatError if the items do not add up to the images.

    Examples:
        >>> from bbans.container.archive_records import Item
        >>> stack = Stack(ARRAY, (8, 9, 5), channels=True)
        >>> items_of_images(stack, [Item(str(i), 0, 0, 9, 8, size=1) for i in range(5)])
        [range(0, 5)]
    """
    if stack.kind == PNM:
        return [range(number, number + 1) for number in range(len(items))]
    counted = (
        len(stack.pages) if stack.kind == TIFF else prod(stack.axes[: -3 if stack.channels else -2])
    )
    require("number of images of a stack", counted, 1, len(items))
    found, at = [], 0
    for samples in stack.samples:
        first, missing = at, samples
        while missing > 0 and at < len(items):
            missing -= FORMATS[items[at].pixel_format].channels
            at += 1
        if missing:
            raise FormatError(f"an image of a stack has {samples} samples, its items have others")
        found.append(range(first, at))
    if at != len(items):
        raise FormatError(f"{len(items) - at} items follow the last image of a stack")
    return found


def check_stack(stack: Stack, items: Sequence[Item]) -> None:
    """Raises FormatError unless the record of a stack keeps the rules and fits the items, and
    VersionError on a kind that a newer release may know.

    Examples:
        >>> from bbans.container.archive_records import Item
        >>> check_stack(Stack(PNM), [Item("0", 0, 0, 9, 8, size=1)])
    """
    if stack.kind not in KINDS:
        raise VersionError(
            f"a stack of kind {stack.kind} is unknown to this release: use a newer bbans"
        )
    if stack.kind == ARRAY:
        require("axes of a stack", len(stack.axes), MIN_AXES, MAX_AXES)
        for axis in stack.axes:
            require("axis of a stack", axis, 1, U32_MAX)
    for page in stack.pages:
        require("samples of a page", page.samples, 1, MAX_SAMPLES)
    formats = [FORMATS[item.pixel_format] for item in items]
    for numbers in items_of_images(stack, items):
        of_image = [items[number] for number in numbers]
        kinds = {
            (item.width, item.height, FORMATS[item.pixel_format].bit_depth) for item in of_image
        }
        several = len(of_image) > 1
        if several and (len(kinds) > 1 or any(not _joins(formats[n]) for n in numbers)):
            raise FormatError("the items of one image of a stack are of one size and 8 or 16 bits")
    if stack.kind == TIFF:
        _check_pages(stack, items)
    elif stack.kind == PNM:
        if any(form.palette for form in formats):
            raise FormatError("a stack of PNM has no palette")
    else:
        _check_array(stack, items, formats)


def _joins(pixel_format: PixelFormat) -> bool:
    return pixel_format.bit_depth >= 8 and not pixel_format.palette


def _check_pages(stack: Stack, items: Sequence[Item]) -> None:
    for page, numbers in zip(stack.pages, items_of_images(stack, items), strict=True):
        if len(numbers) == 1:
            if page != StackPage(page.samples):
                raise FormatError("a page of one item says more than its samples")
            continue
        require("photometric interpretation", page.photometric, 0, MAX_PHOTOMETRIC)
        require("extra samples of a page", len(page.extra), 0, page.samples)
        for meaning in page.extra:
            require("meaning of an extra sample", meaning, 0, MAX_SAMPLES)


def _check_array(stack: Stack, items: Sequence[Item], formats: list[PixelFormat]) -> None:
    rows, columns = stack.sides
    if any((item.height, item.width) != (rows, columns) for item in items):
        raise FormatError(f"the images of a stack have {rows} rows and {columns} columns")
    depths = {form.bit_depth for form in formats}
    if len(depths) > 1 or depths & {2, 4} or any(form.palette for form in formats):
        raise FormatError("the images of an array have 1, 8 or 16 bits, all the same")
    if stack.big_endian and depths != {16}:
        raise FormatError("only samples of 16 bits have a byte order")


def stack_bytes(stack: Stack, items: Sequence[Item]) -> bytes:
    r"""Encodes the record of a stack.

    Examples:
        >>> from bbans.container.archive_records import Item
        >>> stack_bytes(Stack(PNM), [Item("0", 0, 0, 9, 8, size=1)])
        b'\x02'
    """
    start = bytes([stack.kind])
    if stack.kind == ARRAY:
        flags = BIG_ENDIAN * stack.big_endian + FORTRAN * stack.fortran + CHANNELS * stack.channels
        return start + bytes([flags, len(stack.axes)]) + b"".join(map(varint, stack.axes))
    if stack.kind != TIFF:
        return start
    pages = b""
    for page, numbers in zip(stack.pages, items_of_images(stack, items), strict=True):
        pages += varint(page.samples)
        if len(numbers) > 1:
            pages += bytes([page.photometric, page.planar]) + varint(len(page.extra))
            pages += b"".join(map(varint, page.extra))
    return start + varint(len(stack.pages)) + pages


def read_stack(cursor: Cursor, items: Sequence[Item]) -> Stack:
    r"""Decodes the record of a stack, which follows the items of an index: the inverse of
    `stack_bytes`.

    Raises FormatError, and VersionError on what a newer release may know.

    Examples:
        >>> from bbans.container.archive_records import Item
        >>> read_stack(Cursor(b"\2", "index"), [Item("0", 0, 0, 9, 8, size=1)]).kind
        2
    """
    kind = cursor.u8()
    if kind == ARRAY:
        flags = cursor.u8()
        if flags & ~(BIG_ENDIAN | FORTRAN | CHANNELS):
            raise VersionError(
                f"flags {flags:#04x} of a stack are unknown to this release: use a newer bbans"
            )
        axes = cursor.u8()
        require("axes of a stack", axes, MIN_AXES, MAX_AXES)
        shape = tuple(cursor.varint("axis of a stack", U32_MAX) for _ in range(axes))
        return Stack(
            kind, shape, bool(flags & CHANNELS), bool(flags & BIG_ENDIAN), bool(flags & FORTRAN)
        )
    if kind != TIFF:
        return Stack(kind)
    pages, at = [], 0
    for _ in range(cursor.varint("number of pages", len(items))):
        samples = cursor.varint("samples of a page", MAX_SAMPLES)
        if at >= len(items):
            raise FormatError("a stack has more pages than items")
        channels = _channels(items[at])
        if channels >= samples:
            pages.append(StackPage(samples))
            at += 1
            continue
        while channels < samples and at + 1 < len(items):
            at += 1
            channels += _channels(items[at])
        at += 1
        photometric, planar = cursor.u8(), cursor.u8()
        require("planar configuration", planar, 0, 1)
        count = cursor.varint("extra samples of a page", samples)
        extra = tuple(cursor.varint("meaning", MAX_SAMPLES) for _ in range(count))
        pages.append(StackPage(samples, photometric, bool(planar), extra))
    return Stack(kind, pages=tuple(pages))


def _channels(item: Item) -> int:
    if item.pixel_format not in FORMATS:
        raise VersionError(
            f"pixel format {item.pixel_format} is unknown to this release: use a newer bbans"
        )
    return FORMATS[item.pixel_format].channels
