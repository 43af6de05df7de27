"""Every mode and depth: what an image may be, and that PNG, TIFF, PPM, NPY, WebP and BMP give it
back or say that they cannot.
"""

from __future__ import annotations

import struct
from io import BytesIO
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bbans.errors import InputError, OutputError
from bbans.images import Image, PngChunk, from_array, make_image, read_image, write_image
from bbans.images.formats import png
from tests.images.makers import (
    MODES,
    assert_same,
    make,
    make_png,
    palette,
    png_chunk,
    samples,
    written,
)

# What each format holds besides PNG, which holds all: depth, channels, palette.
HELD = {
    "TIFF": MODES,
    "PPM": [mode for mode in MODES if not mode[2]],
    "NPY": [mode for mode in MODES if mode[0] >= 8 and not mode[2]],
    "WEBP": [(8, 3, False), (8, 4, False)],
    "BMP": [(1, 1, False), (8, 1, False), (8, 1, True), (8, 3, False)],
}


@st.composite
def images(draw: st.DrawFn, modes: list[tuple[int, int, bool]]) -> Image:
    depth, channels, indexed = draw(st.sampled_from(modes))
    height, width, seed = (
        draw(st.integers(1, 9)),
        draw(st.integers(1, 19)),
        draw(st.integers(0, 99)),
    )
    chunks: tuple[PngChunk, ...] = ()
    if indexed:
        chunks = (palette(draw(st.integers(1, 2**depth)), seed),)
    return make_image(samples(depth, channels, height, width, seed), chunks, depth, indexed)


