"""Container: write and read are inverse, and damage of every byte is named."""

from __future__ import annotations

import itertools
import re
import zlib
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bbans import container as files
from bbans.container import Container, MetadataChunk, TilePart, TileRecord, schemes
from bbans.container.binary import Cursor, varint
from bbans.errors import (
    ChecksumError,
    FormatError,
    LimitError,
    TrailingDataError,
    TruncatedError,
    VersionError,
)
from tests.container.samples import (
    CODED,
    DEEP,
    MODEL,
    ONE_TILE,
    PART,
    SAMPLES,
    SMALL,
    TINY,
    one,
    stored,
)

chunks = st.one_of(
    st.builds(MetadataChunk, st.integers(1, 4), st.booleans(), st.binary(max_size=80)),
    st.builds(MetadataChunk, st.integers(9, 127), st.just(False), st.binary(max_size=80)),
    st.builds(
        MetadataChunk,
        st.integers(5, 6),
        st.booleans(),
        st.binary(max_size=80).map(lambda data: b"tEXt" + data),
    ),
)
steps = st.tuples(st.integers(0, 2**32 - 1), st.integers(1, 2**16 - 1))
growths = st.lists(steps, max_size=5).map(tuple)
payloads = st.binary(max_size=40)
INSIDE = TilePart(files.STORED, 3, b"")
TRANSFORM = files.Transform(4, files.RGB8, (INSIDE,), (180_000,), table_size=5)
WRONG_TRANSFORMS = [
    (replace(TRANSFORM, steps=0, table_size=0), FormatError),
    (replace(TRANSFORM, steps=16), VersionError),
    (replace(TRANSFORM, pixel_format=99), VersionError),
    (replace(TRANSFORM, pixel_format=14), FormatError),  # a palette
    (replace(TRANSFORM, steps=1, table_size=0), FormatError),  # phases of three channels
    (replace(TRANSFORM, steps=2, table_size=0), FormatError),  # merged into none
    (replace(TRANSFORM, steps=2, table_size=0, merged=(0, 1, 2)), FormatError),
    (replace(TRANSFORM, steps=2, table_size=0, merged=(1, 0, 0)), FormatError),
    (replace(TRANSFORM, steps=8), FormatError),  # a table of differences
    (replace(TRANSFORM, table_size=0), FormatError),
    (replace(TRANSFORM, table_size=2**20 + 1), FormatError),
    (replace(TRANSFORM, steps=8, table_size=0, pixel_format=5), FormatError),  # 16 bits of 8
    (replace(TRANSFORM, parts=(replace(INSIDE, channels=2),)), FormatError),
    (replace(TRANSFORM, sizes=(1,)), FormatError),
    (replace(TRANSFORM, parts=(TilePart(files.CHAIN, 3, b""),)), FormatError),
    (
        replace(TRANSFORM, parts=(TilePart(files.TRANSFORMED, 3, b"", transform=TRANSFORM),)),
        FormatError,
    ),
]
PREDICTIVE = (files.BITS_BACK, files.FIXED, files.PREPARED)


