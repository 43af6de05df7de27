"""Conversion of metadata between PNG chunks and Pillow's `info`, for formats other than PNG.

Layouts: W3C PNG, third edition, section 11.3. The chunks of a PNG file do not pass through here on
their way back to PNG.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Mapping
from typing import Any

import PIL.Image
from PIL import ExifTags, PngImagePlugin

from bbans.images.image import PngChunk

METRES_PER_INCH = 0.0254
XMP_KEYWORD = b"XML:com.adobe.xmp"
EXIF_PREFIX = b"Exif\0\0"
MAX_INFLATED = 2**26
# Tags of a TIFF that describe the picture; the others describe the file that is left behind.
DESCRIPTIVE_TAGS = (0x010E, 0x010F, 0x0110, 0x0131, 0x0132, 0x013B, 0x013C, 0x8298)
COLOURS = ("PLTE", "tRNS")  # chunks on which the meaning of the samples depends
BEFORE_PALETTE = ("iCCP", "gAMA", "cHRM", "sRGB", "sBIT")


def icc_chunk(profile: bytes) -> PngChunk:
    """Return an ICC profile as an `iCCP` chunk.

    Examples:
        >>> to_info([icc_chunk(b"profile")])
        {'icc_profile': b'profile'}
    """
    return PngChunk("iCCP", b"ICC Profile\0\0" + zlib.compress(profile, 9))


def exif_chunk(exif: bytes) -> PngChunk:
    """Return an EXIF block, with or without its JPEG prefix, as an `eXIf` chunk.

    Examples:
        >>> exif_chunk(EXIF_PREFIX + b"II").payload
        b'II'
    """
    return PngChunk("eXIf", exif.removeprefix(EXIF_PREFIX))


def xmp_chunk(packet: bytes) -> PngChunk:
    """Return an XMP packet as an uncompressed `iTXt` chunk under the registered keyword.

    Examples:
        >>> to_info([xmp_chunk(b"<x/>")])
        {'xmp': b'<x/>'}
    """
    return PngChunk("iTXt", XMP_KEYWORD + b"\0\0\0\0\0" + packet.rstrip(b"\0"))


def resolution_chunk(dots_per_inch: tuple[float, float]) -> PngChunk:
    """Return a resolution in dots per inch as a `pHYs` chunk in whole pixels per metre.

    Examples:
        >>> struct.unpack(">IIB", resolution_chunk((72, 72)).payload)
        (2835, 2835, 1)
    """
    x, y = (min(round(float(value) / METRES_PER_INCH), 2**31 - 1) for value in dots_per_inch)
    return PngChunk("pHYs", struct.pack(">IIB", x, y, 1))


def text_chunk(keyword: str, text: str, language: str = "", translated: str = "") -> PngChunk:
    """Return a text as `tEXt` if it is Latin-1 and has no language, else as `iTXt`.

    Examples:
        >>> text_chunk("Title", "Ω").kind
        'iTXt'
    """
    key = keyword.encode("latin-1", "replace")[:79]
    if not language and not translated:
        try:
            return PngChunk("tEXt", key + b"\0" + text.encode("latin-1"))
        except UnicodeEncodeError:
            pass
    fields = (
        key,
        b"\0\0" + language.encode("ascii", "replace"),
        translated.encode(),
        text.encode(),
    )
    return PngChunk("iTXt", b"\0".join(fields))


def _resolution(info: Mapping[Any, Any]) -> tuple[float, float] | None:
    """Return Pillow's `dpi` if it is valid; some readers leave zeros, NaN or quotients by zero."""
    try:
        x, y = (float(value) for value in info.get("dpi", ()))
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return (x, y) if 0 < x < float("inf") and 0 < y < float("inf") else None


def from_info(info: Mapping[Any, Any], exif: bytes = b"") -> tuple[PngChunk, ...]:
    """Return the chunks for Pillow's `info` of an image and its EXIF block.

    Examples:
        >>> [chunk.kind for chunk in from_info({"dpi": (300, 300)})]
        ['pHYs']
    """
    chunks: list[PngChunk] = []
    if icc := info.get("icc_profile"):
        chunks.append(icc_chunk(bytes(icc)))
    if resolution := _resolution(info):
        chunks.append(resolution_chunk(resolution))
    if exif:
        chunks.append(exif_chunk(exif))
    if xmp := info.get("xmp"):
        chunks.append(xmp_chunk(xmp.encode() if isinstance(xmp, str) else bytes(xmp)))
    return tuple(chunks)


