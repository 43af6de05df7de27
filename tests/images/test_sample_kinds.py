"""Samples that are more than unsigned numbers of all their bits: read from every format that has
them, written back as what they are, refused where a format has no place for them.
"""

from __future__ import annotations

import zlib
from dataclasses import replace
from io import BytesIO
from typing import Any

import imagecodecs
import numpy as np
import PIL.Image
import pytest
from numpy.typing import NDArray

from bbans.errors import InputError, OutputError, UnsupportedImageError
from bbans.images import (
    Image,
    PngChunk,
    SampleKind,
    as_image,
    coded_samples,
    default_format,
    from_array,
    make_image,
    read_image,
    same_image,
    to_pillow,
    without_metadata,
)
from bbans.images.formats.rows import pack_rows
from bbans.images.sample_kind import from_unsigned
from tests.images.makers import grey, written
from tests.images.test_tiff import made, raw

RNG = np.random.default_rng(0)


def numbers(bits: int, signed: bool, channels: int = 1) -> NDArray[Any]:
    """Samples of all values that so many bits have, the extremes among them."""
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    shape = (9, 13) if channels == 1 else (9, 13, channels)
    samples = np.random.default_rng(bits).integers(low, high, shape, endpoint=True)
    samples.reshape(-1)[:2] = low, high
    return samples.astype(f"{'i' if signed else 'u'}{1 if bits <= 8 else 2}")


def back(image: Image, kind: str | None = None) -> Image:
    return read_image(written(image, kind or default_format(image)))


def alike(a: Image, b: Image) -> bool:
    """Whether images are equal, tags of a TIFF, which only some kinds of files have, aside."""
    return same_image(replace(a, tiff=None), replace(b, tiff=None))


def assert_values(image: Image, expected: NDArray[Any]) -> None:
    np.testing.assert_array_equal(image.pixels, expected, strict=True)


# Arrays and NPY


