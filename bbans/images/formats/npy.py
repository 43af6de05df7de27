"""NumPy's `.npy` files of bool and of integers of 8 or 16 bits. The header is checked before memory
is allocated, and nothing is unpickled.
"""

from __future__ import annotations

from io import BytesIO
from math import prod
from typing import Any, BinaryIO

import numpy as np

from bbans.errors import InputError, OutputError, UnsupportedImageError
from bbans.images.image import Image, from_array, transparency
from bbans.images.pillow_convert import check_size, guarded
from bbans.images.sample_kind import kind_of_dtype

MAGIC = b"\x93NUMPY"
MAX_HEADER = 10_000


def header(file: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Return shape, whether the order is Fortran's, and type of an array; the file is then at its
    samples.

    Raises InputError on damage, UnsupportedImageError on other versions.

    Examples:
        >>> header(BytesIO(npy_bytes(from_array(np.zeros((2, 3), np.uint8)))))
        ((2, 3), False, dtype('uint8'))
    """
    with guarded("NPY"):
        version = np.lib.format.read_magic(file)
        if version not in ((1, 0), (2, 0)):
            raise UnsupportedImageError(
                f"a NPY file of version {version[0]}.{version[1]} is not read: save it with "
                "numpy.save"
            )
        read_header = (
            np.lib.format.read_array_header_1_0
            if version == (1, 0)
            else np.lib.format.read_array_header_2_0
        )
        shape, fortran, dtype = read_header(file, max_header_size=MAX_HEADER)
        return shape, fortran, dtype


def read_npy(data: bytes, as_pixels: bool, max_pixels: int) -> Image:
    """Read an image of an array of a shape and type that `from_array` accepts.

    Raises InputError on damage and other shapes, UnsupportedImageError on other types and versions.

    Examples:
        >>> read_npy(npy_bytes(from_array(np.zeros((2, 3), np.uint8))), False, 100).pixels.shape
        (2, 3)
    """
    file = BytesIO(data)
    shape, fortran, dtype = header(file)
    kind_of_dtype(dtype, 1)
    if len(shape) not in (2, 3) or min(shape) < 1 or max(shape[2:], default=1) > 4:
        raise InputError(
            "an image has shape (H, W), or (H, W, C) with 2 to 4 channels, found a NPY file of "
            f"shape {shape}"
        )
    check_size(shape[1], shape[0], max_pixels)
    size_found = len(data) - file.tell()
    if size_found != (expected := prod(shape) * dtype.itemsize):
        raise InputError(
            f"damaged NPY: {expected} bytes of samples were expected, found {size_found}"
        )
    flat = np.frombuffer(data, dtype, offset=file.tell())
    return from_array(flat.reshape(shape, order="F" if fortran else "C"))


def npy_start(shape: tuple[int, ...], dtype: np.dtype[Any], fortran: bool) -> bytes:
    """Return the header of an `.npy` file, after which the samples follow.

    Examples:
        >>> header(BytesIO(npy_start((2, 3, 4), np.dtype(">u2"), fortran=True)))
        ((2, 3, 4), True, dtype('>u2'))
    """
    file = BytesIO()
    described = {"descr": dtype.str, "fortran_order": fortran, "shape": shape}
    np.lib.format.write_array_header_1_0(file, described)
    return file.getvalue()


def npy_bytes(image: Image) -> bytes:
    """Return the samples as an `.npy` file of their own type. A largest value below that of the
    type is left out.

    Raises OutputError for images that are more than an array of 8 or 16-bit samples or bool.

    Examples:
        >>> npy_bytes(from_array(np.zeros((2, 3), np.uint8)))[1:6]
        b'NUMPY'
    """
    packed = image.bit_depth < 8 and not image.samples.boolean
    if packed or image.palette or transparency(image.metadata) is not None:
        raise OutputError(
            "NPY holds no palette, transparent colour or samples below 8 bits: choose PNG"
        )
    file = BytesIO()
    np.save(file, image.pixels, allow_pickle=False)
    return file.getvalue()
