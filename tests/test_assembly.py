"""Tiles of an image: regions, previews, parallel work, and the choice of codec and grid by what the
image shows.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bbans
from bbans import container, tiles
from bbans.errors import InputError
from bbans.files import tiling
from bbans.tiles.codecs.webp import encode_webp
from tests.tiny import smooth_image, tiny_model

MODEL = tiny_model()


@pytest.fixture
def small_tiles(monkeypatch):
    monkeypatch.setattr(tiling, "TILE_SIDE", 32)
    monkeypatch.setattr(tiling, "GRAPHIC_TILE", (32, 32))


def drawing(h, w):
    """Plain areas, lines and few colours."""
    image = np.full((h, w, 3), 240, np.uint8)
    image[h // 4 : h // 2, w // 5 : w // 2] = (200, 30, 30)
    image[:: 7 + h % 5, w // 3 :] = (20, 20, 90)
    return image


def codecs_of(data):
    return {part.codec for tile in container.read(data).tiles for part in tile.parts}


@pytest.mark.parametrize("model", [MODEL, "none"])
def test_regions_are_cuts_of_the_image(small_tiles, model):
    image = smooth_image(70, 101)
    data = bbans.compress(image, model=model, model_only=True)
    assert len(container.read(data).tiles) == 12
    for x, y, w, h in [
        (0, 0, 101, 70),
        (0, 0, 1, 1),
        (100, 69, 1, 1),
        (31, 31, 2, 2),
        (40, 10, 50, 55),
        (64, 0, 37, 32),
    ]:
        assert np.array_equal(
            bbans.decompress(data, model=MODEL, region=(x, y, w, h)), image[y : y + h, x : x + w]
        )


def test_a_region_decodes_only_the_tiles_it_meets(small_tiles, monkeypatch):
    data = bbans.compress(smooth_image(70, 101), model="none", model_only=True)
    read, numbers = container.read_tile, []
    monkeypatch.setattr(
        container,
        "read_tile",
        lambda data, index, number: numbers.append(number) or read(data, index, number),
    )
    bbans.decompress(data, region=(33, 33, 30, 30), threads=1)
    assert numbers == [5]


@pytest.mark.parametrize(
    "region", [(0, 0, 102, 1), (0, 0, 1, 71), (-1, 0, 1, 1), (5, 5, 0, 1), (101, 0, 1, 1)]
)
def test_regions_outside_are_named(small_tiles, region):
    data = bbans.compress(smooth_image(70, 101), model="none", model_only=True)
    with pytest.raises(InputError, match="does not lie in the image"):
        bbans.decompress(data, region=region)


@settings(max_examples=15, deadline=None)
@given(
    st.tuples(st.integers(1, 90), st.integers(1, 90)),
    st.integers(0, 10),
    st.sampled_from(["smooth", "drawing", "alpha", "deep"]),
)
def test_a_preview_is_every_2_to_the_s_th_pixel(shape, level, content):
    image = smooth_image(*shape)
    if content == "drawing":
        image = drawing(*shape)
    if content == "alpha":
        image = np.dstack([image, smooth_image(*shape, 5)[:, :, 0]])
    if content == "deep":
        image = image.astype(np.uint16) * 200 + 77
    data = bbans.compress(image, model=MODEL, verify=False, model_only=content != "drawing")
    assert np.array_equal(
        bbans.decompress(data, model=MODEL, preview=level), image[:: 2**level, :: 2**level]
    )


def test_a_preview_of_several_tiles(small_tiles):
    image = smooth_image(70, 101)
    data = bbans.compress(image, model=MODEL, model_only=True)
    for level in range(6):
        assert np.array_equal(
            bbans.decompress(data, model=MODEL, preview=level), image[:: 2**level, :: 2**level]
        )
    with pytest.raises(InputError, match="no preview of level 6"):
        bbans.decompress(data, model=MODEL, preview=6)
    with pytest.raises(InputError, match="whole image"):
        bbans.decompress(data, model=MODEL, preview=1, region=(0, 0, 5, 5))
    with pytest.raises(InputError, match="levels 0 to 10"):
        bbans.decompress(data, model=MODEL, preview=11)


def test_a_preview_runs_the_coarse_levels_only(monkeypatch):
    from bbans.models.fixed_predictor import FixedPredictor

    image = smooth_image(160, 160)
    data = bbans.compress(image, model="none", model_only=True)
    real, levels = FixedPredictor.trunk, []
    monkeypatch.setattr(
        FixedPredictor,
        "trunk",
        lambda self, *arguments: levels.append(arguments[-1]) or real(self, *arguments),
    )
    bbans.decompress(data, preview=2)
    assert set(levels) == {2, 3, 4}


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.sampled_from(list(container.FORMATS.values())),
    st.sampled_from(["smooth", "noise", "flat", "sparse"]),
    st.integers(0, 2**32 - 1),
)
def test_every_pixel_format_comes_back(shape, pixel_format, content, seed):
    depth, channels = pixel_format.bit_depth, pixel_format.channels
    rng = np.random.default_rng(seed)
    smooth = np.dstack([smooth_image(*shape, seed % 1000), smooth_image(*shape, seed % 999)])[
        :, :, :channels
    ].astype(np.int64)
    samples = {
        "smooth": smooth * (2**depth - 1) // 255,
        "noise": rng.integers(0, 2**depth, (*shape, channels)),
        "flat": np.broadcast_to(rng.integers(0, 2**depth, channels), (*shape, channels)),
        "sparse": rng.integers(0, 2**depth, (*shape, channels))
        * (rng.random((*shape, channels)) < 0.05),
    }[content].astype(np.uint16 if depth == 16 else np.uint8)
    pixels = samples[:, :, 0] if channels == 1 else samples
    palette = (
        (bbans.images.PngChunk("PLTE", rng.bytes(3 * 2**depth)),) if pixel_format.palette else ()
    )
    picture = bbans.images.make_image(
        np.ascontiguousarray(pixels), palette, depth, pixel_format.palette
    )
    data = bbans.compress(picture, model=MODEL, verify=False)
    back = bbans.decompress_image(data, model=MODEL)
    assert np.array_equal(back.pixels, pixels) and back.pixels.dtype == pixels.dtype
    assert (back.bit_depth, back.palette, back.metadata) == (depth, pixel_format.palette, palette)
    metadata = 768 + 32 if palette else 0
    assert len(data) <= pixel_format.raw_bytes(*shape) + 64 + metadata


def test_files_of_noise_are_raw_pixels_and_at_most_64_bytes():
    rng = np.random.default_rng(0)
    for shape in ((1, 1), (40, 50), (33, 7, 3), (20, 20, 4)):
        for dtype in (np.uint8, np.uint16):
            noise = rng.integers(0, np.iinfo(dtype).max + 1, shape, dtype=dtype)
            assert len(bbans.compress(noise)) <= noise.nbytes + 64


def test_noise_of_many_tiles_is_stored_as_one(small_tiles):
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    data = bbans.compress(noise, model="none")
    assert len(data) <= noise.nbytes + 64 and np.array_equal(bbans.decompress(data), noise)


def test_drawings_go_to_libraries_in_large_tiles():
    data = bbans.compress(drawing(1100, 1300), model=MODEL)
    (part,) = container.read(data).tiles[0].parts
    assert not container.needs_model(part) and len(container.read(data).tiles) == 1
    plain = bbans.compress(np.full((3000, 2000, 3), 9, np.uint8), model=MODEL)
    assert codecs_of(plain) == {container.CONSTANT} and len(plain) < 80


def test_photographs_are_not_taken_for_drawings(repository):
    path = repository / "samples" / "tea-gardens.png"
    pixels = bbans.images.read_image(path).pixels
    rgb8 = container.FORMATS[container.RGB8]
    assert not tiles.is_drawn(pixels, rgb8)
    assert not tiles.is_drawn(pixels.astype(np.uint16) * 257, container.FORMATS[5])
    assert tiles.is_drawn(drawing(300, 300), rgb8)


def test_grey_scans_on_a_flat_background_are_tried_with_the_model(repository):
    """A disc cut out of a photograph, as in a medical slice: mostly flat, and no drawing."""
    grey = bbans.images.read_image(repository / "samples" / "tea-gardens.png").pixels[:300, :300, 1]
    disc = np.hypot(*np.meshgrid(np.arange(300) - 150, np.arange(300) - 150)) < 110
    scan = np.where(disc, grey, 0).astype(np.uint8)
    data = bbans.compress(scan)
    assert np.array_equal(bbans.decompress(data), scan)
    assert len(data) <= len(bbans.compress(scan, model_only=True))
    assert len(data) < len(encode_webp(scan[:, :, None]))


def test_large_images_have_smaller_tiles(monkeypatch):
    monkeypatch.setattr(tiling, "LARGE_PIXELS", 300 * 300)
    monkeypatch.setattr(tiling, "LARGE_TILE_SIDE", 256)
    for side, count in ((300, 1), (301, 4)):
        image = smooth_image(side, side)
        data = bbans.compress(image, model="none")
        assert len(container.read(data).tiles) == count and np.array_equal(
            bbans.decompress(data), image
        )


def test_alpha_is_coded_apart_where_that_is_shorter(repository):
    photo = bbans.images.read_image(repository / "samples" / "tea-gardens.png").pixels[:200, :240]
    mask = np.where(
        np.hypot(*np.meshgrid(np.arange(240) - 120, np.arange(200) - 100)) < 90, 255, 0
    ).astype(np.uint8)
    opaque, cut = np.dstack([photo, np.full_like(mask, 255)]), np.dstack([photo, mask])
    plain = len(bbans.compress(photo))
    assert len(bbans.compress(opaque)) <= plain + 8
    assert len(bbans.compress(cut)) <= plain + 400
    assert np.array_equal(bbans.decompress(bbans.compress(cut)), cut)


@pytest.mark.shared
def test_pngsuite_comes_back_through_files(shared, tmp_path):
    """Same samples, depth, palette and chunks for every valid file; a named error for every
    other.
    """
    for path in sorted((shared / "data" / "pngsuite").glob("*.png")):
        target = tmp_path / f"{path.stem}.bbans"
        if path.name.startswith("x"):
            with pytest.raises(InputError):
                bbans.compress_file(path, target)
            assert not target.exists()
            continue
        bbans.compress_file(path, target, model="none")
        bbans.decompress_file(target, tmp_path / "back.png", overwrite=True)
        before, after = (
            bbans.images.read_image(path),
            bbans.images.read_image(tmp_path / "back.png"),
        )
        assert np.array_equal(before.pixels, after.pixels) and before.metadata == after.metadata
        assert (before.bit_depth, before.palette) == (after.bit_depth, after.palette)
