"""Small containers that the tests of this folder share."""

from __future__ import annotations

import zlib
from dataclasses import replace

from bbans import container as files
from bbans.container import Container, MetadataChunk, TileRecord

MODEL = bytes(range(1, 33))


def stored(pixels: bytes) -> TileRecord:
    return TileRecord(files.STORED, 0, (), pixels, zlib.crc32(pixels))


CODED = TileRecord(files.BITS_BACK, 14, ((1000, 64), (70000, 512)), b"bits-back", 0x12345678)
ONE_TILE = Container(300, 200, files.RGB8, 300, 200, MODEL, (), (CODED,))
SMALL = Container(
    3,
    2,
    files.RGB8,
    2,
    2,
    MODEL,
    (MetadataChunk(files.PNG_CHUNK, False, b"gAMA\0\0\xb1\x8f"), MetadataChunk(files.TEXT, True, b"Comment\0" + b"a" * 60)),
    (CODED, stored(b"abcdef")),
)
UNPACKED = replace(SMALL, metadata=SMALL.metadata[:1])
MODELLESS = replace(ONE_TILE, model_id=files.NO_MODEL, tiles=(replace(CODED, codec=files.FIXED, latent_precision=0),))
SAMPLES = {"one-tile": ONE_TILE, "small": SMALL, "unpacked": UNPACKED, "modelless": MODELLESS}
