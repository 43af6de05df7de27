"""Small containers that the tests of this folder share."""

from __future__ import annotations

import zlib
from dataclasses import replace

from bbans import container
from bbans.container import Axis, Container, JpegRecord, MetadataChunk, TilePart, TileRecord
from bbans.container.schemes import Coding

MODEL = bytes(range(1, 33))


def stored(pixels: bytes, channels: int = 3) -> TileRecord:
    return TileRecord((TilePart(container.STORED, channels, pixels),), zlib.crc32(pixels))


def one(part: TilePart) -> TileRecord:
    return TileRecord((part,), 0x12345678)


PART = TilePart(container.BITS_BACK, 3, b"bits-back", 14, ((1000, 64), (70000, 512)))
ALPHA = TilePart(container.LZMA, 1, b"lzma")
CODED = one(PART)
ONE_TILE = Container(300, 200, container.RGB8, 300, 200, MODEL, (), (CODED,))
SMALL = Container(
    3,
    2,
    container.RGB8,
    2,
    2,
    MODEL,
    (
        MetadataChunk(container.PNG_CHUNK, False, b"gAMA\0\0\xb1\x8f"),
        MetadataChunk(container.TEXT, True, b"Comment\0" + b"a" * 60),
    ),
    (CODED, stored(b"abcdef")),
)
UNPACKED = replace(SMALL, metadata=SMALL.metadata[:1])
MODELLESS = replace(
    ONE_TILE,
    model_id=container.NO_MODEL,
    tiles=(one(replace(PART, codec=container.FIXED, latent_precision=0)),),
)
RGBA16 = container.format_of(4, 16, False).code
DEEP = Container(
    5, 4, RGBA16, 5, 4, MODEL, (), (TileRecord((replace(PART, axis=Axis(300, 4000, 1)), ALPHA), 1),)
)
TINY = Container(
    5,
    4,
    container.GREY8,
    5,
    4,
    MODEL,
    (),
    (one(TilePart(container.CODED_CHAIN, 1, b"message!", coding=Coding(3, 200, 7))),),
)
TWO_PART = replace(
    TINY,
    tiles=(one(TilePart(container.CODED_CHAIN, 1, b"message!", coding=Coding(5, fineness=15))),),
)
STORED_JPEG = Container(
    300,
    200,
    container.RGB8,
    300,
    200,
    container.NO_MODEL,
    (),
    (),
    JpegRecord(container.STORED_JPEG, 9, zlib.crc32(b"some JPEG"), b"some JPEG"),
)
LZMA_JPEG = replace(
    STORED_JPEG,
    pixel_format=container.GREY8,
    jpeg=JpegRecord(container.LZMA_JPEG, 70000, 0x12345678, b"lzma"),
)
TRANSCODED_JPEG = replace(
    STORED_JPEG, jpeg=JpegRecord(container.TRANSCODED_JPEG, 5000, 0x12345678, b"jpeg xl" * 30)
)
SAMPLES = {
    "one-tile": ONE_TILE,
    "small": SMALL,
    "unpacked": UNPACKED,
    "modelless": MODELLESS,
    "deep": DEEP,
    "coded": TINY,
    "two-part": TWO_PART,
    "stored JPEG": STORED_JPEG,
    "LZMA of a JPEG": LZMA_JPEG,
    "transcoded JPEG": TRANSCODED_JPEG,
}
