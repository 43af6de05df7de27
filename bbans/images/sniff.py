"""What a file is, from its own first bytes: its name is not believed, and Pillow is asked only about formats that are read here.

Also what Pillow does not tell once it has opened a file: whether a WebP is lossless, the depth of PNM and BMP samples.
"""

from __future__ import annotations

import struct

from bbans.errors import InputError, JpegInputError, UnsupportedImageError

JPEG_ADVICE = "its pixels cost more than its own bytes; keep the file as it is, or ask for its pixels (--as-pixels)"

# Formats that are known by name only, so that the error can say what the file is: offset, bytes, name.
_OTHERS = (
    (0, b"GIF8", "GIF"),
    (0, b"\x00\x00\x00\x0cJXL \r\n\x87\n", "JPEG XL"),
    (0, b"\xff\x0a", "JPEG XL"),
    (0, b"\x00\x00\x00\x0cjP  \r\n\x87\n", "JPEG 2000"),
    (0, b"\xff\x4f\xff\x51", "JPEG 2000"),
    (4, b"ftypavif", "AVIF"),
    (4, b"ftypheic", "HEIC"),
    (4, b"ftypmif1", "HEIF"),
    (0, b"8BPS", "Photoshop"),
    (0, b"\x00\x00\x01\x00", "icon"),
    (0, b"qoif", "QOI"),
    (0, b"\x76\x2f\x31\x01", "OpenEXR"),
    (0, b"P7", "PAM"),
    (0, b"PF", "floating-point PNM"),
    (0, b"Pf", "floating-point PNM"),
    (0, b"\x93NUMPY", "NumPy array"),
)


def image_format(data: bytes) -> str:
    """Pillow's name of one of the six formats that are read. Raises `UnsupportedImageError` for other images, `InputError` for the rest."""
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
    if data[:1] == b"P" and data[1:2] in b"123456" and data[2:3].isspace():
        return "PPM"
    for offset, magic, name in _OTHERS:
        if data.startswith(magic, offset):
            raise UnsupportedImageError(f"a file of format {name} is not read yet: convert it to PNG")
    raise InputError("not an image: PNG, WebP, TIFF, BMP or PPM was expected")


def check_webp(data: bytes, as_pixels: bool) -> None:
    """Raises `UnsupportedImageError` for an animated WebP, and `JpegInputError` for a lossy one unless `as_pixels`."""
    position, kinds = 12, set[bytes]()
    while position + 8 <= len(data):
        kind, size = struct.unpack_from("<4sI", data, position)
        kinds.add(kind)
        position += 8 + size + size % 2
    if kinds & {b"ANIM", b"ANMF"}:
        raise UnsupportedImageError("an animated WebP is not coded: save its frames one by one")
    if b"VP8 " in kinds and not as_pixels:
        raise JpegInputError(f"a lossy WebP: {JPEG_ADVICE}")


def _pnm_header(data: bytes) -> tuple[int, int, int, int]:
    """Width, height, largest sample and offset of the pixels of a PNM file (`#` comments run to the end of their line)."""
    values: list[int] = []
    position = 2
    wanted = 2 if data[1:2] in b"14" else 3
    while len(values) < wanted:
        while data[position : position + 1].isspace():
            position += 1
        if data[position : position + 1] == b"#":
            while position < len(data) and data[position] not in b"\r\n":
                position += 1
            continue
        end = position
        while data[end : end + 1].isdigit() and end < position + 10:
            end += 1
        if end == position:
            raise InputError("damaged PNM: its header has no width, height and largest sample")
        values.append(int(data[position:end]))
        position = end
    if wanted == 2:
        values.append(1)
    width, height, largest = values
    return width, height, largest, position + 1


def check_pnm(data: bytes) -> None:
    """Raises `UnsupportedImageError` unless a PNM file is one image with samples of 0 to 255."""
    width, height, largest, start = _pnm_header(data)
    if data[1:2] in b"14":
        raise UnsupportedImageError("a 1-bit PBM is not coded yet: convert it to 8-bit grey")
    if largest > 255:
        raise UnsupportedImageError(f"a PNM with 16-bit samples (largest {largest}) is not coded yet: convert it to 8 bits per sample")
    if largest != 255:
        raise UnsupportedImageError(f"a PNM with samples of 0 to {largest} is not coded yet: convert it to 0 to 255")
    size = width * height * {b"5": 1, b"6": 3}.get(data[1:2], 0)
    if size and data[start + size : start + size + 1] == b"P":
        raise UnsupportedImageError("a PNM file of several images is not coded: save them one by one")


def check_bmp(data: bytes) -> None:
    """Raises `UnsupportedImageError` unless a BMP has 8 or 24 bits per pixel (of 8, Pillow tells grey from palette)."""
    (header,) = struct.unpack_from("<I", data, 14)
    (bits,) = struct.unpack_from("<H", data, 24 if header == 12 else 28) if len(data) >= 30 else (0,)
    if bits not in (8, 24):
        raise UnsupportedImageError(f"a BMP with {bits} bits per pixel is not coded yet: convert it to 24-bit RGB or 8-bit grey")
