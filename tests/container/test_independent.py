"""The document is enough: a reader written from it alone agrees with `bbans` on good files, damaged
files and forged ones.
"""

import lzma
import random
from dataclasses import replace

import numpy as np
import pytest

import bbans
from bbans import container as files
from bbans import images
from bbans.container.schemes import TWO_PART
from bbans.errors import FormatError
from bbans.files import tiling
from tests.container import independent, test_hostile
from tests.container.samples import SAMPLES
from tests.mutations import forge, forged, mutated
from tests.tiny import smooth_image, tiny_model

PLTE = images.PngChunk("PLTE", bytes(range(30)))
TEXT = images.PngChunk("tEXt", b"Comment\0" + b"again and " * 20)
ALL = files.FORMATS.values()


def picture(pixel_format: files.PixelFormat, metadata: tuple = (), side: int = 21) -> images.Image:
    """Repetitive on the left, flat below, noise on top: tiles of several codecs."""
    rng = np.random.default_rng(pixel_format.code)
    top = min(2**pixel_format.bit_depth, 10 if pixel_format.palette else 2**16)
    shape = (side, 25) if pixel_format.channels == 1 else (side, 25, pixel_format.channels)
    pixels = rng.integers(0, top, shape)
    pixels[8:, :8] = rng.integers(0, top, shape[2:]) * (np.arange(8) % 3 == 1).reshape(
        -1, *[1] * len(shape[2:])
    )
    pixels[8:, 8:] = rng.integers(0, top, shape[2:])
    pixels = pixels.astype(np.uint16 if pixel_format.bit_depth == 16 else np.uint8)
    return images.make_image(
        pixels,
        (PLTE, *metadata) if pixel_format.palette else metadata,
        pixel_format.bit_depth,
        pixel_format.palette,
    )


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiling, "TILE_SIDE", 8)
    monkeypatch.setattr(tiling, "GRAPHIC_TILE", (8, 8))
    monkeypatch.setattr(
        tiling, "as_stored_tile", lambda container, pixels: container
    )  # the images are too small to pay for their tiles


def part_facts(part):
    axis = None if part.axis is None else (part.axis.low, part.axis.span, part.axis.curve)
    return part.codec, part.channels, axis, part.growth, part.payload


def coding_facts(coding):
    return (
        coding.scheme,
        coding.particles,
        coding.fineness if coding.scheme == TWO_PART else coding.refinement,
    )


def check_same(data: bytes) -> independent.File:
    """Both readers find the same in a valid file."""
    theirs, ours = files.read(data), independent.read(data)
    geometry = ("width", "height", "tile_width", "tile_height")
    assert [getattr(theirs, name) for name in geometry] == [
        getattr(ours, name) for name in geometry
    ]
    assert theirs.pixel_format == ours.format
    assert theirs.model_id == (ours.model_id or files.NO_MODEL)
    assert [(c.kind, c.critical, c.payload) for c in theirs.metadata] == list(ours.chunks)
    rectangles = files.tile_rectangles(
        theirs.width, theirs.height, theirs.tile_width, theirs.tile_height
    )
    assert rectangles == [(t.y, t.x, t.height, t.width) for t in ours.tiles]
    for one, two in zip(theirs.tiles, ours.tiles, strict=True):
        assert one.pixels_crc == two.pixel_crc
        mine = [
            (part.codec, part.channels, part.axis, part.growth, payload)
            for part, payload in zip(two.parts, two.payloads, strict=True)
        ]
        assert [part_facts(part) for part in one.parts] == mine
        assert [part.latent_precision for part in one.parts] == [
            part.precision or 0 for part in two.parts
        ]
        assert [(part.orientation, part.lattice) for part in one.parts] == [
            part.preparation or (0, 0) for part in two.parts
        ]
        assert [part.coding and coding_facts(part.coding) for part in one.parts] == [
            part.coding for part in two.parts
        ]
    return ours


def compare_pixels(data: bytes, pixels: np.ndarray) -> int:
    """Every tile that the second reader can decode has the same pixels; how many these are."""
    file = check_same(data)
    found = 0
    for tile in file.tiles:
        samples = independent.decode_tile(file, tile)
        if samples is not None:
            cut = pixels[tile.y : tile.y + tile.height, tile.x : tile.x + tile.width]
            assert np.array_equal(samples, cut.reshape(samples.shape))
            found += 1
    return found


@pytest.mark.parametrize("pixel_format", ALL, ids=lambda f: f.name)
@pytest.mark.parametrize(
    "metadata",
    [(), (TEXT,), (images.PngChunk("gAMA", b"\0\0\xb1\x8f"),)],
    ids=["none", "compressed", "plain"],
)
def test_the_same_contents_and_pixels(pixel_format, metadata):
    image = picture(pixel_format, metadata)
    data = bbans.compress(image, model=tiny_model())
    assert compare_pixels(data, image.pixels) >= 4
    assert bytes(check_same(data).chunks and data[8:10]) in (b"", b"\1\1", b"\1\3")


