"""An image to a file: PNG with every chunk that it came with, or another lossless format with what that can carry."""

from __future__ import annotations

from io import BytesIO
from typing import IO, Any

from bbans.errors import OutputError
from bbans.images import png
from bbans.images.image import Image
from bbans.images.metadata import EXIF_PREFIX
from bbans.images.pillow import to_pillow

# What each format is asked for, and which entries of Pillow's `info` its writer puts into the file.
SAVE_OPTIONS: dict[str, dict[str, Any]] = {
    "PNG": {},
    "WEBP": {"lossless": True, "exact": True, "method": 4},
    "TIFF": {},  # not compressed: through libtiff, Pillow cannot write an EXIF block
    "BMP": {},
    "PPM": {},
}
CARRIED = {
    "PNG": (),
    "WEBP": ("icc_profile", "exif", "xmp"),
    "TIFF": ("icc_profile", "exif", "dpi"),
    "BMP": ("dpi",),
    "PPM": (),
}


def write_image(image: Image, fp: IO[bytes], format: str = "PNG") -> None:
    """Writes to a binary file object. PNG holds all metadata, chunk for chunk; TIFF, WebP and BMP what they have a place for.

    Raises `OutputError` for a format that is not written, or that cannot hold an image of this size.
    """
    kind = format.upper()
    if kind not in SAVE_OPTIONS:
        raise OutputError(f"format {format} is not written: choose one of {', '.join(SAVE_OPTIONS)}")
    source = to_pillow(image)
    carried = {key: source.info[key] for key in CARRIED[kind] if key in source.info}
    source.info.clear()
    if kind == "TIFF" and "exif" in carried:
        carried["exif"] = carried["exif"].removeprefix(EXIF_PREFIX)
    encoded = BytesIO()
    try:
        source.save(encoded, kind, **SAVE_OPTIONS[kind], **carried)
    except (OSError, RuntimeError, ValueError) as error:
        raise OutputError(f"the image cannot be written as {kind}: {error}") from error
    fp.write(png.insert(encoded.getvalue(), image.metadata) if kind == "PNG" else encoded.getvalue())
