"""Views of a tile: every transform is undone exactly, its table comes back, and tiles are coded by
the view and codec that are shortest.
"""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bbans
from bbans import container, tiles
from bbans.container.part_records import DIFFERENCES, MERGED, PHASES, RENUMBERED
from bbans.errors import FormatError
from bbans.tiles.codecs.jpegxl import decode_jpegxl, encode_jpegxl
from bbans.tiles.codecs.lzma import encode_lzma
from bbans.tiles.estimate import estimates, patches
from bbans.tiles.predicted import predicted
from bbans.tiles.transforms import planes, renumber, views
from tests.container import independent
from tests.tiny import smooth_image


def tile_samples() -> st.SearchStrategy[tuple[np.ndarray, int]]:
    """Samples `(h, w, channels)` of few or many values, and their bit depth."""

    def build(seed: int, h: int, w: int, channels: int, depth: int, few: int) -> np.ndarray:
        rng = np.random.default_rng(seed)
        values = rng.integers(0, 1 << depth, few)
        dtype = np.uint16 if depth == 16 else np.uint8
        return values[rng.integers(0, few, (h, w, channels))].astype(dtype), depth

    side = st.integers(1, 9)
    return st.builds(
        build,
        st.integers(0, 2**32),
        side,
        side,
        st.integers(1, 4),
        st.sampled_from((8, 16)),
        st.sampled_from((1, 2, 3, 40, 3000)),
    )


@given(tile_samples())
@settings(deadline=None)
def test_tables_come_back_and_renumbering_is_undone(drawn):
    samples, depth = drawn
    occurring = tuple(np.unique(samples[:, :, c]).astype(np.int64) for c in range(samples.shape[2]))
    table = renumber.Table(occurring, depth)
    read = renumber.decode_table(renumber.encode_table(table), samples.shape[2], depth)
    assert all(np.array_equal(a, b) for a, b in zip(read.values, table.values, strict=True))
    numbers = renumber.apply(samples, table)
    assert int(numbers.max()) < max(map(len, occurring)) <= 1 << table.result_depth
    assert np.array_equal(renumber.invert(numbers, table), samples)


@given(tile_samples())
@settings(deadline=None)
def test_views_are_undone(drawn):
    """Also by the reader that is written from the document, from stored and LZMA parts."""
    samples, depth = drawn
    channels = samples.shape[2]
    pixel_format = container.format_of(channels, depth, palette=False)
    for view in views.views(samples, pixel_format):
        inside = view.pixel_format
        raw = container.to_raw(view.samples, inside.bit_depth)
        for codec, payload in ((container.STORED, raw), (container.LZMA, encode_lzma(raw, 1))):
            parts = view.parts_of_tile(
                channels, [container.TilePart(codec, inside.channels, payload)]
            )
            crc = container.pixels_crc(samples, depth)
            record = container.TileRecord(parts, crc)
            h, w = samples.shape[:2]
            data = container.write(
                container.Container(
                    w, h, pixel_format.code, w, h, container.NO_MODEL, (), (record,)
                )
            )
            assert np.array_equal(bbans.decompress(data).reshape(samples.shape), samples)
            assert np.array_equal(independent.decode(data), samples)


