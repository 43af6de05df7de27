"""An image to a file: PNG with every chunk that it came with, or another lossless format with what
that can carry.
"""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import IO, Any

from bbans.errors import OutputError
from bbans.images.formats.npy import npy_bytes
from bbans.images.formats.png_pixels import png_bytes
from bbans.images.formats.pnm import pnm_bytes
from bbans.images.formats.tiff import tiff_bytes
from bbans.images.image import Image, make_image, transparency
from bbans.images.pillow_convert import to_pillow


def _saved(image: Image, kind: str, carried: tuple[str, ...], **options: Any) -> bytes:
    """Pillow's file, with these entries of its `info`: what the writer of the format has a place
    for.
    """
    if transparency(image.metadata) is not None:
        raise OutputError(f"{kind} holds no transparent colour (tRNS): choose PNG")
    source = to_pillow(image)
    options |= {key: source.info[key] for key in carried if key in source.info}
    source.info.clear()
    encoded = BytesIO()
    try:
        source.save(encoded, kind, **options)
    except (OSError, RuntimeError, ValueError) as error:
        raise OutputError(f"the image cannot be written as {kind}: {error}") from error
    return encoded.getvalue()


def _webp_bytes(image: Image) -> bytes:
    if image.bit_depth != 8 or image.palette:
        raise OutputError(
            "WEBP holds 8-bit RGB and RGBA, no palette and no other depth: choose PNG"
        )
    return _saved(
        image, "WEBP", ("icc_profile", "exif", "xmp"), lossless=True, exact=True, method=4
    )


def _bmp_bytes(image: Image) -> bytes:
    eight = image.bit_depth == 8 and (image.pixels.ndim == 2 or image.pixels.shape[2] == 3)
    if not eight and (image.bit_depth != 1 or image.palette):
        raise OutputError("BMP holds 8-bit grey, palette or RGB and 1-bit grey: choose PNG")
    return _saved(image, "BMP", ("dpi",), dpi=(0, 0))  # Pillow would make one up


WRITERS: dict[str, Callable[[Image], bytes]] = {
    "PNG": png_bytes,
    "WEBP": _webp_bytes,
    "TIFF": tiff_bytes,
    "BMP": _bmp_bytes,
    "PPM": pnm_bytes,
    "NPY": npy_bytes,
}


def write_image(image: Image, fp: IO[bytes], format: str = "PNG") -> None:
    """Writes to a binary file object, at the depth and in the colours of the image.

    PNG holds every image with all its metadata, chunk for chunk; TIFF, WebP and BMP what they have
    a place for, the others pixels alone. PPM stands for PBM, PGM, PPM or PAM, whichever fits. WebP
    turns grey into RGB. Raises `OutputError` for a format that is not written or that cannot hold
    the image, `InputError` for an image whose parts do not fit each other.
    """
    kind = format.upper()
    if kind not in WRITERS:
        raise OutputError(f"format {format} is not written: choose one of {', '.join(WRITERS)}")
    image = make_image(image.pixels, image.metadata, image.bit_depth, image.palette)
    fp.write(WRITERS[kind](image))
