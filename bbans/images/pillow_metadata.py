"""Metadata of a Pillow image as PNG chunks: `info`, EXIF, texts, palette and transparency."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

import PIL.Image
from PIL import TiffImagePlugin

from bbans.errors import UnsupportedImageError
from bbans.images import metadata
from bbans.images.image import PngChunk

X_RESOLUTION = 282


def pillow_chunks(source: PIL.Image.Image, scale: int) -> tuple[PngChunk, ...]:
    """Return the metadata of a loaded image as chunks, in the order that a PNG requires.

    scale: the factor by which Pillow scaled the samples, applied to a transparent colour. Raises
    UnsupportedImageError on a transparency that does not fit the mode.

    Examples:
        >>> [chunk.kind for chunk in pillow_chunks(PIL.Image.new("P", (1, 1)), scale=1)]
        ['PLTE']
    """
    chunks = metadata.with_colours(
        metadata.from_info(_info(source), _exif(source)), _colours(source, scale)
    )
    return chunks + _texts(source)


def _exif(source: PIL.Image.Image) -> bytes:
    """Return the EXIF block of a loaded image: verbatim if the file has one, for a TIFF built from
    its descriptive tags.
    """
    if isinstance(source, TiffImagePlugin.TiffImageFile):
        return metadata.tiff_exif(source.getexif())
    exif = source.info.get("exif", b"")
    return exif if isinstance(exif, bytes) else b""


def _info(source: PIL.Image.Image) -> dict[str | tuple[int, int], object]:
    """Return Pillow's `info` without the default resolution that it adds to a TIFF that has
    none.
    """
    default_resolution = (
        isinstance(source, TiffImagePlugin.TiffImageFile) and X_RESOLUTION not in source.tag_v2
    )
    return {
        key: value
        for key, value in source.info.items()
        if not (default_resolution and key == "dpi")
    }


def _texts(source: PIL.Image.Image) -> tuple[PngChunk, ...]:
    """Return the text chunks of a PNG or of a file opened by `bbans.integrations.pillow`."""
    texts = getattr(source, "text", None)
    if not isinstance(texts, Mapping):
        return ()
    return tuple(
        metadata.text_chunk(
            key, str(text), getattr(text, "lang", "") or "", getattr(text, "tkey", "") or ""
        )
        for key, text in texts.items()
        if key.encode("latin-1", "replace") != metadata.XMP_KEYWORD
    )


def _palette(source: PIL.Image.Image, transparent: Any) -> tuple[PngChunk, ...]:
    """Return the palette and its alphas as `PLTE` and `tRNS`."""
    entries = bytes(source.getpalette("RGB") or ())
    alphas: bytes | None = None
    if isinstance(transparent, bytes):
        alphas = transparent
    elif isinstance(transparent, int):
        alphas = b"\xff" * transparent + b"\0"
    elif source.palette is not None and source.palette.mode == "RGBA":
        alphas = bytes((source.getpalette("RGBA") or [])[3::4])
    if not alphas or alphas.count(255) == len(alphas):
        return (PngChunk("PLTE", entries),)
    # Every alpha needs a colour, even one that no pixel has.
    entries = entries.ljust(3 * min(len(alphas), 256), b"\0")
    return PngChunk("PLTE", entries), PngChunk("tRNS", alphas[: len(entries) // 3])


def _colours(source: PIL.Image.Image, scale: int) -> tuple[PngChunk, ...]:
    """Return `PLTE` and `tRNS` of a loaded image."""
    transparent = source.info.get("transparency")
    if source.mode == "P":
        return _palette(source, transparent)
    if transparent is None or source.mode in ("LA", "RGBA"):
        return ()
    samples = transparent if isinstance(transparent, tuple) else (transparent,)
    if len(samples) != len(source.getbands()) or not all(
        isinstance(sample, int) and 0 <= sample < 2**16 for sample in samples
    ):
        raise UnsupportedImageError(
            f"a transparency of {transparent!r} in mode {source.mode} is not coded: convert the "
            "image to RGBA"
        )
    values = [int(sample > 0) if source.mode == "1" else sample * scale for sample in samples]
    return (PngChunk("tRNS", struct.pack(f">{len(values)}H", *values)),)