@given(images(MODES), st.binary(min_size=6, max_size=6), st.booleans())
def test_png_gives_every_image_back(image: Image, alphas: bytes, transparent: bool) -> None:
    channels = 1 if image.pixels.ndim == 2 else image.pixels.shape[2]
    size = (
        min(6, len(image.metadata[0].payload) // 3)
        if image.palette
        else {1: 2, 3: 6}.get(channels, 0)
    )
    if transparent and size:
        image = make_image(
            image.pixels,
            (*image.metadata, PngChunk("tRNS", alphas[:size])),
            image.bit_depth,
            image.palette,
        )
    assert_same(read_image(written(image)), image)


@given(images(HELD["PPM"]), images(HELD["NPY"]), images(HELD["WEBP"]))
def test_pnm_npy_and_webp_give_images_back(pnm: Image, npy: Image, webp: Image) -> None:
    for image, kind in ((pnm, "PPM"), (npy, "NPY"), (webp, "WEBP")):
        back = read_image(written(image, kind))
        if (
            kind == "WEBP"
            and image.pixels.ndim == 3
            and back.pixels.shape[2] < image.pixels.shape[2]
        ):
            assert (
                image.pixels[:, :, 3] == 255
            ).all()  # an alpha that hides nothing is left out by the encoder
            continue
        assert_same(back, image)


@given(images(HELD["TIFF"]), images(HELD["BMP"]))
def test_tiff_and_bmp_give_images_back(tiff: Image, bmp: Image) -> None:
    for image, kind in ((tiff, "TIFF"), (bmp, "BMP")):
        back = read_image(written(image, kind))
        assert_same(back, image, metadata=False)
        if image.palette:  # these formats fill their palettes up with black
            (chunk,) = back.metadata
            assert chunk.payload == image.metadata[0].payload.ljust(len(chunk.payload), b"\0")


@pytest.mark.parametrize("kind", HELD)
def test_a_format_that_cannot_hold_an_image_says_which_can(kind: str) -> None:
    widened = [(8, 1, False), (8, 2, False)] if kind == "WEBP" else []
    for mode in MODES:
        if mode not in HELD[kind] + widened:
            with pytest.raises(OutputError, match="choose PNG"):
                written(make(*mode), kind)
    for channels, size in ((1, 2), (3, 6)):
        with pytest.raises(OutputError, match="choose PNG"):
            written(make(8, channels, extra=(PngChunk("tRNS", bytes(size)),)), kind)


def test_webp_widens_grey() -> None:
    for channels in (1, 2):
        grey = make(8, channels)
        alpha = (grey.pixels[:, :, 1:],) if channels == 2 else ()
        wide = np.concatenate(
            [grey.pixels.reshape(5, 7, channels)[:, :, :1]] * 3 + list(alpha), axis=2
        )
        np.testing.assert_array_equal(read_image(written(grey, "WEBP")).pixels, wide)


def test_samples_under_transparent_pixels_survive() -> None:
    for channels, kinds in (
        (4, ("PNG", "WEBP", "TIFF", "PPM", "NPY")),
        (2, ("PNG", "TIFF", "PPM", "NPY")),
    ):
        pixels = samples(8, channels, 20, 20)
        pixels[::2, :, -1] = 0
        for kind in kinds:
            np.testing.assert_array_equal(
                read_image(written(from_array(pixels), kind)).pixels, pixels
            )


@pytest.mark.parametrize("mode", [mode for mode in MODES if mode[0] >= 8 and not mode[2]])
def test_another_reader_sees_the_same_png(mode: tuple[int, int, bool]) -> None:
    image = make(*mode, height=30, width=40)
    np.testing.assert_array_equal(imagecodecs.png_decode(written(image)), image.pixels, strict=True)


@pytest.mark.parametrize("mode", [mode for mode in MODES if mode[0] < 8 or mode[2]])
def test_another_reader_sees_the_same_levels_and_colours(mode: tuple[int, int, bool]) -> None:
    image = make(*mode, height=30, width=41)
    found = imagecodecs.png_decode(written(image))
    if image.palette:
        expected = np.frombuffer(image.metadata[0].payload, np.uint8).reshape(-1, 3)[image.pixels]
    else:
        expected = image.pixels * np.uint8(255 // (2**image.bit_depth - 1))
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (5, 6), (13, 16)])
def test_interlaced_png_of_every_mode(
    mode: tuple[int, int, bool], shape: tuple[int, int], capfd: pytest.CaptureFixture[str]
) -> None:
    depth, channels, indexed = mode
    image = make(*mode, *shape)
    colour = png.PALETTE if indexed else {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    rows = b"".join(
        b"\0" + row_of(row, depth)
        for top, left, down, right in png.ADAM7
        for row in image.pixels[top::down, left::right]
        if row.size
    )
    plain = make_png(
        shape[1],
        shape[0],
        depth,
        colour,
        rows,
        *((chunk.kind, chunk.payload) for chunk in image.metadata),
    )
    data = plain[:8] + png_chunk("IHDR", plain[16:28] + b"\1") + plain[33:]
    assert_same(read_image(data), image)
    assert capfd.readouterr().err == ""


def row_of(row: NDArray[Any], depth: int) -> bytes:
    """The bytes of a row, bit by bit."""
    if depth == 16:
        return row.astype(">u2").tobytes()
    digits = "".join(f"{int(sample):0{depth}b}" for sample in row.reshape(-1))
    return bytes(int(digits[at : at + 8].ljust(8, "0"), 2) for at in range(0, len(digits), 8))


def test_indices_beyond_the_palette_are_carried() -> None:
    image = make_image(samples(4), (palette(3),), 4, True)
    assert image.pixels.max() > 2
    assert_same(read_image(written(image)), image)


def test_palettes_keep_their_order_among_the_chunks() -> None:
    chunks = (
        PngChunk("gAMA", struct.pack(">I", 45455)),
        PngChunk("sBIT", b"\5\6\5"),
        palette(5),
        PngChunk("hIST", bytes(10)),
        PngChunk("tRNS", b"\0\x80"),
        PngChunk("bKGD", b"\1"),
        PngChunk("tEXt", b"Title\0palette", after_pixels=True),
    )
    image = make_image(samples(2), chunks, 2, True)
    assert_same(read_image(written(image)), image)


GREY, RGB, INDICES = samples(8), samples(8, 3), samples(2)


@pytest.mark.parametrize(
    ("pixels", "metadata", "depth", "indexed", "words"),
    [
        (GREY, (), 3, False, "bit depth"),
        (GREY, (), 0, False, "bit depth"),
        (GREY, (), 16, False, "uint16"),
        (samples(16), (), 8, False, "uint8"),
        (GREY.astype(np.float32), (), 8, False, "uint8"),
        (GREY[0], (), 8, False, "shape"),
        (GREY[:, :, None], (), 8, False, "shape"),
        (GREY[:0], (), 8, False, "one pixel"),
        (np.zeros((2, 2, 5), np.uint8), (), 8, False, "shape"),
        (INDICES, (), 1, False, "samples of 1 bits were expected, found 3"),
        (RGB, (), 4, False, "4-bit samples have shape"),
        (RGB, (palette(256),), 8, True, "palette indices have shape"),
        (samples(16), (palette(256),), 16, True, "1, 2, 4 or 8 bits"),
        (INDICES, (), 2, True, "found none"),
        (
            INDICES,
            (PngChunk("PLTE", palette(4).payload, after_pixels=True),),
            2,
            True,
            "before its pixels",
        ),
        (INDICES, (palette(4), palette(4)), 2, True, "at most one PLTE"),
        (INDICES, (PngChunk("PLTE", b""),), 2, True, "found 0 bytes"),
        (INDICES, (PngChunk("PLTE", bytes(4)),), 2, True, "found 4 bytes"),
        (INDICES, (palette(257),), 2, True, "found 771 bytes"),
        (INDICES, (palette(4), PngChunk("tRNS", bytes(5))), 2, True, "1 to 4 bytes"),
        (INDICES, (palette(4), PngChunk("tRNS", b"")), 2, True, "1 to 4 bytes"),
        (INDICES, (PngChunk("tRNS", bytes(2)), palette(4)), 2, True, "after PLTE"),
        (
            INDICES,
            (palette(4), PngChunk("tRNS", b"1", after_pixels=True)),
            2,
            True,
            "before its pixels",
        ),
        (GREY, (PngChunk("tRNS", bytes(6)),), 8, False, "of 2 bytes"),
        (RGB, (PngChunk("tRNS", bytes(2)),), 8, False, "of 6 bytes"),
        (
            RGB,
            (PngChunk("tRNS", bytes(6)), PngChunk("tRNS", bytes(6))),
            8,
            False,
            "at most one tRNS",
        ),
        (samples(8, 4), (PngChunk("tRNS", bytes(6)),), 8, False, "strip its tRNS"),
        (samples(16, 2), (PngChunk("tRNS", bytes(2)),), 16, False, "strip its tRNS"),
    ],
)
def test_parts_that_do_not_fit(
    pixels: NDArray[Any], metadata: tuple[PngChunk, ...], depth: int, indexed: bool, words: str
) -> None:
    with pytest.raises(InputError, match=words) as caught:
        make_image(pixels, metadata, depth, indexed)
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match=words):
        write_image(Image(pixels, metadata, depth, indexed), BytesIO())


