"""What a file is, from its own first bytes: its name is not believed, and Pillow is asked only
about formats that are read here.

Also what Pillow does not tell once it has opened a file: whether a WebP is lossless.
"""

from __future__ import annotations

import struct

from bbans.errors import InputError, JpegInputError, UnsupportedImageError

JPEG_ADVICE = (
    "its pixels cost more than its own bytes; keep the file as it is, or ask for its "
    "pixels (--as-pixels)"
)

# Formats that are known by name only, so that the error can say what the file is: offset, bytes,
# name.
_OTHERS = (
    (0, b"GIF8", "GIF"),
    (0, b"\x00\x00\x00\x0cJXL \r\n\x87\n", "JPEG XL"),
    (0, b"\xff\x0a", "JPEG XL"),
    (4, b"ftypavif", "AVIF"),
    (4, b"ftypheic", "HEIC"),
    (4, b"ftypmif1", "HEIF"),
    (0, b"8BPS", "Photoshop"),
    (0, b"\x00\x00\x01\x00", "icon"),
    (0, b"qoif", "QOI"),
    (0, b"\x76\x2f\x31\x01", "OpenEXR"),
    (0, b"PF", "floating-point PNM"),
    (0, b"Pf", "floating-point PNM"),
)


def image_format(data: bytes) -> str:
    """The name of one of the eight formats that are read.

    Raises `UnsupportedImageError` for other images, `InputError` for the rest.
    """
    if not data:
        raise InputError("an image was expected, found an empty file")
    if data.startswith(b"\x89PNG"):
        return "PNG"
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WEBP"
    if data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return "TIFF"
    if data.startswith(b"BM") and len(data) > 26:
        return "BMP"
    if data[:1] == b"P" and data[1:2] in b"1234567" and data[2:3].isspace():
        return "PPM"
    if data.startswith((b"\x00\x00\x00\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51")):
        return "JPEG 2000"
    if data.startswith(b"\x93NUMPY"):
        return "NPY"
    for offset, magic, name in _OTHERS:
        if data.startswith(magic, offset):
            raise UnsupportedImageError(f"a file of format {name} is not read: convert it to PNG")
    raise InputError("not an image: PNG, WebP, TIFF, BMP, PPM, JPEG 2000 or NPY was expected")


def check_webp(data: bytes, as_pixels: bool) -> None:
    """Raises `UnsupportedImageError` for an animated WebP, and `JpegInputError` for a lossy one
    unless `as_pixels`.
    """
    position, kinds = 12, set[bytes]()
    while position + 8 <= len(data):
        kind, size = struct.unpack_from("<4sI", data, position)
        kinds.add(kind)
        position += 8 + size + size % 2
    if kinds & {b"ANIM", b"ANMF"}:
        raise UnsupportedImageError("an animated WebP is not coded: save its frames one by one")
    if b"VP8 " in kinds and not as_pixels:
        raise JpegInputError(f"a lossy WebP: {JPEG_ADVICE}")