def tiff_exif(tags: PIL.Image.Exif) -> bytes:
    """Return an EXIF block of the TIFF tags that describe the picture, empty if there are none.

    Examples:
        >>> tags = PIL.Image.Exif()
        >>> tags[ExifTags.Base.ImageDescription] = "a view"
        >>> b"a view" in tiff_exif(tags), tiff_exif(PIL.Image.Exif())
        (True, b'')
    """
    exif = PIL.Image.Exif()
    exif.update({tag: tags[tag] for tag in DESCRIPTIVE_TAGS if tag in tags})
    for ifd in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):
        if block := dict(tags.get_ifd(ifd)):
            exif.get_ifd(ifd).update(block)
    return (
        exif.tobytes()
        if len(exif) or any(exif.get_ifd(ifd) for ifd in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo))
        else b""
    )


def with_colours(
    chunks: tuple[PngChunk, ...], colours: tuple[PngChunk, ...]
) -> tuple[PngChunk, ...]:
    """Insert `PLTE` and `tRNS` where a PNG requires them (section 5.6).

    Examples:
        >>> colours = (PngChunk("PLTE", b""),)
        >>> both = with_colours((PngChunk("tEXt", b""), PngChunk("gAMA", b"")), colours)
        >>> [chunk.kind for chunk in both]
        ['gAMA', 'PLTE', 'tEXt']
    """
    first = tuple(chunk for chunk in chunks if chunk.kind in BEFORE_PALETTE)
    return first + colours + tuple(chunk for chunk in chunks if chunk.kind not in BEFORE_PALETTE)


def _icc_profile(payload: bytes) -> bytes | None:
    """Return the profile in an `iCCP` payload, None if it is damaged."""
    try:
        return _inflated(payload.partition(b"\0")[2][1:])
    except ValueError:
        return None


def to_info(metadata: Iterable[PngChunk]) -> dict[str, Any]:
    """Return Pillow's `info` entries `icc_profile`, `exif`, `xmp`, `dpi` and `gamma` for the
    chunks.

    Chunks that cannot be parsed are skipped; they are kept for writing PNG.

    Examples:
        >>> to_info([PngChunk("gAMA", struct.pack(">I", 45455))])
        {'gamma': 0.45455}
    """
    info: dict[str, Any] = {}
    for chunk in metadata:
        kind, payload = chunk.kind, chunk.payload
        if kind == "iCCP" and (profile := _icc_profile(payload)):
            info["icc_profile"] = profile
        elif kind == "eXIf":
            info["exif"] = EXIF_PREFIX + payload
        elif kind == "iTXt" and payload.startswith(XMP_KEYWORD + b"\0\0"):
            fields = payload.split(b"\0", 5)
            if len(fields) == 6 and not fields[3] and not fields[4]:
                info["xmp"] = fields[5]
        elif kind == "pHYs" and len(payload) == 9 and payload[8] == 1:
            x, y = struct.unpack(">II", payload[:8])
            info["dpi"] = (x * METRES_PER_INCH, y * METRES_PER_INCH)
        elif kind == "gAMA" and len(payload) == 4:
            info["gamma"] = struct.unpack(">I", payload)[0] / 100_000
    return info


def to_texts(metadata: Iterable[PngChunk]) -> dict[str, str]:
    """Return the texts of `tEXt`, `zTXt` and `iTXt` chunks by keyword, as Pillow does for a PNG.

    Texts that cannot be parsed are skipped.

    Examples:
        >>> to_texts([text_chunk("Title", "x")])
        {'Title': 'x'}
    """
    texts: dict[str, str] = {}
    for chunk in metadata:
        key, _, rest = chunk.payload.partition(b"\0")
        if key == XMP_KEYWORD or chunk.kind not in ("tEXt", "zTXt", "iTXt"):
            continue
        try:
            texts[key.decode("latin-1")] = _text(chunk.kind, rest)
        except ValueError:
            continue
    return texts


def _text(kind: str, rest: bytes) -> str:
    """Return the text after a keyword. Raises ValueError if it cannot be parsed."""
    if kind == "tEXt":
        return rest.decode("latin-1")
    if kind == "zTXt":
        return _inflated(rest[1:]).decode("latin-1")
    packed, fields = rest[:1] == b"\1", rest[2:].split(b"\0", 2)
    if len(fields) != 3:
        raise ValueError("an iTXt chunk has a language, a translated keyword and a text")
    text = _inflated(fields[2]) if packed else fields[2]
    value: str = PngImagePlugin.iTXt(text.decode(), fields[0].decode(), fields[1].decode())
    return value


def _inflated(packed: bytes) -> bytes:
    """Decompress a zlib stream to at most MAX_INFLATED bytes. Raises ValueError."""
    stream = zlib.decompressobj()
    try:
        text = stream.decompress(packed, MAX_INFLATED)
    except zlib.error as error:
        raise ValueError(str(error)) from None
    if not stream.eof:
        raise ValueError("a compressed text is cut off or too long")
    return text
