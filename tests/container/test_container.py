"""Container: write and read are inverse, and damage of every byte is named."""

from __future__ import annotations

import itertools
import re
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bbans import container as files
from bbans.container import Container, MetadataChunk, TileRecord
from bbans.container.integers import Cursor, varint
from bbans.errors import FormatError, LimitError, TrailingDataError, TruncatedError, VersionError
from tests.container.samples import CODED, MODEL, ONE_TILE, SAMPLES, stored

chunks = st.one_of(
    st.builds(MetadataChunk, st.integers(1, 4), st.booleans(), st.binary(max_size=80)),
    st.builds(MetadataChunk, st.integers(7, 127), st.just(False), st.binary(max_size=80)),
    st.builds(MetadataChunk, st.integers(5, 6), st.booleans(), st.binary(max_size=80).map(lambda data: b"tEXt" + data)),
)
steps = st.tuples(st.integers(0, 2**32 - 1), st.integers(1, 2**16 - 1))
rest = (st.lists(steps, max_size=5).map(tuple), st.binary(max_size=40), st.integers(0, 2**32 - 1))
coded = st.one_of(
    st.builds(TileRecord, st.just(files.BITS_BACK), st.integers(0, 255), *rest),
    st.builds(TileRecord, st.just(files.FIXED), st.just(0), *rest),
)


@st.composite
def containers(draw: st.DrawFn) -> Container:
    width, height = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    tile_width, tile_height = draw(st.integers(-(-width // 4), width)), draw(st.integers(-(-height // 4), height))
    pixel_format = draw(st.sampled_from([files.GREY8, files.RGB8]))
    tiles = []
    for _, _, h, w in files.tile_rectangles(width, height, tile_width, tile_height):
        raw = h * w * (3 if pixel_format == files.RGB8 else 1)
        tiles.append(draw(coded) if draw(st.booleans()) else stored(bytes([draw(st.integers(0, 255))]) * raw))
    uses_model = any(tile.codec == files.BITS_BACK for tile in tiles)
    model = draw(st.binary(min_size=32, max_size=32).filter(any)) if uses_model else files.NO_MODEL
    metadata = tuple(draw(st.lists(chunks, max_size=4)))
    return Container(width, height, pixel_format, tile_width, tile_height, model, metadata, tuple(tiles))


@given(containers())
def test_read_inverts_write(container: Container) -> None:
    data = files.write(container)
    assert files.read(data) == container
    assert files.framing_bits(container) == 8 * (len(data) - sum(len(tile.payload) for tile in container.tiles))
    header = files.read_header(data)
    assert (header.width, header.height, header.model_id) == (container.width, container.height, container.model_id)
    assert header.has_metadata == bool(container.metadata)


@pytest.mark.parametrize("container", SAMPLES.values(), ids=SAMPLES)
def test_every_changed_byte_is_named(container: Container) -> None:
    data = files.write(container)
    for at, change in itertools.product(range(len(data)), (0x01, 0x80, 0xFF)):
        damaged = bytearray(data)
        damaged[at] ^= change
        with pytest.raises(FormatError):
            files.read(bytes(damaged))


@pytest.mark.parametrize("container", SAMPLES.values(), ids=SAMPLES)
def test_every_truncation_is_named(container: Container) -> None:
    data = files.write(container)
    for length in range(len(data)):
        with pytest.raises(TruncatedError):
            files.read(data[:length])


@pytest.mark.parametrize("container", SAMPLES.values(), ids=SAMPLES)
@pytest.mark.parametrize("garbage", [b"\0", b"more than one byte", files.MAGIC])
def test_appended_bytes_are_named(container: Container, garbage: bytes) -> None:
    with pytest.raises(TrailingDataError):
        files.read(files.write(container) + garbage)


@given(st.binary(max_size=200), st.booleans())
def test_noise_is_named(noise: bytes, with_magic: bool) -> None:
    with pytest.raises(FormatError):
        files.read(files.MAGIC + b"\0" + noise if with_magic else noise)


def test_golden_bytes() -> None:
    golden = """
        bb 41 4e 53 0d 0a 1a 0a 00 02 01 ac 02 c8 01 ac 02 c8 01
        01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f 10 11 12 13 14 15 16 17 18 19 1a 1b 1c 1d 1e 1f 20 ba 7a fe 7b
        01 0e 02 e8 07 40 f0 a2 04 80 04 09 d5 78 72 bb 78 56 34 12 54 39 35 16 62 69 74 73 2d 62 61 63 6b
    """
    assert files.write(ONE_TILE) == bytes.fromhex(golden)
    assert files.read(bytes.fromhex(golden)) == ONE_TILE


def test_example_of_the_document(repository: Path) -> None:
    document = (repository / "docs" / "format.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```hex\n(.*?)```", document, re.DOTALL)
    assert len(blocks) == 1
    data = bytes.fromhex("".join(line.split("#")[0] for line in blocks[0].splitlines()))
    gamma = MetadataChunk(files.PNG_CHUNK, False, b"gAMA" + (45455).to_bytes(4, "big"))
    tiles = (stored(bytes([10, 20, 40, 50])), stored(bytes([30, 60])))
    expected = Container(3, 2, files.GREY8, 2, 2, files.NO_MODEL, (gamma,), tiles)
    assert files.read(data) == expected
    assert files.write(expected) == data


def test_framing_of_a_photograph_is_small() -> None:
    growth = ((40_000, 64), (200_000, 512), (800_000, 2048))
    photo = Container(768, 512, files.RGB8, 768, 512, MODEL, (), (replace(CODED, growth=growth, payload=bytes(400_000)),))
    assert files.framing_bits(photo) <= 8 * 90
    raw = bytes(768 * 512 * 3)
    assert files.framing_bits(Container(768, 512, files.RGB8, 768, 512, files.NO_MODEL, (), (stored(raw),))) <= 8 * 64


def test_metadata_is_compressed_only_when_that_helps() -> None:
    repeated = files.write(replace(ONE_TILE, metadata=(MetadataChunk(files.XMP, False, b"word " * 1000),)))
    assert len(repeated) < len(files.write(ONE_TILE)) + 100
    noise = np.random.default_rng(0).integers(0, 256, 1000, dtype=np.uint8).tobytes()
    incompressible = files.write(replace(ONE_TILE, metadata=(MetadataChunk(files.ICC_PROFILE, False, noise),)))
    assert noise in incompressible


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"width": 0}, FormatError),
        ({"height": 0}, FormatError),
        ({"width": 2**32}, FormatError),
        ({"tile_width": 301}, FormatError),
        ({"tile_height": 0}, FormatError),
        ({"tile_width": 299}, FormatError),  # asks for two tiles
        ({"tiles": ()}, FormatError),
        ({"pixel_format": 2}, VersionError),
        ({"model_id": files.NO_MODEL}, FormatError),
        ({"model_id": b"short"}, FormatError),
        ({"metadata": (MetadataChunk(0, False, b""),)}, FormatError),
        ({"metadata": (MetadataChunk(128, False, b""),)}, FormatError),
        ({"metadata": (MetadataChunk(99, True, b""),)}, VersionError),
        ({"metadata": (MetadataChunk(files.PNG_CHUNK, False, b"tEX"),)}, FormatError),
        ({"metadata": (MetadataChunk(files.PNG_CHUNK, False, b"t\xc4XT"),)}, FormatError),
        ({"metadata": (MetadataChunk(files.XMP, False, bytes(2**26)),)}, FormatError),
        ({"tiles": (replace(CODED, codec=3),)}, VersionError),
        ({"tiles": (replace(CODED, latent_precision=256),)}, FormatError),
        ({"tiles": (replace(CODED, growth=((5, 0),)),)}, FormatError),
        ({"tiles": (replace(CODED, growth=((5, 2**16),)),)}, FormatError),
        ({"tiles": (replace(CODED, growth=((2**32, 1),)),)}, FormatError),
        ({"tiles": (replace(CODED, growth=((5, 1),) * 256),)}, FormatError),
        ({"tiles": (replace(CODED, pixels_crc=-1),)}, FormatError),
        ({"tiles": (stored(bytes(180_000)),)}, FormatError),  # names a model that nothing needs
        ({"tiles": (stored(bytes(7)),), "model_id": files.NO_MODEL}, FormatError),
        ({"tiles": (replace(stored(bytes(180_000)), pixels_crc=1),), "model_id": files.NO_MODEL}, FormatError),
        ({"tiles": (replace(stored(bytes(180_000)), latent_precision=1),), "model_id": files.NO_MODEL}, FormatError),
    ],
)
def test_the_writer_refuses_what_a_reader_would(change: dict[str, object], error: type[FormatError]) -> None:
    with pytest.raises(error) as caught:
        files.write(replace(ONE_TILE, **change))  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


