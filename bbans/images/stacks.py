"""Stacks: files of several images, and images of more samples a pixel than an image here has.

A page is one image, or several of one size whose channels, one after the other, are its samples.
Pages are read one at a time: from a TIFF with its tags, from a PNM file, or from an array in an
`.npy` file, whose last axes are rows and columns, or these and channels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbans.errors import InputError, OutputError
from bbans.images.formats import npy, pnm_frames, tiff_stack
from bbans.images.formats.registry import format_of_bytes
from bbans.images.formats.tiff_directory import Source
from bbans.images.image import DEFAULT_MAX_PIXELS, Image, make_image, transparency
from bbans.images.page import Page, grey_images
from bbans.images.pillow_convert import check_size, guarded
from bbans.images.sample_kind import PLAIN, dtype_of, kind_of_dtype

SNIFFED = 64
"""Bytes of a file from which its format is detected."""
CHANNELS_SHARE = 4
"""A last axis is channels if it is this many times shorter than rows and columns, or has up to this
many entries."""


@dataclass(frozen=True)
class Shape:
    """The shape of an array: whether its last axis is channels, its type, and whether it is stored
    in Fortran order.
    """

    axes: tuple[int, ...]
    channels: bool
    dtype: np.dtype[Any]
    fortran: bool = False

    @property
    def sides(self) -> tuple[int, int]:
        """Return rows and columns."""
        rows, columns = self.axes[-3:-1] if self.channels else self.axes[-2:]
        return rows, columns

    @property
    def samples(self) -> int:
        """Return the samples of a pixel."""
        return self.axes[-1] if self.channels else 1

    @property
    def size(self) -> int:
        """Return the number of samples."""
        return prod(self.axes)

    @property
    def images(self) -> int:
        """Return the number of images."""
        return prod(self.axes[: -3 if self.channels else -2])


@dataclass(frozen=True)
class StackSource:
    """A stack that is read page by page.

    format: a key of the table of formats. pages: reads the pages one after the other. shape: of an
    array, else None.
    """

    format: str
    pages: Callable[[], Iterator[Page]]
    shape: Shape | None = None


def open_stack(
    data: Source, as_pixels: bool = False, max_pixels: int = DEFAULT_MAX_PIXELS
) -> StackSource | None:
    """Open the bytes of a file as a stack; None if it is a single image, or no stack.

    as_pixels: accept pages of JPEG. max_pixels: of a page. Raises InputError on damage, here or
    when the pages are read.

    Examples:
        >>> stack = open_stack(b"P5 1 1 255 aP5 1 1 255 b")
        >>> [page.images[0].pixels.tolist() for page in stack.pages()]
        [[[97]], [[98]]]
    """
    start = data[:SNIFFED]
    if start.startswith(b"\x93NUMPY"):
        return _npy_stack(data, max_pixels)
    try:
        name = format_of_bytes(start).name
    except InputError:
        return None
    if name == "TIFF" and tiff_stack.is_stack(data):
        return StackSource(name, lambda: tiff_stack.read_pages(data, as_pixels, max_pixels))
    if name == "PPM" and pnm_frames.is_stack(data):
        return StackSource(name, lambda: pnm_frames.read_frames(data, max_pixels))
    return None


def shape_of_array(axes: tuple[int, ...], dtype: np.dtype[Any], fortran: bool = False) -> Shape:
    """Return the shape of an array of images.

    The last axis is channels if it has up to four entries or is at most a quarter as long as rows
    and columns; never of bool. Raises InputError on shapes that are no stack, and
    UnsupportedImageError on types that are not coded.

    Examples:
        >>> shape_of_array((12, 217, 181), np.dtype(np.uint8)).images
        12
        >>> shape_of_array((512, 640, 31), np.dtype(np.uint16)).samples
        31
    """
    if len(axes) not in range(3, 9) or min(axes) < 1:
        raise InputError(
            "a stack has shape (N, H, W), (N, H, W, C), (H, W, C) or more leading axes, up to 8 in "
            f"all, found {axes}"
        )
    kind_of_dtype(dtype, 1)
    last = axes[-1]
    short = last <= CHANNELS_SHARE or CHANNELS_SHARE * last <= min(axes[-3:-1])
    return Shape(axes, short and dtype.kind != "b", dtype, fortran)


def array_page(samples: NDArray[Any], shape: Shape) -> Page:
    """Return an image of an array, `(H, W)` or `(H, W, samples)`, as a page.

    Examples:
        >>> shape = shape_of_array((32, 32, 5), np.dtype(np.uint8))
        >>> len(array_page(np.zeros((32, 32, 5), np.uint8), shape).images)
        5
    """
    depth, kind = kind_of_dtype(shape.dtype, 1)
    kind = PLAIN if kind.boolean else kind  # 1 bit says it of every image of an array
    pixels = samples.astype(dtype_of(depth, kind))
    if shape.channels and shape.samples == 1:
        pixels = pixels[..., 0]
    if shape.samples <= CHANNELS_SHARE:
        return Page((make_image(pixels, (), depth, samples=kind),))
    return Page(grey_images(pixels, depth, kind), tiff_stack.grey_layout(shape.samples))


def _npy_stack(data: Source, max_pixels: int) -> StackSource | None:
    start = BytesIO(data[: npy.MAX_HEADER + 12])
    axes, fortran, dtype = npy.header(start)
    if len(axes) < 3 or (len(axes) == 3 and 2 <= axes[-1] <= CHANNELS_SHARE):
        return None
    shape = shape_of_array(axes, dtype, fortran)
    rows, columns = shape.sides
    check_size(columns, rows, max_pixels)
    first, size = start.tell(), prod(axes) * dtype.itemsize
    if len(data) - first != size:
        raise InputError(
            f"damaged NPY: {size} bytes of samples were expected, found {len(data) - first}"
        )
    return StackSource("NPY", lambda: _array_pages(data, first, shape), shape)


def _array_pages(data: Source, first: int, shape: Shape) -> Iterator[Page]:
    """Yield the images of an array in C order; one in Fortran order is read as a whole."""
    sides = (*shape.sides, *((shape.samples,) if shape.channels else ()))
    whole = None
    if shape.fortran:
        flat = np.frombuffer(data[first : len(data)], shape.dtype)
        whole = flat.reshape(shape.axes, order="F").reshape(-1, *sides)
    size = prod(sides) * shape.dtype.itemsize
    for number in range(shape.images):
        with guarded("NPY"):
            if whole is not None:
                image = whole[number]
            else:
                at = first + number * size
                image = np.frombuffer(data[at : at + size], shape.dtype).reshape(sides)
            page = array_page(image, shape)
        yield page


def pages_of_array(array: NDArray[Any]) -> StackSource:
    """Return an array as a stack. Raises InputError on shapes and types that are no stack.

    Examples:
        >>> len(list(pages_of_array(np.zeros((3, 4, 5), np.uint8)).pages()))
        3
    """
    shape = shape_of_array(array.shape, array.dtype)
    sides = (*shape.sides, *((shape.samples,) if shape.channels else ()))
    images = array.reshape(-1, *sides)
    return StackSource("NPY", lambda: (array_page(image, shape) for image in images), shape)


def npy_stack(pages: Iterator[Page], shape: Shape) -> Iterator[bytes]:
    """Yield the bytes of an `.npy` file of the pages as one array.

    Memory: one page, all of them in Fortran order. Raises OutputError for pages that differ in size
    or type, or that are more than samples.

    Examples:
        >>> stack = pages_of_array(np.zeros((3, 4, 5), np.uint8))
        >>> len(b"".join(npy_stack(stack.pages(), stack.shape)))
        188
    """
    yield npy.npy_start(shape.axes, shape.dtype, shape.fortran)
    sides = (*shape.sides, *((shape.samples,) if shape.samples > 1 else ()))
    native, whole = shape.dtype.newbyteorder("="), list[NDArray[Any]]()
    for page in pages:
        samples, first = joined(page), page.images[0]
        plain = not first.palette and transparency(first.metadata) is None
        if not plain or samples.shape != sides or _type_of(first) != native:
            raise OutputError(
                "an array holds pages of one size and type, 1, 8 or 16 bits without palette or "
                "transparent colour: choose TIFF"
            )
        if shape.fortran:
            whole.append(samples.astype(shape.dtype))
        else:
            yield samples.astype(shape.dtype).tobytes()
    if shape.fortran:
        yield np.stack(whole).reshape(shape.axes).tobytes(order="F")


def shape_of_pages(first: Page, count: int) -> Shape:
    """Return the shape of the array of `count` pages like the first.

    Examples:
        >>> shape_of_pages(Page((make_image(np.zeros((2, 3), np.uint8)),)), 7).axes
        (7, 2, 3)
    """
    samples, image = joined(first), first.images[0]
    dtype = _type_of(image) or samples.dtype
    return Shape((count, *samples.shape), samples.ndim == 3, dtype)


def _type_of(image: Image) -> np.dtype[Any] | None:
    """Return the type of an array of images like this one, bool of 1 bit; None of 2 and 4 bits."""
    if image.bit_depth == 1:
        return np.dtype(np.bool_)
    return image.pixels.dtype if image.bit_depth in (8, 16) else None


def joined(page: Page) -> NDArray[Any]:
    """Return the samples of a page, `(H, W)` or `(H, W, samples)`.

    Examples:
        >>> joined(Page((make_image(np.zeros((2, 3), np.uint8)),))).shape
        (2, 3)
    """
    if len(page.images) == 1:
        return page.images[0].pixels
    return np.concatenate([_channels(image) for image in page.images], axis=-1)


def _channels(image: Image) -> NDArray[Any]:
    return image.pixels if image.pixels.ndim == 3 else image.pixels[..., None]
