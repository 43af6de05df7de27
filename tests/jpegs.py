"""JPEG files of many kinds, made on the fly: what encoders, cameras and accidents make."""

import io
from collections.abc import Callable
from functools import cache

import imagecodecs
import numpy as np
from PIL import Image, ImageCms

from tests.tiny import smooth_image

ARITHMETIC = bytes.fromhex(
    "ffd8ffe000104a46494600010100000100010000ffdb0043000d090a0b0a080d0b0a0b0e0e0d0f13201513121213"
    "271c1e17202e2931302e292d2c333a4a3e333646372c2d405741464c4e525352323e5a615a50604a51524fffc900"
    "0b080010001001011100ffcc000600101005ffda0008010100003f00fe75a7983e646257c7ed7772780f951134a5"
    "ab8d492b92d54f60ffd9"
)
"""16 x 16 pixels of grey, by arithmetic codes, which no encoder that Python has makes."""


def encoded(pixels: np.ndarray, mode: str | None = None, **options) -> bytes:
    """A JPEG by Pillow."""
    buffer = io.BytesIO()
    image = Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(buffer, "JPEG", **options)
    return buffer.getvalue()


@cache
def photo() -> np.ndarray:
    return smooth_image(97, 131)


@cache
def profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def plain(**options) -> bytes:
    return encoded(photo(), **options)


def turbo(**options) -> bytes:
    """By libjpeg-turbo, through imagecodecs."""
    return bytes(imagecodecs.jpeg8_encode(photo(), 85, **options))


def exif(orientation: int = 6) -> bytes:
    tags = Image.Exif()
    tags[0x0112], tags[0x010E] = orientation, "a photograph"
    return tags.tobytes()


def without_height() -> bytes:
    """The number of rows comes after the image, in a DNL segment."""
    data = plain()
    at = data.index(b"\xff\xc0") + 5
    rows = data[at : at + 2]
    return data[:at] + b"\0\0" + data[at + 2 : -2] + b"\xff\xdc\0\4" + rows + b"\xff\xd9"


def filled() -> bytes:
    """Fill bytes before a marker."""
    return plain().replace(b"\xff\xdb", b"\xff\xff\xff\xdb", 1)


XL, LZMA, STORED = "JPEG XL", "LZMA", "stored"
KINDS: dict[str, tuple[Callable[[], bytes], str | None]] = {
    # a file, and how it is kept; None: by what is shorter of LZMA and nothing
    "quality 30": (lambda: plain(quality=30), XL),
    "quality 98": (lambda: plain(quality=98), XL),
    "4:4:4": (lambda: plain(subsampling=0), XL),
    "4:2:2": (lambda: plain(subsampling=1), XL),
    "4:2:0": (lambda: plain(subsampling=2), XL),
    "4:4:0": (lambda: turbo(subsampling="440"), XL),
    "4:1:1": (lambda: turbo(subsampling="411"), None),
    "RGB": (lambda: turbo(colorspace="rgb", outcolorspace="rgb"), XL),
    "grey": (lambda: encoded(photo()[..., 1]), XL),
    "CMYK": (lambda: plain(mode="CMYK"), None),
    "progressive": (lambda: plain(progressive=True), XL),
    "optimised": (lambda: plain(optimize=True, quality=90), XL),
    "restarts": (lambda: plain(restart_marker_blocks=3), XL),
    "arithmetic": (lambda: ARITHMETIC, None),
    "12 bits": (
        lambda: bytes(
            imagecodecs.jpeg8_encode(photo().astype(np.uint16) * 16, 85, bitspersample=12)
        ),
        None,
    ),
    "lossless": (lambda: bytes(imagecodecs.jpeg8_encode(photo(), lossless=True)), None),
    "EXIF": (lambda: plain(exif=exif()), XL),
    "profile": (lambda: plain(icc_profile=profile()), XL),
    "damaged profile": (lambda: plain(icc_profile=b"no profile" * 30), XL),
    "comment": (lambda: plain(comment=b"a comment" * 10), XL),
    "thumbnail": (
        lambda: plain(exif=b"Exif\0\0" + encoded(photo()[::4, ::4]), icc_profile=profile()),
        LZMA,
    ),
    "bytes after the end": (lambda: plain() + b"bytes after the end" * 10, XL),
    "two images": (lambda: plain() + plain(quality=30), LZMA),
    "long profile": (lambda: plain(icc_profile=bytes(range(256)) * 600), XL),
    "fill bytes": (filled, XL),
    "no height": (without_height, None),
    "cut": (lambda: plain()[:1500], None),
    "cut by its last byte": (lambda: plain()[:-1], XL),
    "no end": (lambda: plain(progressive=True, comment=b"cut")[:-2], XL),
    "header alone": (lambda: plain()[: plain().index(b"\xff\xda")], LZMA),
    "one pixel": (lambda: encoded(photo()[:1, :1]), LZMA),
    "one row": (lambda: encoded(photo()[:1]), None),
    "flat": (lambda: encoded(np.full((600, 800, 3), 7, np.uint8)), LZMA),
}


@cache
def jpeg(kind: str) -> bytes:
    """The file of a kind."""
    return KINDS[kind][0]()