@pytest.mark.parametrize("dtype", ["i1", "<i2", ">i2", "?"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_arrays_and_npy_keep_their_type(dtype: str, channels: int) -> None:
    samples = numbers(8 if dtype == "i1" else 16, True, channels)
    array = (samples > 9 if dtype == "?" else samples).astype(dtype)
    native = array.astype(array.dtype.newbyteorder("="))
    buffer = BytesIO()
    np.save(buffer, array)
    for image in (from_array(array), read_image(buffer.getvalue())):
        assert_values(image, native)
        assert same_image(back(image, "NPY"), image)
        assert same_image(without_metadata(image), image)
    assert from_array(array).bit_depth == {"i1": 8, "?": 1 if channels == 1 else 8}.get(dtype, 16)


def test_coded_samples_keep_their_order() -> None:
    samples = np.array([[-32768, -1, 0, 1, 32767]], np.int16)
    assert coded_samples(from_array(samples)).tolist() == [[0, 32767, 32768, 32769, 65535]]
    assert coded_samples(from_array(samples[:, 1:4].astype(np.int8))).tolist() == [[127, 128, 129]]
    assert coded_samples(from_array(np.array([[False, True]]))).tolist() == [[0, 1]]
    with pytest.raises(InputError, match="truth values are 0 or 1, found 2"):
        from_unsigned(np.array([2], np.uint8), SampleKind(boolean=True))


@pytest.mark.parametrize(
    ("pixels", "depth", "kind", "words"),
    [
        (np.zeros((2, 2), np.uint16), 16, SampleKind(largest=65535), "below 65535"),
        (np.zeros((2, 2), np.uint16), 16, SampleKind(largest=0), "below 65535"),
        (np.zeros((2, 2), np.int8), 8, SampleKind(True, largest=127), "below 127"),
        (np.full((2, 2), 9, np.uint8), 8, SampleKind(largest=8), "0 to 8 were expected, found 9"),
        (np.full((2, 2), -9, np.int8), 8, SampleKind(True, largest=7), "-8 to 7 .* found -9"),
        (np.zeros((2, 2), np.uint16), 16, SampleKind(signed=True), "of type int16, found uint16"),
        (np.zeros((2, 2), np.uint8), 1, SampleKind(boolean=True), "of type bool"),
        (np.zeros((2, 2), bool), 8, SampleKind(boolean=True), "1 bit"),
        (np.zeros((2, 2), np.uint8), 2, SampleKind(largest=2), "8 or 16 bits"),
        (
            np.zeros((2, 2), np.uint8),
            8,
            SampleKind(last_channel="premultiplied"),
            "2 or 4 channels",
        ),
        (np.zeros((2, 2, 2), np.uint8), 8, SampleKind(last_channel="depth"), "found 'depth'"),
    ],
)
def test_kinds_that_do_not_fit(
    pixels: NDArray[Any], depth: int, kind: SampleKind, words: str
) -> None:
    with pytest.raises(InputError, match=words):
        make_image(pixels, (), depth, samples=kind)


def test_kinds_beside_palettes_and_transparent_colours() -> None:
    with pytest.raises(InputError, match="palette"):
        make_image(grey(), (PngChunk("PLTE", bytes(768)),), 8, True, SampleKind(largest=9))
    with pytest.raises(InputError, match="transparent"):
        make_image(
            np.zeros((2, 2), np.int16),
            (PngChunk("tRNS", bytes(2)),),
            16,
            samples=SampleKind(signed=True),
        )


# PNM


@pytest.mark.parametrize("largest", [1, 2, 3, 7, 15, 100, 127, 254, 256, 1000, 4095, 65534])
@pytest.mark.parametrize("magic", [b"P2", b"P3", b"P5", b"P6", b"P7"])
def test_pnm_of_any_largest_value(magic: bytes, largest: int) -> None:
    channels = {b"P3": 3, b"P6": 3, b"P7": 2}.get(magic, 1)
    shape = (4, 5) if channels == 1 else (4, 5, channels)
    samples = RNG.integers(0, largest, shape, endpoint=True)
    samples.reshape(-1)[0] = largest
    array = samples.astype(np.uint8 if largest < 256 else np.uint16)
    body = (
        " ".join(map(str, array.reshape(-1))).encode()
        if magic in (b"P2", b"P3")
        else array.astype(">u2" if largest > 255 else "u1").tobytes()
    )
    head = b"%s\n5 4\n%d\n" % (magic, largest)
    if magic == b"P7":
        fields = b"WIDTH 5\nHEIGHT 4\nDEPTH 2\nMAXVAL %d\nTUPLTYPE GRAYSCALE_ALPHA" % largest
        head = b"P7\n" + fields + b"\nENDHDR\n"
    image = read_image(head + body)
    assert_values(image, array)
    packed = channels == 1 and largest in (1, 3, 15)
    assert image.samples.largest == (None if packed else largest)
    assert default_format(image) == ("PNG" if packed else "PPM")
    assert same_image(back(image, "PPM"), image)
    if magic in (b"P5", b"P6") and largest > 1:
        assert written(image, "PPM") == head + body
    # not scaled, whatever the format
    assert_values(read_image(written(image, "PNG")), array)
    with pytest.raises(InputError, match=f"0 to {largest} were expected"):
        above = array.astype(np.int64)
        above.reshape(-1)[1] = largest + 1
        text = " ".join(map(str, above.reshape(-1))).encode()
        deep = above.astype(">u2" if largest > 255 else "u1").tobytes()
        read_image(head + (text if magic in (b"P2", b"P3") else deep))


# TIFF


@pytest.mark.parametrize("bits", range(9, 16))
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("options", [{}, {"rowsperstrip": 2}, {"tile": (16, 16)}], ids=str)
def test_tiff_of_nine_to_fifteen_bits(bits: int, channels: int, options: dict[str, Any]) -> None:
    array = numbers(bits, False, channels)
    colours: dict[str, Any] = (
        {"photometric": "minisblack"}
        if channels == 1
        else {"photometric": "rgb", "planarconfig": "contig"}
    )
    image = read_image(made(array, bitspersample=bits, metadata=None, **colours, **options))
    assert_values(image, array)
    assert (image.bit_depth, image.samples.largest) == (16, 2**bits - 1)
    assert same_image(back(image, "TIFF"), image)
    if channels == 3:
        planes = np.ascontiguousarray(np.moveaxis(array, -1, 0))
        apart = {**colours, "planarconfig": "separate"}
        data = made(planes, bitspersample=bits, metadata=None, **apart, **options)
        assert same_image(read_image(data), image)


@pytest.mark.parametrize("bits", [9, 10, 12, 15])
@pytest.mark.parametrize("compression", [1, 5, 8])
@pytest.mark.parametrize("byte_order", "<>")
@pytest.mark.parametrize("white_is_zero", [False, True])
def test_packed_tiff_compressed(
    bits: int, compression: int, byte_order: str, white_is_zero: bool
) -> None:
    array = numbers(bits, False)
    rows = pack_rows(array, bits).tobytes()
    coded = {1: bytes, 5: imagecodecs.lzw_encode, 8: zlib.compress}[compression](rows)
    tags = {
        256: (13,),
        257: (9,),
        258: (bits,),
        259: (compression,),
        262: (int(not white_is_zero),),
    }
    image = read_image(raw(tags, bytes(coded), byte_order))
    assert_values(image, 2**bits - 1 - array if white_is_zero else array)


def test_packbits_of_packed_samples_is_refused() -> None:
    """libtiff reads them row by row and drops what a run has beyond its row, without an error."""
    packed = bytes(imagecodecs.packbits_encode(pack_rows(numbers(12, False), 12).tobytes()))
    with pytest.raises(UnsupportedImageError, match="12 bits compressed by PackBits"):
        read_image(raw({256: (13,), 257: (9,), 258: (12,), 259: (32773,), 262: (1,)}, packed))


@pytest.mark.parametrize("bits", [8, 9, 12, 15, 16])
@pytest.mark.parametrize("channels", [1, 3])
def test_signed_tiff(bits: int, channels: int) -> None:
    array = numbers(bits, True, channels)
    tags = {256: (13,), 257: (9,), 258: (bits,) * channels, 277: (channels,)}
    tags |= {262: (1 if channels == 1 else 2,), 339: (2,) * channels}
    for order in "<>":
        rows = array.astype(f"{order}i2") if bits == 16 else pack_rows(array, bits)
        image = read_image(raw(tags, rows.tobytes(), order))
        assert_values(image, array)
        assert image.samples.signed
        assert same_image(back(image), image)
    tifffile = pytest.importorskip("tifffile")
    if bits in (8, 16):
        photometric = "minisblack" if channels == 1 else "rgb"
        for options in ({}, {"compression": "zlib", "predictor": True}, {"tile": (16, 16)}):
            data = made(array, photometric=photometric, metadata=None, **options)
            assert_values(read_image(data), array)
        seen = tifffile.imread(BytesIO(written(image, "TIFF")))
        np.testing.assert_array_equal(seen, array, strict=True)


@pytest.mark.parametrize("dtype", ["u1", "u2", "i2"])
@pytest.mark.parametrize("channels", [2, 4])
@pytest.mark.parametrize(
    ("name", "number", "kind"),
    [
        ("unspecified", 0, "unspecified"),
        ("assocalpha", 1, "premultiplied"),
        ("unassalpha", 2, "alpha"),
    ],
)
def test_a_channel_after_the_colours(
    dtype: str, channels: int, name: str, number: int, kind: str
) -> None:
    tifffile = pytest.importorskip("tifffile")
    array = RNG.integers(0, 100, (9, 13, channels)).astype(dtype)
    photometric = "rgb" if channels == 4 else "minisblack"
    options = {"photometric": photometric, "extrasamples": [name], "planarconfig": "contig"}
    image = read_image(made(array, metadata=None, **options))
    assert_values(image, array)
    assert image.samples.last_channel == kind
    assert alike(back(image), image)
    with tifffile.TiffFile(BytesIO(written(image, "TIFF"))) as opened:
        (page,) = opened.pages
        assert [int(extra) for extra in page.extrasamples] == [number]
        np.testing.assert_array_equal(page.asarray(), array, strict=True)


# JPEG 2000 and JPEG-LS


@pytest.mark.parametrize("bits", range(1, 17))
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg_2000_of_any_depth(bits: int, signed: bool, channels: int) -> None:
    if signed and bits < 3:
        pytest.skip("OpenJPEG does not write signed samples of 1 or 2 bits")
    array = numbers(bits, signed, channels)
    data = bytes(
        imagecodecs.jpeg2k_encode(array, 0, reversible=True, bitspersample=bits, codecformat="j2k")
    )
    image = read_image(data)
    assert_values(image, array)
    assert image.samples.signed == signed
    if signed and bits < 8:  # TIFF keeps 9 bits and more
        assert_values(back(image), array)
    else:
        assert alike(back(image), image)


def test_jpeg_ls_is_not_taken_for_a_jpeg() -> None:
    """A decoder of it is at hand, but takes minutes over some files that are cut off."""
    data = bytes(imagecodecs.jpegls_encode(grey(20, 30)))
    comment = data[:2] + b"\xff\xfe\0\4ab" + data[2:]
    for file in (data, comment):
        for as_pixels in (False, True):
            with pytest.raises(UnsupportedImageError, match="format JPEG-LS is not read"):
                read_image(file, as_pixels=as_pixels)


# Formats without a place for them, Pillow


@pytest.mark.parametrize("kind", ["PNG", "PPM", "BMP", "WEBP"])
def test_what_only_tiff_and_npy_hold(kind: str) -> None:
    premultiplied = SampleKind(last_channel="premultiplied")
    for image, words in (
        (from_array(np.zeros((2, 3), np.int8)), "signed samples"),
        (make_image(np.zeros((2, 3, 4), np.uint8), samples=premultiplied), "premultiplied"),
    ):
        with pytest.raises(OutputError, match=f"{kind} cannot hold .*{words}.*: choose TIFF"):
            written(image, kind)
        assert default_format(image) == "TIFF"


def test_truth_values_in_formats_of_numbers() -> None:
    bits = from_array(grey() > 99)
    assert default_format(bits) == "PNG"
    for kind in ("PNG", "TIFF", "PPM", "BMP"):
        assert_values(read_image(written(bits, kind)), bits.pixels.astype(np.uint8))
    several = from_array(RNG.random((3, 4, 3)) > 0.5)
    assert default_format(several) == "NPY"
    assert_values(read_image(written(several, "PNG")), several.pixels.astype(np.uint8))


def test_pillow_gets_the_values() -> None:
    signed = numbers(16, True)
    assert to_pillow(from_array(signed)).mode == "I"
    np.testing.assert_array_equal(np.asarray(to_pillow(from_array(signed))), signed)
    twelve = make_image(numbers(12, False), (), 16, samples=SampleKind(largest=4095))
    np.testing.assert_array_equal(np.asarray(to_pillow(twelve)), twelve.pixels)
    for channels, last, mode in (
        (2, "premultiplied", "La"),
        (4, "premultiplied", "RGBa"),
        (4, "unspecified", "RGBX"),
    ):
        image = make_image(numbers(8, False, channels), samples=SampleKind(last_channel=last))
        made_image = to_pillow(image)
        assert (made_image.mode, made_image.tobytes()) == (mode, image.pixels.tobytes())
    for array, kind in (
        (numbers(8, True, 3), SampleKind(signed=True)),
        (numbers(8, False, 2), SampleKind(last_channel="unspecified")),
    ):
        with pytest.raises(UnsupportedImageError, match="take the array"):
            to_pillow(make_image(array, samples=kind))
    assert to_pillow(from_array(grey() > 9)).mode == "1"


class Tensor:
    """What a tensor looks like from outside."""


Tensor.__module__ = "torch"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("photo.png", r"the path 'photo.png': use compress_file, or images.read_image"),
        (b"\x89PNG", "bytes: pass the bytes of an image file through images.read_image"),
        (Tensor(), r"a torch Tensor: pass x.cpu\(\).numpy\(\), with channels last"),
        ([[1, 2]], "list: make a numpy array of it"),
        (np.zeros((2, 2), np.float16), "float16.*numcodecs"),
    ],
)
def test_what_is_no_image_says_what_to_do(given: Any, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        as_image(given)
    assert "\n" not in str(caught.value)


def test_pillow_images_are_still_images() -> None:
    assert_values(as_image(PIL.Image.fromarray(grey())), grey())
