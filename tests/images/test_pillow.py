"""Pillow's images to ours and back: modes, palettes, both kinds of transparency."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
import PIL.Image
import pytest

from bbans.errors import UnsupportedImageError
from bbans.images import PngChunk, from_pillow, make_image, read_image, to_pillow
from tests.images.makers import (
    MODES,
    assert_same,
    encode,
    make,
    make_png,
    palette,
    samples,
    written,
)

NAMES = {
    (1, 1): "1",
    (2, 1): "L",
    (4, 1): "L",
    (8, 1): "L",
    (8, 2): "LA",
    (8, 3): "RGB",
    (8, 4): "RGBA",
    (16, 1): "I;16",
}


@pytest.mark.parametrize("mode", MODES)
def test_modes(mode: tuple[int, int, bool]) -> None:
    depth, channels, indexed = mode
    image = make(*mode)
    if depth == 16 and channels > 1:
        with pytest.raises(UnsupportedImageError, match="array of pixels"):
            to_pillow(image)
        return
    pillow = to_pillow(image)
    assert pillow.mode == ("P" if indexed else NAMES[depth, channels])
    back = from_pillow(pillow)
    if indexed:
        assert back.bit_depth == 8 and back.palette
        np.testing.assert_array_equal(back.pixels, image.pixels)
        assert back.metadata == image.metadata
    elif depth in (2, 4):  # Pillow has no such depth: the same levels in 8 bits
        np.testing.assert_array_equal(back.pixels, image.pixels * (255 // (2**depth - 1)))
    else:
        assert_same(back, image)


@pytest.mark.parametrize(
    ("mode", "alpha"),
    [
        ((1, 1, False), 2),
        ((8, 1, False), 2),
        ((16, 1, False), 2),
        ((8, 3, False), 6),
        ((8, 1, True), 1),
        ((8, 1, True), 200),
    ],
)
def test_transparency(mode: tuple[int, int, bool], alpha: int) -> None:
    payload = b"\0\1" if alpha == 2 else bytes(range(alpha))
    image = make(*mode, extra=(PngChunk("tRNS", payload),))
    assert_same(from_pillow(to_pillow(image)), image)
    with PIL.Image.open(BytesIO(written(image))) as opened:
        assert_same(from_pillow(opened), image)


@pytest.mark.parametrize("depth", [2, 4])
def test_a_transparent_level_is_scaled_with_the_samples(depth: int) -> None:
    image = make(depth, extra=(PngChunk("tRNS", b"\0\2"),))
    scale = 255 // (2**depth - 1)
    assert to_pillow(image).info["transparency"] == 2 * scale
    with PIL.Image.open(BytesIO(written(image))) as opened:
        for found in (from_pillow(opened), from_pillow(to_pillow(image))):
            assert_same(
                found,
                make_image(
                    image.pixels * np.uint8(scale), (PngChunk("tRNS", bytes([0, 2 * scale])),)
                ),
            )


def test_a_transparent_index_and_an_alpha_in_the_palette() -> None:
    gif = encode(PIL.Image.fromarray(samples(8, 3)).quantize(6), "GIF", transparency=3)
    with PIL.Image.open(BytesIO(gif)) as opened:
        image = from_pillow(opened)
    assert image.palette and image.metadata[1] == PngChunk("tRNS", b"\xff\xff\xff\0")
    source = PIL.Image.frombytes("P", (7, 5), samples(2).tobytes())
    colours = bytes(range(12))
    source.putpalette(bytes(16), "RGBA")
    assert from_pillow(source).metadata == (PngChunk("PLTE", bytes(12)), PngChunk("tRNS", bytes(4)))
    source.putpalette(colours)
    source.info["transparency"] = 5  # of a colour that the palette has not
    assert from_pillow(source).metadata == (
        PngChunk("PLTE", colours + bytes(6)),
        PngChunk("tRNS", b"\xff" * 5 + b"\0"),
    )
    source.info["transparency"] = b"\xff\xff"
    assert from_pillow(source).metadata == (PngChunk("PLTE", colours),)


@pytest.mark.parametrize(
    ("mode", "value"),
    [("L", b"\0"), ("RGB", 5), ("RGB", (1, 2)), ("L", -1), ("RGB", (1, 2, 70000)), ("L", "x")],
)
def test_strange_transparency_is_refused(mode: str, value: Any) -> None:
    source = PIL.Image.new(mode, (2, 2))
    source.info["transparency"] = value
    with pytest.raises(UnsupportedImageError, match=f"mode {mode}"):
        from_pillow(source)


def test_alpha_goes_before_what_is_left_of_a_transparent_colour() -> None:
    source = PIL.Image.new("RGBA", (2, 2))
    source.info["transparency"] = (1, 2, 3)
    assert from_pillow(source).metadata == ()


@pytest.mark.parametrize(
    "mode", ["PA", "RGBX", "La", "RGBa", "CMYK", "YCbCr", "LAB", "HSV", "I", "F"]
)
def test_other_modes_are_refused(mode: str) -> None:
    with pytest.raises(UnsupportedImageError, match=f"mode {mode}"):
        from_pillow(PIL.Image.new(mode, (2, 2)))


@pytest.mark.parametrize("colour", [2, 4, 6])
def test_files_of_which_pillow_drops_half_are_refused(colour: int) -> None:
    data = make_png(1, 1, 16, colour, bytes(9)[: 1 + 2 * {2: 3, 4: 2, 6: 4}[colour]])
    with (
        PIL.Image.open(BytesIO(data)) as opened,
        pytest.raises(UnsupportedImageError, match="read_image"),
    ):
        from_pillow(opened)


def test_16_bit_grey_of_either_byte_order() -> None:
    pixels = samples(16)
    for kind, mode in (("PNG", "I;16"), ("TIFF", "I;16")):
        with PIL.Image.open(BytesIO(encode(PIL.Image.fromarray(pixels), kind))) as opened:
            assert opened.mode == mode
            assert_same(from_pillow(opened), make_image(pixels, (), 16))
    big = PIL.Image.frombytes("I;16B", (7, 5), pixels.astype(">u2").tobytes())
    assert_same(from_pillow(big), make_image(pixels, (), 16))


def test_pillow_reads_what_is_written() -> None:
    chunks = (palette(4), PngChunk("tRNS", b"\0\x80"))
    image = make_image(samples(2), chunks, 2, True)
    with PIL.Image.open(BytesIO(written(image))) as opened:
        ours, theirs = to_pillow(read_image(written(image))), opened
        np.testing.assert_array_equal(
            np.array(ours.convert("RGBA")), np.array(theirs.convert("RGBA"))
        )


def test_files_that_pillow_holds_in_part_are_refused() -> None:
    pages = encode(
        PIL.Image.new("L", (2, 2)),
        "TIFF",
        save_all=True,
        append_images=[PIL.Image.new("L", (2, 2))],
    )
    signed = encode(PIL.Image.new("L", (2, 2)), "TIFF", tiffinfo={339: 2})
    for data, words in ((pages, "several frames"), (signed, "SampleFormat 2")):
        with (
            PIL.Image.open(BytesIO(data)) as opened,
            pytest.raises(UnsupportedImageError, match=words),
        ):
            from_pillow(opened)
