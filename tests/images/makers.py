"""Image files made on the fly."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from typing import Any

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from bbans.images import Image, PngChunk, make_image, write_image
from bbans.images.formats import png

Pixels = NDArray[np.uint8]


def rgb(height: int = 5, width: int = 7, seed: int = 0) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def grey(height: int = 5, width: int = 7, seed: int = 0) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)


def samples(
    depth: int, channels: int = 1, height: int = 5, width: int = 7, seed: int = 0
) -> NDArray[Any]:
    """Samples of any depth and number of channels."""
    shape = (height, width) if channels == 1 else (height, width, channels)
    return np.random.default_rng(seed).integers(
        0, 2**depth, shape, dtype=np.uint16 if depth == 16 else np.uint8
    )


# Depth, channels, palette of every kind of image.
MODES = [
    (1, 1, False),
    (2, 1, False),
    (4, 1, False),
    (1, 1, True),
    (2, 1, True),
    (4, 1, True),
    (8, 1, True),
]
MODES += [(depth, channels, False) for depth in (8, 16) for channels in (1, 2, 3, 4)]


def palette(entries: int, seed: int = 0) -> PngChunk:
    return PngChunk("PLTE", np.random.default_rng(seed).bytes(3 * entries))


def make(
    depth: int,
    channels: int = 1,
    indexed: bool = False,
    height: int = 5,
    width: int = 7,
    extra: tuple[PngChunk, ...] = (),
) -> Image:
    """An image of a mode, with a full palette where it has one."""
    chunks = (palette(2**depth),) if indexed else ()
    return make_image(samples(depth, channels, height, width), chunks + extra, depth, indexed)


def written(image: Image, kind: str = "PNG") -> bytes:
    buffer = BytesIO()
    write_image(image, buffer, kind)
    return buffer.getvalue()


def assert_same(found: Image, expected: Image, metadata: bool = True) -> None:
    """Samples, their type, depth and palette, and by default the chunks."""
    assert (found.bit_depth, found.palette, found.pixels.dtype) == (
        expected.bit_depth,
        expected.palette,
        expected.pixels.dtype,
    )
    assert found.pixels.flags.c_contiguous
    np.testing.assert_array_equal(found.pixels, expected.pixels, strict=True)
    assert not metadata or found.metadata == expected.metadata


def encode(source: NDArray[Any] | PIL.Image.Image, kind: str, **options: Any) -> bytes:
    image = source if isinstance(source, PIL.Image.Image) else PIL.Image.fromarray(source)
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def png_chunk(kind: str, payload: bytes) -> bytes:
    body = kind.encode("latin-1") + payload
    return struct.pack(">I", len(payload)) + body + struct.pack(">I", zlib.crc32(body))


def make_png(
    width: int, height: int, depth: int, colour: int, rows: bytes, *extra: tuple[str, bytes]
) -> bytes:
    """A PNG from its filtered rows; `extra` chunks go before the pixels."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    parts = [("IHDR", header), *extra, ("IDAT", zlib.compress(rows)), ("IEND", b"")]
    return png.SIGNATURE + b"".join(png_chunk(kind, payload) for kind, payload in parts)


def itxt(
    keyword: bytes, text: str, language: bytes = b"", translated: str = "", packed: bool = False
) -> bytes:
    data = zlib.compress(text.encode()) if packed else text.encode()
    return (
        keyword + b"\0" + bytes([packed, 0]) + language + b"\0" + translated.encode() + b"\0" + data
    )


ALL_CHUNKS = (
    PngChunk("gAMA", struct.pack(">I", 45455)),
    PngChunk("cHRM", struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)),
    PngChunk("iCCP", b"a profile\0\0" + zlib.compress(b"not a real profile")),
    PngChunk("sBIT", b"\5\6\5"),
    PngChunk("PLTE", bytes(range(12))),
    PngChunk("bKGD", bytes(6)),
    PngChunk("hIST", bytes(8)),
    PngChunk("pHYs", struct.pack(">IIB", 2835, 2835, 1)),
    PngChunk("tIME", b"\x07\xe8\1\2\3\4\5"),
    PngChunk("tEXt", b"Title\0caf\xe9"),
    PngChunk("tEXt", b"Title\0the same key again"),
    PngChunk("zTXt", b"Comment\0\0" + zlib.compress(b"long " * 50)),
    PngChunk("iTXt", itxt(b"Author", "Ж", b"ru", "Автор")),
    PngChunk("iTXt", itxt(b"XML:com.adobe.xmp", "<x:xmpmeta/>")),
    PngChunk("raNd", b"a private chunk"),
    PngChunk("eXIf", b"MM\0*\0\0\0\x08\0\0\0\0\0\0", after_pixels=True),
    PngChunk("tEXt", b"Software\0at the end", after_pixels=True),
)
