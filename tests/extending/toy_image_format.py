"""An image format in one module: "TOY1", height and width in 16 bits each, grey samples."""

from __future__ import annotations

import struct

import numpy as np

from bbans.errors import InputError, OutputError
from bbans.images.formats.registry import ImageFormat, register
from bbans.images.image import Image, from_array

MAGIC = b"TOY1"


def detect(data: bytes) -> bool:
    return data.startswith(MAGIC)


def read(data: bytes, as_pixels: bool, max_pixels: int) -> Image:
    height, width = struct.unpack_from("<HH", data, 4)
    if len(data) != 8 + height * width or height * width > max_pixels:
        raise InputError("a TOY file of another size than it says: is it whole?")
    return from_array(np.frombuffer(data, np.uint8, offset=8).reshape(height, width))


def write(image: Image) -> bytes:
    if image.pixels.ndim != 2 or image.bit_depth != 8:
        raise OutputError("TOY holds 8-bit grey: choose PNG")
    return MAGIC + struct.pack("<HH", *image.pixels.shape) + image.pixels.tobytes()


FORMAT = ImageFormat("TOY", "TOY", (".toy",), detect, read, write)


def add() -> None:
    register(FORMAT)
