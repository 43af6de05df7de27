"""Writing: every chunk of a PNG comes back in its place, other formats keep what they have room
for.
"""

from __future__ import annotations

from io import BytesIO

import numpy as np
import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from PIL import ImageCms
from PIL.PngImagePlugin import PngInfo

from bbans.errors import InputError, OutputError, UnsupportedImageError
from bbans.images import Image, PngChunk, from_array, from_pillow, read_image, to_pillow
from bbans.images.formats import png
from tests.images.makers import ALL_CHUNKS, encode, grey, itxt, make_png, rgb, written

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def exif() -> PIL.Image.Exif:
    tags = PIL.Image.Exif()
    tags[0x010F] = "Maker"
    tags.get_ifd(0x8769)[0x9003] = "2020:01:01 00:00:00"
    return tags


def kinds(image: Image) -> set[str]:
    return {chunk.kind for chunk in image.metadata}


shapes = st.one_of(
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
    st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3)),
)


@given(arrays(np.uint8, shapes), st.sampled_from(["PNG", "TIFF", "BMP", "PPM", "WEBP"]))
def test_any_array_comes_back(pixels: NDArray[np.uint8], kind: str) -> None:
    back = read_image(written(from_array(pixels), kind)).pixels
    expected = (
        np.repeat(pixels[:, :, None], 3, axis=2) if kind == "WEBP" and pixels.ndim == 2 else pixels
    )
    np.testing.assert_array_equal(back, expected)
    np.testing.assert_array_equal(from_pillow(to_pillow(Image(pixels))).pixels, pixels)


def test_every_chunk_comes_back_in_its_place() -> None:
    data = written(Image(rgb(), ALL_CHUNKS))
    image = read_image(data)
    assert image.metadata == ALL_CHUNKS
    np.testing.assert_array_equal(image.pixels, rgb())
    assert [part for part in png.chunks(written(image)) if part[0] != "IDAT"] == [
        part for part in png.chunks(data) if part[0] != "IDAT"
    ]
    with PIL.Image.open(BytesIO(data)) as opened:
        opened.load()
        assert opened.info["Author"].lang == "ru"
        assert opened.info["gamma"] == pytest.approx(0.45455)


def test_a_chunk_that_no_image_has_is_refused() -> None:
    for kind in ("IDAT", "IEND", "acTL", "ABCD", "abc", "abcde", "ab\xe9d", "1234"):
        with pytest.raises(InputError, match="cannot be added"):
            written(Image(grey(), (PngChunk(kind, b""),)))


@pytest.mark.parametrize("kind", ["WEBP", "TIFF", "JPEG", "PNG"])
def test_metadata_of_other_formats_becomes_chunks(kind: str) -> None:
    options = {
        "WEBP": {"lossless": True, "xmp": b"<x/>"},
        "JPEG": {"dpi": (300, 300), "xmp": b"<x/>"},
    }.get(kind, {"dpi": (300, 300)})
    block = exif().tobytes()
    data = encode(rgb(), kind, icc_profile=PROFILE, exif=block, **options)
    image = read_image(data, as_pixels=True)
    expected = (
        {"iCCP", "eXIf"}
        | ({"iTXt"} if "xmp" in options else set())
        | ({"pHYs"} if "dpi" in options else set())
    )
    assert kinds(image) == expected
    back = to_pillow(read_image(written(image)))
    assert back.info["icc_profile"] == PROFILE
    assert back.getexif()[0x010F] == "Maker"
    assert back.getexif().get_ifd(0x8769)[0x9003] == "2020:01:01 00:00:00"
    assert back.info.get("xmp") == options.get("xmp")
    if "dpi" in options:
        assert back.info["dpi"] == pytest.approx((300, 300), abs=0.01)
    if kind != "TIFF":
        assert back.info["exif"] == block
    with PIL.Image.open(BytesIO(data)) as opened:
        assert kinds(from_pillow(opened)) == expected


def test_a_tiff_without_metadata_gets_none() -> None:
    assert read_image(encode(rgb(), "TIFF")).metadata == ()


