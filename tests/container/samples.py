"""Small containers that the tests of this folder share."""

from __future__ import annotations

import zlib
from dataclasses import replace

from bbans import container
from bbans.container import Axis, Container, JpegRecord, MetadataChunk, TilePart, TileRecord
from bbans.container.schemes import Coding
from bbans.container.tiff_tags import TiffTag, tags_payload

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
TRANSFORMED = replace(
    ONE_TILE,
    pixel_format=RGBA16,
    tiles=(
        one(
            TilePart(
                container.TRANSFORMED,
                4,
                b"table" + b"bits-back",
                transform=container.Transform(
                    6, container.GREY8, (replace(PART, channels=1, payload=b""),), (9,), 5, (0,) * 4
                ),
            )
        ),
    ),
)
TAGGED = replace(
    UNPACKED,
    metadata=(
        MetadataChunk(container.PNG_CHUNK, False, b"iTXtXML:com.adobe.xmp\0\0\0\0\0<x:xmpmeta/>"),
        MetadataChunk(
            container.TIFF_TAGS,
            False,
            tags_payload(
                True,
                (
                    TiffTag(270, 2, 6, b"scale\0"),
                    TiffTag(282, 5, 1, bytes([0, 0, 0, 3, 0, 0, 0, 1])),
                    TiffTag(700, 1, 14, elsewhere=True),
                    TiffTag(33550, 12, 3, bytes(24)),
                    TiffTag(34665, 0, directory=(TiffTag(36864, 7, 4, b"0231"), TiffTag(40965, 0))),
                ),
            ),
        ),
    ),
)
SIGNED = replace(
    DEEP,
    metadata=(
        MetadataChunk(container.SAMPLES, True, b"\x15\xff\x0f"),
        MetadataChunk(container.TEXT, False, b"Comment\0signed"),
    ),
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
    "transformed": TRANSFORMED,
    "one-tile": ONE_TILE,
    "small": SMALL,
    "unpacked": UNPACKED,
    "tagged": TAGGED,
    "modelless": MODELLESS,
    "deep": DEEP,
    "coded": TINY,
    "two-part": TWO_PART,
    "signed": SIGNED,
    "stored JPEG": STORED_JPEG,
    "LZMA of a JPEG": LZMA_JPEG,
    "transcoded JPEG": TRANSCODED_JPEG,
}