@given(st.integers(0, 2**63 - 1))
def test_varint(value: int) -> None:
    encoded = varint(value)
    cursor = Cursor(encoded, "test")
    assert cursor.varint("value", 2**63 - 1) == value
    assert cursor.remaining == 0
    assert len(encoded) == max(1, -(-value.bit_length() // 7))


@given(st.integers(1, 50), st.integers(1, 50), st.integers(1, 50), st.integers(1, 50))
def test_tiles_cover_the_image_once(width: int, height: int, tile_width: int, tile_height: int) -> None:
    covered = np.zeros((height, width), np.int64)
    rectangles = files.tile_rectangles(width, height, tile_width, tile_height)
    for top, left, h, w in rectangles:
        assert 0 < h <= tile_height and 0 < w <= tile_width
        covered[top : top + h, left : left + w] += 1
    assert (covered == 1).all()
    assert rectangles == sorted(rectangles)
    assert len(rectangles) == files.tile_count(width, height, tile_width, tile_height)


def test_pixels_crc_is_of_c_order_bytes() -> None:
    array = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    assert files.pixels_crc(array) == zlib.crc32(bytes(range(24)))
    assert files.pixels_crc(np.asfortranarray(array)) == zlib.crc32(bytes(range(24)))
    assert files.pixels_crc(array[:, ::2]) == zlib.crc32(array[:, ::2].tobytes())
    assert files.pixels_crc(np.array([[1, 256]], dtype=">u2")) == zlib.crc32(b"\1\0\0\1")


def test_the_pixel_limit_is_the_callers() -> None:
    data = files.write(ONE_TILE)
    assert files.read(data, max_pixels=60_000) == ONE_TILE
    with pytest.raises(LimitError, match="300 x 200"):
        files.read(data, max_pixels=59_999)
    with pytest.raises(LimitError):
        files.read_header(data, max_pixels=59_999)