def test_from_array_takes_8_and_16_bits_of_any_byte_order() -> None:
    for depth in (8, 16):
        for channels in (1, 2, 3, 4):
            pixels = samples(depth, channels)
            for view in (
                pixels,
                np.asfortranarray(pixels),
                pixels.astype(pixels.dtype.newbyteorder("S")),
            ):
                assert_same(from_array(view), Image(pixels, (), depth))
    with pytest.raises(InputError, match="transparent colour"):
        from_array(GREY, (PngChunk("tRNS", b""),))


def test_wide_16_bit_images_are_not_written_as_png() -> None:
    with pytest.raises(OutputError, match="choose TIFF or NPY"):
        written(from_array(np.zeros((1, 10**6 + 1), np.uint16)))


def test_an_unfiltered_png_of_many_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bbans.images.formats.png_pixels.BLOCK", 20)
    assert_same(read_image(written(make(2, 1, True, 9, 7))), make(2, 1, True, 9, 7))


def pngsuite(shared: Path, invalid: bool) -> list[Path]:
    return [
        path
        for path in sorted((shared / "data" / "pngsuite").glob("*.png"))
        if path.stem.startswith("x") == invalid
    ]


@pytest.mark.shared
def test_pngsuite_comes_back(shared: Path) -> None:
    """Every valid file, with its depth, its colour type and its chunks, and the samples that other
    readers see.
    """
    paths = pngsuite(shared, False)
    assert len(paths) > 150
    for path in paths:
        data = path.read_bytes()
        image = read_image(data)
        header = png.check_supported(png.chunks(data))
        assert (image.bit_depth, image.palette) == (header.depth, header.colour == png.PALETTE), (
            path.name
        )
        again = written(image)
        assert_same(read_image(again), image)
        assert png.check_supported(png.chunks(again)) == header._replace(interlaced=0), path.name
        others = [part for part in png.chunks(data) if part[0] not in png.STRUCTURE]
        assert [part for part in png.chunks(again) if part[0] not in png.STRUCTURE] == others, (
            path.name
        )
        np.testing.assert_array_equal(image.pixels, other_reader(data, image), path.name)


def other_reader(data: bytes, image: Image) -> NDArray[Any]:
    """libpng's samples without the alpha that it makes of tRNS; for indices and small depths
    Pillow's, without its scale.
    """
    if image.bit_depth >= 8 and not image.palette:
        found = np.asarray(imagecodecs.png_decode(data))
        if found.ndim > image.pixels.ndim:
            return found[:, :, 0]
        return found if found.ndim == 2 else found[:, :, : image.pixels.shape[2]]
    with PIL.Image.open(BytesIO(data)) as opened:
        return np.array(opened).astype(np.uint8) // (
            1 if image.palette or opened.mode == "1" else 255 // (2**image.bit_depth - 1)
        )


@pytest.mark.shared
def test_pngsuite_invalid_files_are_damaged(shared: Path) -> None:
    paths = pngsuite(shared, True)
    assert len(paths) > 10
    for path in paths:
        with pytest.raises(InputError) as caught:
            read_image(path)
        assert type(caught.value) is InputError, path.name