@st.composite
def parts(
    draw: st.DrawFn,
    pixel_format: files.PixelFormat,
    shape: tuple[int, int],
    channels: int,
    alone: bool,
) -> TilePart:
    webp = [files.WEBP] if pixel_format.bit_depth <= 8 else []
    codecs = [
        files.STORED,
        files.CONSTANT,
        *webp,
        files.LZMA,
        *(PREDICTIVE if channels in (1, 3) else []),
    ]
    codecs += (
        [files.CHAIN, files.CODED_CHAIN][: 1 + alone] if channels == pixel_format.channels else []
    )
    codec = draw(st.sampled_from(codecs))
    if codec in (files.STORED, files.CONSTANT):
        size = (
            pixel_format.raw_bytes(*shape, channels)
            if codec == files.STORED
            else channels * max(1, pixel_format.bit_depth // 8)
        )
        return TilePart(codec, channels, bytes([draw(st.integers(0, 255))]) * size)
    if codec in (files.WEBP, files.LZMA, files.CHAIN):
        return TilePart(codec, channels, draw(payloads))
    if codec == files.CODED_CHAIN:
        scheme = draw(st.sampled_from(schemes.numbers(in_files=True)))
        particles = draw(st.integers(1, schemes.SCHEMES[scheme].particles))
        fineness = draw(st.integers(0, schemes.MAX_FINENESS)) if scheme == schemes.TWO_PART else 0
        steps = 0 if scheme == schemes.TWO_PART else draw(st.integers(0, schemes.MAX_REFINEMENT))
        return TilePart(
            codec,
            channels,
            draw(payloads),
            coding=schemes.Coding(scheme, particles, steps, fineness),
        )
    axis = None
    if pixel_format.bit_depth != 8:
        span = draw(st.integers(1, 2**pixel_format.bit_depth - 1))
        axis = files.Axis(
            draw(st.integers(0, 2**pixel_format.bit_depth - 1 - span)),
            span,
            draw(st.integers(0, 1)),
        )
    precision = draw(st.integers(0, 255)) if files.CODECS[codec].latent_precision else 0
    preparation = (0, 0)
    if codec == files.PREPARED:
        lattice = draw(st.integers(0, 2)) if channels == 3 and pixel_format.bit_depth == 8 else 0
        preparation = draw(st.integers(0 if lattice else 1, 7)), lattice
    return TilePart(codec, channels, draw(payloads), precision, draw(growths), axis, *preparation)


@st.composite
def containers(draw: st.DrawFn) -> Container:
    width, height = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    tile_width, tile_height = (
        draw(st.integers(-(-width // 4), width)),
        draw(st.integers(-(-height // 4), height)),
    )
    pixel_format = draw(st.sampled_from(list(files.FORMATS.values())))
    tiles = []
    for _, _, h, w in files.tile_rectangles(width, height, tile_width, tile_height):
        cut = draw(st.integers(0, pixel_format.channels - 1))
        counts = [n for n in (cut, pixel_format.channels - cut) if n]
        found = tuple(
            draw(parts(pixel_format, (h, w), n, (h, w) == (height, width))) for n in counts
        )
        only_stored = [part.codec for part in found] == [files.STORED]
        tiles.append(
            TileRecord(
                found,
                zlib.crc32(found[0].payload) if only_stored else draw(st.integers(0, 2**32 - 1)),
            )
        )
    uses_model = any(files.CODECS[part.codec].modelled for tile in tiles for part in tile.parts)
    model = draw(st.binary(min_size=32, max_size=32).filter(any)) if uses_model else files.NO_MODEL
    metadata = tuple(draw(st.lists(chunks, max_size=4)))
    return Container(
        width, height, pixel_format.code, tile_width, tile_height, model, metadata, tuple(tiles)
    )


@given(containers())
def test_read_inverts_write(container: Container) -> None:
    data = files.write(container)
    assert files.read(data) == container
    assert files.framing_bits(container) == 8 * (
        len(data) - sum(len(tile.payload) for tile in container.tiles)
    )
    header = files.read_header(data)
    assert (header.width, header.height, header.model_id) == (
        container.width,
        container.height,
        container.model_id,
    )
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
        files.read(files.MAGIC + b"\1" + noise if with_magic else noise)


def test_golden_bytes() -> None:
    golden = """
        bb 41 4e 53 0d 0a 1a 0a 01 06 01 ac 02 c8 01
        01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f 10 11 12 13 14 15 16 17 18
        19 1a 1b 1c 1d 1e 1f 20 ca 0c 44 2c
        14 21 0e 02 e8 07 40 f0 a2 04 80 04 09 d5 78 72 bb
        78 56 34 12 0e 21 05 1b 62 69 74 73 2d 62 61 63 6b
    """
    assert files.write(ONE_TILE) == bytes.fromhex(golden)
    assert files.read(bytes.fromhex(golden)) == ONE_TILE


def test_example_of_the_document(repository: Path) -> None:
    document = (repository / "docs" / "format.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```hex\n(.*?)```", document, re.DOTALL)
    assert len(blocks) == 1
    data = bytes.fromhex("".join(line.split("#")[0] for line in blocks[0].splitlines()))
    gamma = MetadataChunk(files.PNG_CHUNK, False, b"gAMA" + (45455).to_bytes(4, "big"))
    tiles = (stored(bytes([10, 20, 40, 50]), 1), stored(bytes([30, 60]), 1))
    expected = Container(3, 2, files.GREY8, 2, 2, files.NO_MODEL, (gamma,), tiles)
    assert files.read(data) == expected
    assert files.write(expected) == data


def test_framing_of_a_photograph_is_small() -> None:
    growth = ((40_000, 64), (200_000, 512), (800_000, 2048))
    photo = Container(
        768,
        512,
        files.RGB8,
        768,
        512,
        MODEL,
        (),
        (one(replace(PART, growth=growth, payload=bytes(400_000))),),
    )
    assert files.framing_bits(photo) <= 8 * 90
    raw = bytes(768 * 512 * 3)
    assert (
        files.framing_bits(
            Container(768, 512, files.RGB8, 768, 512, files.NO_MODEL, (), (stored(raw),))
        )
        <= 8 * 64
    )


def test_metadata_is_compressed_only_when_that_helps() -> None:
    repeated = files.write(
        replace(ONE_TILE, metadata=(MetadataChunk(files.XMP, False, b"word " * 1000),))
    )
    assert len(repeated) < len(files.write(ONE_TILE)) + 100
    noise = np.random.default_rng(0).integers(0, 256, 1000, dtype=np.uint8).tobytes()
    incompressible = files.write(
        replace(ONE_TILE, metadata=(MetadataChunk(files.ICC_PROFILE, False, noise),))
    )
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
        ({"pixel_format": 15}, VersionError),
        ({"model_id": files.NO_MODEL}, FormatError),
        ({"model_id": b"short"}, FormatError),
        ({"metadata": (MetadataChunk(0, False, b""),)}, FormatError),
        ({"metadata": (MetadataChunk(128, False, b""),)}, FormatError),
        ({"metadata": (MetadataChunk(99, True, b""),)}, VersionError),
        ({"metadata": (MetadataChunk(files.PNG_CHUNK, False, b"tEX"),)}, FormatError),
        ({"metadata": (MetadataChunk(files.PNG_CHUNK, False, b"t\xc4XT"),)}, FormatError),
        ({"metadata": (MetadataChunk(files.XMP, False, bytes(2**26)),)}, FormatError),
        *(
            ({"tiles": (one(replace(PART, **change)),)}, error)
            for change, error in [
                ({"codec": 11}, VersionError),
                ({"codec": files.TRANSFORMED}, FormatError),  # without a transform
                ({"codec": files.JPEGXL}, FormatError),  # with a latent precision
                ({"transform": TRANSFORM}, FormatError),  # of another codec
                *(
                    (
                        {
                            "codec": files.TRANSFORMED,
                            "latent_precision": 0,
                            "growth": (),
                            "transform": t,
                        },
                        e,
                    )
                    for t, e in WRONG_TRANSFORMS
                ),
                ({"codec": files.CODED_CHAIN}, FormatError),  # without a scheme
                ({"coding": schemes.Coding(0)}, FormatError),
                ({"codec": files.PREPARED}, FormatError),  # with no preparation
                ({"codec": files.PREPARED, "lattice": 3}, VersionError),
                ({"lattice": 1}, FormatError),
                ({"codec": files.PREPARED, "orientation": 8}, FormatError),
                ({"orientation": 1}, FormatError),
                ({"latent_precision": 256}, FormatError),
                ({"codec": files.FIXED}, FormatError),  # with a latent precision
                ({"codec": files.WEBP}, FormatError),
                ({"channels": 2}, FormatError),
                ({"channels": 1}, FormatError),  # one of three
                ({"channels": 4}, FormatError),
                ({"axis": files.Axis(0, 255, 0)}, FormatError),  # of 8-bit samples
                ({"growth": ((5, 0),)}, FormatError),
                ({"growth": ((5, 2**16),)}, FormatError),
                ({"growth": ((2**32, 1),)}, FormatError),
                ({"growth": ((5, 1),) * 256}, FormatError),
            ]
        ),
        ({"tiles": (replace(CODED, pixels_crc=-1),)}, FormatError),
        ({"tiles": (TileRecord((), 0),)}, FormatError),
        ({"tiles": (stored(bytes(180_000)),)}, FormatError),  # names a model that nothing needs
        ({"tiles": (stored(bytes(7)),), "model_id": files.NO_MODEL}, FormatError),
        (
            {"tiles": (replace(stored(bytes(180_000)), pixels_crc=1),), "model_id": files.NO_MODEL},
            FormatError,
        ),
        (
            {
                "tiles": (one(TilePart(files.STORED, 3, bytes(180_000), 1)),),
                "model_id": files.NO_MODEL,
            },
            FormatError,
        ),
        (
            {"tiles": (one(TilePart(files.CONSTANT, 3, bytes(4))),), "model_id": files.NO_MODEL},
            FormatError,
        ),
    ],
)
def test_the_writer_refuses_what_a_reader_would(
    change: dict[str, object], error: type[FormatError]
) -> None:
    with pytest.raises(error) as caught:
        files.write(replace(ONE_TILE, **change))  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("coding", "words"),
    [
        ((2,), "scheme 2 is unknown"),  # what a deterministic posterior codes is codec 6
        ((6,), "scheme 6 is unknown"),
        ((0, 2), "particles must be 1 to 1, found 2"),
        ((3, 0), "particles must be 1 to 256, found 0"),
        ((4, 257), "particles must be 1 to 256, found 257"),
        ((0, 1, 256), "refinement must be 0 to 255, found 256"),
        ((5, 1, 1), "refinement must be 0 to 0, found 1"),
        ((5, 1, 0, 16), "fineness must be 0 to 15, found 16"),
        ((3, 2, 0, 1), "fineness must be 0 to 0, found 1"),
    ],
)
def test_codings_are_checked(coding: tuple[int, ...], words: str) -> None:
    part = replace(TINY.tiles[0].parts[0], coding=schemes.Coding(*coding))
    with pytest.raises(FormatError, match=words):
        files.write(replace(TINY, tiles=(one(part),)))


def test_a_coded_chain_is_the_whole_image() -> None:
    """So that a file has one search for a posterior at most."""
    with pytest.raises(FormatError, match="the whole image"):
        files.write(replace(TINY, height=8, tiles=TINY.tiles * 2))


def test_evaluations_of_a_tile_are_bounded() -> None:
    """2^16 samples may be searched for 102 steps, not 103."""
    large = replace(TINY, width=256, height=256, tile_width=256, tile_height=256)
    for steps in (102, 103):
        part = replace(TINY.tiles[0].parts[0], coding=schemes.Coding(schemes.BITS_BACK, 1, steps))
        with (
            nullcontext()
            if steps == 102
            else pytest.raises(FormatError, match="samples of all evaluations")
        ):
            files.write(replace(large, tiles=(one(part),)))


@pytest.mark.parametrize(
    "axis",
    [None, files.Axis(0, 0, 0), files.Axis(1, 65535, 0), files.Axis(-1, 5, 0), files.Axis(0, 5, 2)],
)
def test_ranges_of_samples_are_checked(axis: files.Axis | None) -> None:
    good = DEEP.tiles[0].parts
    with pytest.raises(FormatError):
        files.write(replace(DEEP, tiles=(TileRecord((replace(good[0], axis=axis), good[1]), 0),)))


@given(
    st.sampled_from(list(files.FORMATS.values())),
    st.integers(1, 9),
    st.integers(1, 20),
    st.integers(0, 2**32 - 1),
)
def test_raw_pixels_are_packed_and_come_back(
    pixel_format: files.PixelFormat, height: int, width: int, seed: int
) -> None:
    depth, channels = pixel_format.bit_depth, pixel_format.channels
    shape = (height, width) if channels == 1 else (height, width, channels)
    samples = (
        np.random.default_rng(seed)
        .integers(0, 2**depth, shape)
        .astype(np.uint16 if depth == 16 else np.uint8)
    )
    raw = files.to_raw(samples, depth)
    assert len(raw) == pixel_format.raw_bytes(height, width)
    back = files.from_raw(raw, shape, depth)
    assert back.dtype == samples.dtype and np.array_equal(back, samples)
    if depth < 8:
        first = "".join(f"{value:0{depth}b}" for value in samples[0])
        assert raw[: pixel_format.row_bytes(width)] == int(
            first.ljust(-(-len(first) // 8) * 8, "0"), 2
        ).to_bytes(-(-len(first) // 8), "big")


def test_a_file_is_read_like_bytes(tmp_path: Path) -> None:
    (tmp_path / "a.bbans").write_bytes(files.write(SMALL))
    buffer = files.FileBuffer(tmp_path / "a.bbans")
    try:
        assert files.read(buffer) == SMALL
        index = files.read_index(buffer)
        assert files.read_tile(buffer, index, 1) == SMALL.tiles[1]
    finally:
        buffer.close()


def test_tiles_of_a_damaged_file_are_read_one_by_one() -> None:
    data = files.write(SMALL)
    damaged = bytearray(data)
    damaged[-7] ^= 1  # the last byte of the first tile's payload
    index = files.read_index(bytes(damaged))
    with pytest.raises(ChecksumError, match="tile 0 of 2"):
        files.read_tile(bytes(damaged), index, 0)
    assert files.read_tile(bytes(damaged), index, 1) == SMALL.tiles[1]
    short = files.read_index(data[:-1], whole=False)
    assert files.read_tile(data[:-1], short, 0) == SMALL.tiles[0]
    with pytest.raises(TruncatedError):
        files.read_tile(data[:-1], short, 1)


@given(st.integers(0, 2**63 - 1))
def test_varint(value: int) -> None:
    encoded = varint(value)
    cursor = Cursor(encoded, "test")
    assert cursor.varint("value", 2**63 - 1) == value
    assert cursor.remaining == 0
    assert len(encoded) == max(1, -(-value.bit_length() // 7))


@given(st.integers(1, 50), st.integers(1, 50), st.integers(1, 50), st.integers(1, 50))
def test_tiles_cover_the_image_once(
    width: int, height: int, tile_width: int, tile_height: int
) -> None:
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
    assert files.pixels_crc(np.array([[1, 256]], dtype=">u2"), 16) == zlib.crc32(b"\1\0\0\1")
    assert files.pixels_crc(np.array([[1, 0, 1]], dtype=np.uint8), 1) == zlib.crc32(b"\xa0")


def test_the_pixel_limit_is_the_callers() -> None:
    data = files.write(ONE_TILE)
    assert files.read(data, max_pixels=60_000) == ONE_TILE
    with pytest.raises(LimitError, match="300 x 200"):
        files.read(data, max_pixels=59_999)
    with pytest.raises(LimitError):
        files.read_header(data, max_pixels=59_999)
