"""Whole files, damaged and forged, through the public functions: named errors only, soon, without
warnings, in bounded memory.
"""

import random
import time
import tracemalloc
import zlib
from functools import cache

import numpy as np
import pytest

import bbans
from bbans import container
from bbans.errors import BbansError, ChecksumError, FormatError, LimitError, ModelNotFoundError
from bbans.models import library
from bbans.models.fixed_predictor import FixedPredictor
from bbans.tiles.codecs.lzma import encode_lzma
from bbans.tiles.codecs.pyramid import code_channels
from bbans.tiles.codecs.webp import encode_webp
from tests.fuzzing import CALLS, seeds, try_forged, try_mutated
from tests.tiny import smooth_image

PLAIN, FORGED = 7200, 3600


@pytest.fixture(autouse=True)
def no_other_models(monkeypatch, tmp_path):
    """A file that names another model is refused at once."""
    monkeypatch.setattr(library, "SHIPPED", tmp_path)


def test_the_seeds_hold_every_codec():
    found = {
        part.codec for data in seeds() for tile in container.read(data).tiles for part in tile.parts
    }
    assert found == set(container.CODECS)
    kept = {file.jpeg.method for data in seeds() if (file := container.read(data)).jpeg}
    assert kept == set(container.JPEG_METHODS)
    for data in seeds():
        for call in CALLS.values():
            call(data)


@pytest.mark.parametrize("block", range(4))
def test_damaged_files_end_in_named_errors(block):
    rng = random.Random(f"damaged {block}")
    refused = sum(try_mutated(rng) is not None for _ in range(PLAIN // 4))
    assert refused > 0.75 * PLAIN / 4


@pytest.mark.parametrize("block", range(4))
def test_forged_files_end_in_named_errors(block):
    rng = random.Random(f"forged {block}")
    errors = [try_forged(rng) for _ in range(FORGED // 4)]
    names = {type(error).__name__ for error in errors if error is not None}
    assert names >= {"FormatError", "ChecksumError", "VersionError"}
    assert any("decode" in str(error) or "message" in str(error) for error in errors if error)


def single(
    codec: int,
    payload: bytes,
    side: int,
    pixel_format: int = container.RGB8,
    channels: int = 3,
    **fields,
) -> bytes:
    """A file of one square tile with a made-up checksum of its pixels."""
    tile = container.TileRecord((container.TilePart(codec, channels, payload, **fields),), 1)
    return container.write(
        container.Container(side, side, pixel_format, side, side, container.NO_MODEL, (), (tile,))
    )


@cache
def bombs() -> dict[str, tuple[bytes, int]]:
    """Small files of large images, and their side."""
    vp8l = encode_webp(np.zeros((4000, 4000, 3), np.uint8))
    zeros = encode_lzma(bytes(3 * 4000 * 4000), 3)
    deep = container.format_of(4, 16, False).code
    return {
        "constant": (single(container.CONSTANT, b"abc", 4000), 4000),
        "constant of 64 bits": (single(container.CONSTANT, b"abcdefgh", 2000, deep, 4), 2000),
        "WebP": (single(container.WEBP, vp8l, 4000), 4000),
        "WebP that ends early": (single(container.WEBP, vp8l[:12], 4000), 4000),
        "WebP of another size": (single(container.WEBP, vp8l, 3000), 3000),
        "LZMA": (single(container.LZMA, zeros, 4000), 4000),
        "LZMA of more than it says": (single(container.LZMA, zeros, 1000), 1000),
        "fixed predictor": (single(container.FIXED, bytes(20), 4000, growth=((5, 1024),)), 4000),
        "fixed predictor of many lanes": (
            single(container.FIXED, bytes(80), 4000, growth=((5, 65535),)),
            4000,
        ),
    }


def peak_of(call) -> int:
    tracemalloc.start()
    try:
        with pytest.raises(BbansError):
            call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def memory_bound(header: container.Header, file_bytes: int, predicted: bool) -> int:
    """Bytes that decoding takes at most on one thread, numpy's included; the bound of
    docs/security.md.
    """
    pixel_format = container.FORMATS[header.pixel_format]
    sample_bytes = 2 if pixel_format.bit_depth == 16 else 1
    image = header.width * header.height * pixel_format.channels * sample_bytes
    tile = header.tile_width * header.tile_height
    return (
        image
        + 5 * tile * pixel_format.channels * sample_bytes
        + 8 * tile
        + (1024 * tile if predicted else 0)
        + 64 * file_bytes
        + 2**26
    )


@pytest.mark.parametrize("name", bombs())
def test_bombs_stay_within_the_bound(name):
    data, side = bombs()[name]
    assert len(data) < 10_000
    header = container.read_header(data)
    predicted = "predictor" in name
    for call in (bbans.decompress, bbans.info):
        start = time.process_time()
        assert peak_of(lambda call=call: call(data)) <= memory_bound(header, len(data), predicted)
        assert time.process_time() - start < 10
        assert peak_of(lambda call=call: call(data, max_pixels=side * side - 1)) < 2**18


def test_max_pixels_refuses_before_memory_is_taken():
    data = single(container.CONSTANT, b"abc", 30_000)
    for name in ("decompress", "salvage", "info", "verify", "decompress_image"):
        with pytest.raises(LimitError):
            getattr(bbans, name)(data, max_pixels=30_000 * 30_000 - 1)
    assert bbans.info(data, account=False, max_pixels=30_000**2).width == 30_000


def test_a_predicted_tile_is_of_limited_size():
    with pytest.raises(FormatError, match="16777216 pixels are predicted"):
        single(container.FIXED, bytes(20), 5000, growth=((5, 4096),))


def test_a_message_has_lanes_enough_for_its_tile():
    """Time follows from the size of the file: a lane takes 32 bits of it at least, and 65536
    samples at most.
    """
    single(container.FIXED, bytes(20), 147)
    with pytest.raises(FormatError, match="a lane of the message holds up to 65536 samples"):
        single(container.FIXED, bytes(20), 149)
    lanes = single(container.FIXED, b"\0\0\0@" * 60, 300, growth=((0, 8), (9, 64)))
    with pytest.raises(ChecksumError, match="ends too early"):
        bbans.decompress(lanes)


def test_what_predicting_takes():
    """The 1024 bytes a pixel of the bound, with an honest tile of the fixed predictor."""
    image = smooth_image(256, 256)
    coded = next(iter(code_channels(FixedPredictor(), image, None, False)))
    payload = coded.words.astype("<u4").tobytes()
    part = container.TilePart(container.FIXED, 3, payload, growth=coded.growth)
    tile = container.TileRecord((part,), zlib.crc32(image.tobytes()))
    data = container.write(
        container.Container(256, 256, container.RGB8, 256, 256, container.NO_MODEL, (), (tile,))
    )
    bbans.decompress(data)  # tables are made once
    tracemalloc.start()
    try:
        assert np.array_equal(bbans.decompress(data), image)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak <= 1024 * 256 * 256


def test_a_model_that_is_not_here(monkeypatch):
    data = next(data for data in seeds() if any(container.read(data).model_id))
    with pytest.raises(ModelNotFoundError, match="--model"):
        bbans.decompress(data)