@pytest.mark.parametrize("codec", [files.STORED, files.CONSTANT, files.LZMA])
@pytest.mark.parametrize("pixel_format", ALL, ids=lambda f: f.name)
def test_each_codec_of_each_format(pixel_format, codec):
    """Every channel on its own and all together, through the same codec, with differences of every
    distance.
    """
    image = picture(pixel_format, side=7)
    pixels = image.pixels[:7, :8]
    if codec == files.CONSTANT:
        pixels = np.broadcast_to(pixels[:1, :1], pixels.shape)
    cube = pixels.reshape(7, 8, -1)
    crc = files.pixels_crc(np.ascontiguousarray(pixels), pixel_format.bit_depth)
    channels = pixel_format.channels
    metadata = tuple(
        files.MetadataChunk(5, True, b"PLTE" + chunk.payload) for chunk in image.metadata
    )
    for widths in ([channels], [1] * channels):
        for delta in (0, 1, 2, 3, 8, 200, 255) if codec == files.LZMA else (0,):
            ends = np.cumsum(widths)
            cuts = [cube[:, :, end - width : end] for end, width in zip(ends, widths, strict=True)]
            parts = tuple(
                files.TilePart(codec, cut.shape[2], plain(codec, cut, pixel_format, delta))
                for cut in cuts
            )
            tile = files.TileRecord(parts, crc)
            data = files.write(
                files.Container(8, 7, pixel_format.code, 8, 7, files.NO_MODEL, metadata, (tile,))
            )
            assert compare_pixels(data, pixels) == 1
            assert np.array_equal(bbans.decompress(data), pixels)


def plain(codec, cut, pixel_format, delta):
    """The payload of some channels, `(h, w, channels)`."""
    if codec == files.CONSTANT:
        return files.to_raw(np.ascontiguousarray(cut[:1, :1]), max(8, pixel_format.bit_depth))
    raw = files.to_raw(np.ascontiguousarray(cut), pixel_format.bit_depth)
    if codec == files.STORED:
        return raw
    before = [{"id": lzma.FILTER_DELTA, "dist": delta}] if delta else []
    return bytes([delta]) + lzma.compress(
        raw, lzma.FORMAT_RAW, filters=[*before, {"id": lzma.FILTER_LZMA2, "preset": 6}]
    )


def refuses(read, data, error) -> bool:
    try:
        read(data)
    except error:
        return True
    return False


def check_both(data: bytes) -> bool:
    """What one refuses the other refuses, the container and what is decoded of it.

    True: both take it.
    """
    one, two = (
        refuses(files.read, data, FormatError),
        refuses(independent.read, data, independent.Refused),
    )
    assert one == two, data.hex(" ")
    return not one


def decoded(data: bytes):
    try:
        return bbans.decompress(data, max_pixels=2**20)
    except FormatError:
        return None


def decoded_independently(data: bytes):
    try:
        return independent.decode(data, 2**20)
    except independent.Refused:
        return None


HOSTILE = [
    case[0] for case in test_hostile.test_forged_files_are_refused_by_name.pytestmark[0].args[1]
]


@pytest.mark.parametrize(
    "data", [*HOSTILE, *test_hostile.BOMBS.values()], ids=lambda data: data[8:30].hex()
)
def test_forgeries_that_bbans_refuses(data):
    assert not check_both(data)


@pytest.mark.parametrize("name", SAMPLES)
def test_damage_of_every_byte(name):
    data = files.write(SAMPLES[name])
    assert check_both(data)
    rng = random.Random(0)
    for _ in range(400):
        check_both(mutated(data, rng, [data]))
    assert not any(check_both(data[:at]) for at in range(len(data)))


@pytest.mark.parametrize("name", SAMPLES)
def test_forged_tables(name):
    """Checksums right, contents not: the readers agree on which rule is broken somewhere."""
    rng = random.Random(1)
    outcomes = [check_both(forge(forged(SAMPLES[name], rng), rng)) for _ in range(400)]
    assert 20 < sum(outcomes) < 380


def test_forged_files_of_plain_tiles():
    """Both readers put out the same pixels or refuse the file."""
    rng = random.Random(2)
    taken = 0
    for code in files.FORMATS:
        image = picture(files.FORMATS[code], (TEXT,), side=9)
        content = files.read(bbans.compress(image, model="none"))
        kept = [
            tile
            for tile in content.tiles
            if all(part.codec in (files.STORED, files.CONSTANT, files.LZMA) for part in tile.parts)
        ]
        where = content.tiles.index(kept[0])
        top, left, h, w = files.tile_rectangles(
            content.width, content.height, content.tile_width, content.tile_height
        )[where]
        single = replace(
            content,
            width=w,
            height=h,
            tile_width=w,
            tile_height=h,
            model_id=files.NO_MODEL,
            tiles=(kept[0],),
        )
        for _ in range(60):
            data = forge(forged(single, rng), rng)
            if not check_both(data) or any(
                p.codec in (1, 2, 4, 9, 10) for t in files.read(data).tiles for p in t.parts
            ):
                continue
            one, two = decoded(data), decoded_independently(data)
            assert (one is None) == (two is None), data.hex(" ")
            if one is not None and two is not None:
                assert np.array_equal(one.reshape(two.shape), two)
                taken += 1
    assert taken > 30


def test_a_photograph():
    picture = smooth_image(60, 70)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiling, "TILE_SIDE", 64)
        file = check_same(bbans.compress(picture, model=tiny_model(), model_only=True))
    names = [part.codec for tile in file.tiles for part in tile.parts]
    assert file.model_id == tiny_model().id and files.BITS_BACK in names