def test_xmp_of_a_tiff() -> None:
    assert (
        to_pillow(read_image(encode(rgb(), "TIFF", tiffinfo={700: b"<x/>"}))).info["xmp"] == b"<x/>"
    )


def test_other_formats_keep_what_they_can() -> None:
    image = read_image(
        encode(rgb(), "PNG", icc_profile=PROFILE, exif=exif().tobytes(), dpi=(300, 300))
    )
    assert kinds(image) == {"iCCP", "eXIf", "pHYs"}
    assert kinds(read_image(written(image, "TIFF"))) == {"iCCP", "eXIf", "pHYs"}
    assert kinds(read_image(written(image, "WEBP"))) == {"iCCP", "eXIf"}
    assert kinds(read_image(written(image, "BMP"))) == {"pHYs"}
    assert kinds(read_image(written(image, "ppm"))) == set()


def test_what_cannot_be_written_is_named() -> None:
    with pytest.raises(OutputError, match="JPEG is not written"):
        written(Image(rgb()), "JPEG")
    with pytest.raises(OutputError, match="WEBP"):
        written(Image(grey(1, 16384)), "WEBP")


def test_texts_of_a_pillow_png() -> None:
    extra = [
        ("tEXt", b"Title\0caf\xe9"),
        ("iTXt", itxt(b"Author", "Ж", b"ru", "Автор")),
        ("iTXt", itxt(b"XML:com.adobe.xmp", "<x/>")),
    ]
    with PIL.Image.open(BytesIO(make_png(1, 1, 8, 0, bytes(2), *extra))) as opened:
        assert set(from_pillow(opened).metadata) == {
            PngChunk(kind, payload) for kind, payload in extra
        }


def test_texts_without_a_language_become_the_simplest_chunk() -> None:
    texts = PngInfo()
    texts.add_text("Title", "café")
    texts.add_itxt("Author", "Ж")
    with PIL.Image.open(BytesIO(encode(grey(), "PNG", pnginfo=texts))) as opened:
        assert set(from_pillow(opened).metadata) == {
            PngChunk("tEXt", b"Title\0caf\xe9"),
            PngChunk("iTXt", itxt(b"Author", "Ж")),
        }


def test_damaged_chunks_are_carried_but_not_believed() -> None:
    chunks = (
        PngChunk("iCCP", b"x\0\0noise"),
        PngChunk("pHYs", b"short"),
        PngChunk("gAMA", b""),
        PngChunk("iTXt", b"XML:com.adobe.xmp\0\0"),
    )
    assert read_image(written(Image(rgb(), chunks))).metadata == chunks
    assert to_pillow(Image(rgb(), chunks)).info == {}
    for value in ((0, 0), (float("nan"), 1), None, "x", (1,)):
        source = PIL.Image.new("L", (1, 1))
        source.info["dpi"] = value
        assert from_pillow(source).metadata == ()


@pytest.mark.parametrize(
    ("array", "error"),
    [
        (np.zeros((2, 2), np.uint32), UnsupportedImageError),
        (np.zeros((2, 2), np.int32), UnsupportedImageError),
        (np.zeros((2, 2), complex), UnsupportedImageError),
        (np.zeros((2, 2), np.float32), UnsupportedImageError),
        (np.zeros((2, 2, 1), np.uint8), UnsupportedImageError),
        (np.zeros((2, 2, 5), np.uint8), InputError),
        (np.zeros((2,), np.uint8), InputError),
        (np.zeros((0, 2), np.uint8), InputError),
        (np.zeros((2, 2, 2, 2), np.uint8), InputError),
    ],
)
def test_other_arrays_are_refused(array: NDArray[np.generic], error: type[InputError]) -> None:
    with pytest.raises(error) as caught:
        from_array(array)
    assert type(caught.value) is error


def test_from_array_takes_any_memory_order() -> None:
    pixels = rgb()
    for view in (np.asfortranarray(pixels), pixels[::-1][::-1], pixels[:, :, ::-1][:, :, ::-1]):
        image = from_array(view)
        np.testing.assert_array_equal(image.pixels, pixels)
        assert image.pixels.flags.c_contiguous