@pytest.mark.parametrize(
    "samples, steps",
    [
        (smooth_image(40, 50).astype(np.uint16) * 257, RENUMBERED),
        (smooth_image(40, 50).astype(np.uint16) << 4, RENUMBERED),
        (smooth_image(40, 50)[:, :, :1] // 8 * 8, RENUMBERED),
        (np.where(smooth_image(40, 50)[:, :, :1] > 120, 255, 0).astype(np.uint8), RENUMBERED),
        ((smooth_image(40, 50)[:, :, :1].astype(np.int64) - 90).astype(np.uint16), RENUMBERED),
        (smooth_image(40, 50)[:, :, :1].repeat(3, 2), MERGED),
        (np.add.outer(3 * np.arange(40), 5 * np.arange(50))[:, :, None].astype(np.uint16), 8),
        (np.tile([[20, 120], [120, 220]], (20, 25))[:, :, None].astype(np.uint8), PHASES),
    ],
    ids=("times 257", "shifted", "posterised", "two levels", "wrapped", "grey", "plane", "mosaic"),
)
def test_the_view_is_found(samples, steps):
    pixel_format = container.format_of(samples.shape[2], 8 * samples.itemsize, palette=False)
    found = [view.steps for view in views.views(samples, pixel_format)]
    assert found[0] == 0 and any(step & steps for step in found)


def test_photographs_have_no_other_view(repository):
    pixels = bbans.images.read_image(repository / "samples" / "tea-gardens.png").pixels
    assert [view.steps for view in views.views(pixels, container.FORMATS[1])] == [0]


def test_values_that_wrap_begin_after_the_gap():
    """CT numbers below zero, read as unsigned."""
    signed = smooth_image(40, 50)[:, :, 0].astype(np.int16) - 100
    (values,) = renumber.find_table(signed.astype(np.uint16)[:, :, None], 16).values
    assert values[0] == 65536 + int(signed.min()) and np.all(np.diff(values) % 65536 == 1)


@pytest.mark.parametrize(
    "table",
    [
        b"",
        b"\2",  # compression
        b"\0\0",  # the first channel has no values
        b"\0\2\0\2\0",  # a byte too many
        b"\0\3\0\0\2",  # a gap of 0
        b"\0\3\0\xfc\3\4",  # gaps beyond the samples
        b"\0\3\0\3\2",  # more equal gaps than values
        b"\0\x81\4\0",  # more values than there are
        b"\0\2\x80\2\2",  # a first value of 256
        b"\1\2\0\0",  # no zlib stream
    ],
)
def test_damaged_tables_are_refused(table):
    with pytest.raises(FormatError):
        renumber.decode_table(table, 1, 8)
    with pytest.raises(independent.Refused):
        independent.read_values(table, 1, 8)


def test_numbers_beyond_a_table_are_refused():
    view = views.View(
        np.array([[[2]]], np.uint8), container.FORMATS[0], RENUMBERED, (), b"\0\2\0\2"
    )
    parts = view.parts_of_tile(1, [container.TilePart(container.STORED, 1, b"\2")])
    with pytest.raises(FormatError, match="found number 2"):
        tiles.decode_tile(
            container.TileRecord(parts, 0), (1, 1), container.FORMATS[0], tiles.Context()
        )


def test_phases_and_differences_are_what_the_document_says():
    x = np.arange(24, dtype=np.uint8).reshape(4, 6, 1) ** 2
    phases = planes.split_phases(x)
    assert all(
        phases[y, z, 2 * i + j] == x[2 * y + i, 2 * z + j, 0]
        for y in range(2)
        for z in range(3)
        for i in range(2)
        for j in range(2)
    )
    padded = np.pad(x[:, :, 0].astype(int), ((1, 0), (1, 0)))
    expected = padded[1:, 1:] - padded[1:, :-1] - padded[:-1, 1:] + padded[:-1, :-1]
    assert np.array_equal(planes.differences(x, 8)[:, :, 0], expected % 256)


def halftone(grey: np.ndarray) -> np.ndarray:
    """Ordered dither of 2 x 2 thresholds, black and white."""
    thresholds = np.tile([[51, 153], [204, 102]], (len(grey) // 2, grey.shape[1] // 2))
    return np.where(grey > thresholds, 255, 0).astype(np.uint8)


def crop(repository) -> np.ndarray:
    """A part of a photograph, RGB."""
    pixels = bbans.images.read_image(repository / "samples" / "tea-gardens.png").pixels
    return pixels[100:260, 100:292]


def test_what_is_shorter_by_how_much(repository):
    """8 bits in 16 take no more than the 8 bits and a table of a few bytes."""
    narrow = np.ascontiguousarray(crop(repository))
    assert len(bbans.compress(narrow.astype(np.uint16) * 257)) <= len(bbans.compress(narrow)) + 40


def test_model_only_codes_by_the_model(repository):
    pixels = np.where(crop(repository)[:, :, 1] > 100, 255, 0).astype(np.uint8)
    data = bbans.compress(pixels, model="none", model_only=True)
    assert [p.codec for p in container.read(data).tiles[0].parts] == [container.FIXED]
    assert len(bbans.compress(pixels, model="none")) < len(data) / 2


@pytest.mark.parametrize("name", ("mosaic", "wide", "merged"))
def test_bits_of_pixels_of_transformed_parts(repository, name):
    """The map of bits has the sum of the account, also over phases."""
    data = (repository / "tests" / "frozen" / f"{name}.bbans").read_bytes()
    facts = bbans.info(data, costs=True)
    assert all(codec.startswith("transformed, bits-back") for codec in facts.codecs)
    spent = facts.account.prior + facts.account.likelihood + facts.account.posterior
    assert facts.costs.bits.shape == (facts.height, facts.width)
    assert facts.costs.bits.sum() == pytest.approx(spent, rel=1e-9)
    assert facts.ideal_bits == pytest.approx(facts.net_bits, rel=0.01)


def test_patches_are_of_the_tile():
    x = np.arange(1024 * 900).reshape(1024, 900, 1)
    cut = patches(x)
    assert len(np.unique(cut)) == cut.size == 8 * 64 * 64 + 64 * 64
    assert np.array_equal(patches(x[:90, :90]), x[:90, :90])


def test_estimates_find_what_the_whole_takes(repository):
    """Of a photograph and of a halftone, by the fixed predictor."""
    pixels = bbans.images.read_image(repository / "samples" / "tea-gardens.png").pixels
    for image in (pixels, halftone(pixels[:512, :, 1])[:, :, None]):
        view = views.View(image, container.format_of(image.shape[2], 8, palette=False))
        found = estimates(predicted(view, None))
        actual = len(bbans.compress(image.squeeze(), model="none", model_only=True))
        assert found.model == pytest.approx(actual, rel=0.2)
    assert found.library < 0.3 * found.model


def test_jpegxl_of_another_size_is_refused_before_it_is_decoded():
    payload = encode_jpegxl(smooth_image(40, 50))
    for shape, channels, depth in (((40, 51), 3, 8), ((40, 50), 1, 8), ((40, 50), 3, 16)):
        with pytest.raises(FormatError):
            decode_jpegxl(payload, shape, channels, depth)
    for cut in (0, 1, 5, 100):
        with pytest.raises(FormatError):
            decode_jpegxl(payload[:cut], (40, 50), 3, 8)


def test_a_transform_cannot_be_claimed_of_another_format():
    x = smooth_image(40, 50)[:, :, :1].repeat(3, 2)
    view = list(views.views(x, container.FORMATS[1]))[1]
    stored = container.TilePart(container.STORED, 1, container.to_raw(view.samples, 8))
    (part,) = view.parts_of_tile(3, [stored])
    assert part.transform.steps & MERGED
    record = container.TileRecord((part,), container.pixels_crc(x))
    file = container.Container(50, 40, 1, 50, 40, container.NO_MODEL, (), (record,))
    container.write(file)
    for wrong in ({"merged": (0, 0, 1)}, {"pixel_format": 4}, {"steps": DIFFERENCES}):
        changed = replace(part, transform=replace(part.transform, **wrong))
        with pytest.raises(FormatError):
            container.write(replace(file, tiles=(replace(record, parts=(changed,)),)))
