"""Reading: the pixels of what is coded, a named error of one line for everything else."""

from __future__ import annotations

import os
import struct
import warnings
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from numpy.typing import NDArray

from bbans.errors import InputError, JpegInputError, UnsupportedImageError
from bbans.images import read_image
from bbans.images.formats import png
from tests.images.makers import encode, grey, make_png, png_chunk, rgb, samples

# The pixels of other modes are tested in test_modes.py, those of TIFF, PNM, BMP and JPEG 2000 in
# files of their own.
LOSSLESS: list[tuple[str, dict[str, Any]]] = [
    ("PNG", {}),
    ("WEBP", {"lossless": True}),
    ("TIFF", {}),
    ("TIFF", {"compression": "tiff_lzw"}),
    ("TIFF", {"compression": "tiff_adobe_deflate"}),
    ("BMP", {}),
    ("PPM", {}),
]


@pytest.mark.parametrize(("kind", "options"), LOSSLESS)
@pytest.mark.parametrize("shape", [(1, 1), (1, 13), (13, 1), (17, 31)])
def test_pixels_come_as_they_are(
    kind: str, options: dict[str, Any], shape: tuple[int, int], tmp_path: Path
) -> None:
    path = tmp_path / "image.dat"  # the name does not matter
    for pixels in (rgb(*shape), grey(*shape)):
        data = encode(pixels, kind, **options)
        path.write_bytes(data)
        expected = (
            np.repeat(pixels[:, :, None], 3, axis=2)
            if kind == "WEBP" and pixels.ndim == 2
            else pixels
        )
        for source in (data, path, str(path)):
            np.testing.assert_array_equal(read_image(source).pixels, expected)


def test_plain_text_pnm() -> None:
    np.testing.assert_array_equal(
        read_image(b"P2 # a comment\n3 1\n255\n0 7 255\n").pixels, [[0, 7, 255]]
    )


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (5, 6), (13, 16)])
def test_interlaced_png(shape: tuple[int, int]) -> None:
    for pixels in (grey(*shape), rgb(*shape)):
        passes = [pixels[top::down, left::right] for top, left, down, right in png.ADAM7]
        rows = b"".join(b"\0" + row.tobytes() for part in passes if part.shape[1] for row in part)
        for size, complete in ((len(rows), True), (len(rows) - 1, False)):
            plain = make_png(shape[1], shape[0], 8, 0 if pixels.ndim == 2 else 2, rows[:size])
            data = plain[:8] + png_chunk("IHDR", plain[16:28] + b"\1") + plain[33:]
            if complete:
                np.testing.assert_array_equal(read_image(data).pixels, pixels)
            else:
                with pytest.raises(InputError, match="1 bytes of its pixels are missing"):
                    read_image(data)


@pytest.mark.parametrize("rest", [-259, -2, -1, 0, 1, 2, 257, 258, 259, 1000])
def test_pixels_that_end_near_a_piece(rest: int) -> None:
    """zlib holds back the end of a long match when a piece is full."""
    width = png.PIECE - 1 + rest
    assert read_image(make_png(width, 1, 8, 0, bytes(width + 1))).pixels.shape == (1, width)
    with pytest.raises(InputError, match="1 bytes of its pixels are missing"):
        read_image(make_png(width, 1, 8, 0, bytes(width)))


def image(mode: str) -> PIL.Image.Image:
    return PIL.Image.new(mode, (4, 3))


def npy(array: NDArray[Any]) -> bytes:
    buffer = BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def tagged(data: bytes, tag: int, value: int) -> bytes:
    """A little-endian TIFF of Pillow's whose tag, a short in its place, has another value."""
    at = data.index(struct.pack("<HHI", tag, 3, 1))
    return data[: at + 8] + struct.pack("<H", value) + data[at + 10 :]


UNSUPPORTED = {
    "animated PNG": (
        encode(
            image("RGB"), "PNG", save_all=True, append_images=[PIL.Image.new("RGB", (4, 3), "red")]
        ),
        "animated",
    ),
    "critical chunk": (make_png(1, 1, 8, 0, bytes(2), ("ABCD", b"")), "ABCD"),
    "wide 16-bit PNG": (make_png(10**6 + 1, 1, 16, 0, bytes(2 * 10**6 + 3)), "1000000 pixels"),
    "animated WebP": (
        encode(
            image("RGB"),
            "WEBP",
            lossless=True,
            save_all=True,
            append_images=[PIL.Image.new("RGB", (4, 3), "red")],
        ),
        "animated",
    ),
    "CMYK TIFF": (encode(image("CMYK"), "TIFF"), "CMYK"),
    "float TIFF": (encode(image("F"), "TIFF"), "floating-point samples of 32 bits"),
    "32-bit TIFF": (encode(image("I"), "TIFF"), "signed samples of 32 bits"),
    "signed TIFF": (
        tagged(encode(image("1"), "TIFF", tiffinfo={339: 1}), 339, 2),
        "signed samples of 1 bits",
    ),
    "signed TIFF whose smallest sample is white": (
        tagged(tagged(encode(image("L"), "TIFF", tiffinfo={339: 1}), 339, 2), 262, 0),
        "smallest is white",
    ),
    "CIELAB TIFF": (encode(image("LAB"), "TIFF"), "CIELAB"),
    "TIFF with a channel of another kind": (
        tagged(encode(image("LA"), "TIFF"), 338, 3),
        "2 channels, of which 1 are colours",
    ),
    "TIFF with WebP": (tagged(encode(image("L"), "TIFF"), 259, 50001), "compression 50001"),
    "TIFF with a 16-bit palette": (tagged(encode(image("P"), "TIFF"), 258, 16), "65536 colours"),
    "pages of TIFF": (
        encode(image("RGB"), "TIFF", save_all=True, append_images=[image("RGB")]),
        "several pages",
    ),
    "16-bit BMP": (
        b"BM"
        + struct.pack("<IIIIiiHHIIiiII", 62, 0, 54, 40, 2, 2, 1, 16, 0, 8, 0, 0, 0, 0)
        + bytes(8),
        "16 bits per pixel",
    ),
    "BMP with a fourth channel": (
        encode(PIL.Image.fromarray(samples(8, 4)), "BMP"),
        "fourth channel",
    ),
    "PGM of 65536": (b"P5\n# 255\n1 1 #x\n65536\n" + bytes(3), "0 to 65536"),
    "PGM of 0": (b"P5\n1 1\n0\n\0", "0 to 0 "),
    "two PPMs": (b"P6 1 1 255\n" + bytes(3) + b"P6 1 1 255\n" + bytes(3), "several images"),
    "two plain PBMs": (b"P1 1 1 1\nP1 1 1 1\n", "several images"),
    "two plain PGMs": (b"P2 1 1 255 9\nP2 1 1 255 9\n", "several images"),
    "float PNM": (b"Pf\n1 1\n-1\n" + bytes(4), "floating-point"),
    "PAM of CMYK": (
        b"P7\nWIDTH 1\nHEIGHT 1\nDEPTH 4\nMAXVAL 255\nTUPLTYPE CMYK\nENDHDR\n" + bytes(4),
        "CMYK",
    ),
    "PAM without a meaning": (
        b"P7\nWIDTH 1\nHEIGHT 1\nDEPTH 3\nMAXVAL 255\nENDHDR\n" + bytes(3),
        "nothing known",
    ),
    "float NPY": (npy(np.zeros((2, 2), np.float32)), "float32"),
    "32-bit NPY": (npy(np.zeros((2, 2), np.int32)), "int32"),
    "GIF": (encode(image("P"), "GIF"), "GIF"),
    "CMYK JPEG": (encode(image("CMYK"), "JPEG"), "CMYK"),
    "JPEG XL": (b"\xff\x0a" + bytes(20), "JPEG XL"),
}


@pytest.mark.parametrize(("data", "words"), UNSUPPORTED.values(), ids=UNSUPPORTED)
def test_other_kinds_are_refused_by_name(data: bytes, words: str, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedImageError, match=words):
        read_image(data, as_pixels=True)
    path = tmp_path / "image"
    path.write_bytes(data)
    with pytest.raises(UnsupportedImageError, match=words) as caught:
        read_image(path, as_pixels=True)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("JPEG", {}),
        ("WEBP", {"quality": 80}),
        ("WEBP", {"exif": b"Exif\0\0MM\0*"}),
        ("TIFF", {"compression": "jpeg"}),
    ],
)
def test_lossy_files_are_refused_unless_asked_for(
    kind: str, options: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(encode(rgb(16, 16), kind, **options))
    with pytest.raises(JpegInputError, match="as-pixels") as caught:
        read_image(path)
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)
    with PIL.Image.open(path) as opened:
        np.testing.assert_array_equal(read_image(path, as_pixels=True).pixels, np.array(opened))


GOOD = encode(rgb(), "PNG")
DAMAGED = {
    "empty": b"",
    "text": b"hello, world",
    "signature only": png.SIGNATURE,
    "text-mode PNG": GOOD.replace(b"\r\n", b"\n", 1),
    "cut PNG": GOOD[:-20],
    "PNG without end": GOOD[:-12],
    "PNG with a wrong checksum": GOOD[:-13] + bytes([GOOD[-13] ^ 1]) + GOOD[-12:],
    "no IDAT": png.SIGNATURE + GOOD[8:33] + png_chunk("IEND", b""),
    "no IHDR": png.SIGNATURE + png_chunk("IEND", b""),
    "two IHDR": GOOD[:33] + GOOD[8:],
    "IDAT in two places": GOOD[:-12]
    + png_chunk("tEXt", b"a\0b")
    + png_chunk("IDAT", b"")
    + GOOD[-12:],
    "short IHDR": png.SIGNATURE + png_chunk("IHDR", bytes(12)) + GOOD[33:],
    "no width": make_png(0, 1, 8, 0, b""),
    "bit depth 3": make_png(1, 1, 3, 0, bytes(2)),
    "colour type 1": make_png(1, 1, 8, 1, bytes(2)),
    "strange chunk name": GOOD[:33] + png_chunk("t\xc4xt", b"") + GOOD[33:],
    "too few rows": make_png(4, 4, 8, 0, bytes(5)),
    "one row too few": make_png(1, 9, 8, 0, bytes(16)),
    "too much for nothing": make_png(1, 9, 8, 2, bytes(2)),
    "no zlib stream": png.SIGNATURE + GOOD[8:33] + png_chunk("IDAT", b"noise") + GOOD[-12:],
    "cut WebP": encode(rgb(), "WEBP", lossless=True)[:-30],
    "cut TIFF": encode(rgb(), "TIFF")[:60],
    "cut BMP": encode(rgb(), "BMP")[:-5],
    "BMP header": b"BM" + bytes(25),
    "no palette": make_png(1, 1, 8, 3, bytes(2)),
    "odd palette": make_png(1, 1, 8, 3, bytes(2), ("PLTE", bytes(4))),
    "empty palette": make_png(1, 1, 8, 3, bytes(2), ("PLTE", b"")),
    "two palettes": make_png(1, 1, 8, 3, bytes(2), ("PLTE", bytes(3)), ("PLTE", bytes(3))),
    "transparency before its palette": make_png(
        1, 1, 8, 3, bytes(2), ("tRNS", b"a"), ("PLTE", bytes(3))
    ),
    "more alphas than colours": make_png(1, 1, 8, 3, bytes(2), ("PLTE", bytes(3)), ("tRNS", b"ab")),
    "transparent colour of RGBA": make_png(1, 1, 8, 6, bytes(5), ("tRNS", bytes(6))),
    "transparent colour of another kind": make_png(1, 1, 8, 2, bytes(4), ("tRNS", bytes(2))),
    "one byte of 16-bit samples too few": make_png(3, 3, 16, 6, bytes(74)),
    "one byte of 2-bit samples too few": make_png(5, 3, 2, 0, bytes(8)),
    "unknown filter of 16-bit samples": make_png(1, 1, 16, 2, b"\x09" + bytes(6)),
    "TIFF without tags": b"II*\0\x08\0\0\0\0\0",
    "TIFF whose tags are elsewhere": b"II*\0\xff\0\0\0",
    "TIFF with a short colour map": encode(image("P"), "TIFF").replace(
        struct.pack("<HHI", 320, 3, 768), struct.pack("<HHI", 320, 3, 765)
    ),
    "BMP with a strange header": b"BM"
    + struct.pack("<IIIIiiHHIIiiII", 62, 0, 54, 39, 2, 2, 1, 24, 0, 8, 0, 0, 0, 0)
    + bytes(8),
    "BMP without a width": b"BM"
    + struct.pack("<IIIIiiHHIIiiII", 62, 0, 54, 40, 0, 2, 1, 24, 0, 8, 0, 0, 0, 0)
    + bytes(8),
    "BMP with 300 colours": b"BM"
    + struct.pack("<IIIIiiHHIIiiII", 62, 0, 54, 40, 2, 2, 1, 8, 0, 8, 0, 0, 300, 0)
    + bytes(2000),
    "cut PBM": b"P4 9 2\n" + bytes(3),
    "plain PBM of twos": b"P1 2 1 12",
    "plain PBM of letters": b"P1 2 1 1a",
    "plain PGM of letters": b"P2 2 1 255 1 a",
    "plain PGM of more": b"P2 2 1 255 1 256",
    "plain PGM of less": b"P2 2 1 255 1",
    "PGM without a width": b"P5 0 1 255\n",
    "PAM without an end": b"P7\nWIDTH 1\n",
    "PAM without sizes": b"P7\nWIDTH 1\nENDHDR\n",
    "cut PPM": encode(rgb(), "PPM")[:-5],
    "cut NPY": npy(rgb())[:-1],
    "long NPY": npy(rgb()) + b"x",
    "NPY of nothing": npy(rgb()[:0]),
    "NPY of a cube": npy(rgb()[None]),
    "NPY of five channels": npy(np.zeros((2, 2, 5), np.uint8)),
    "NPY of bytes": b"\x93NUMPY\1\0\x05\0hello",
    "NPY without a header": b"\x93NUMPY",
    "NPY with a huge header": b"\x93NUMPY\2\0\xff\xff\xff\xff{",
    "JPEG 2000 signature": b"\0\0\0\x0cjP  \r\n\x87\n",
    "JPEG 2000 codestream": b"\xff\x4f\xff\x51\0\x10",
    "JPEG 2000 with a box that is too long": b"\0\0\0\x0cjP  \r\n\x87\n\0\0\1\0jp2c" + bytes(8),
    "PPM without sizes": b"P6\nfoo",
    "cut JPEG": encode(rgb(16, 16), "JPEG")[:-400],
}


@pytest.mark.parametrize("data", DAMAGED.values(), ids=DAMAGED)
def test_damaged_files_are_named(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "image.png"
    path.write_bytes(data)
    with pytest.raises(InputError) as caught:
        read_image(path, as_pixels=True)
    assert not isinstance(caught.value, UnsupportedImageError)
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)


def test_paths_that_are_no_files(tmp_path: Path) -> None:
    for path, words in [
        (tmp_path / "none.png", "No such file"),
        (tmp_path, "folder"),
        (tmp_path / "a\0b", "cannot be read"),
    ]:
        with pytest.raises(InputError, match=words):
            read_image(path)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(InputError, match="pipe or device"):
        read_image(pipe)


@pytest.mark.parametrize(("kind", "options"), LOSSLESS)
def test_the_pixel_limit(kind: str, options: dict[str, Any]) -> None:
    data = encode(rgb(5, 7), kind, **options)
    assert read_image(data, max_pixels=35).pixels.shape == (5, 7, 3)
    with pytest.raises(InputError, match="7 x 5 pixels"):
        read_image(data, max_pixels=34)


def test_a_bomb_is_refused_unread() -> None:
    side = 2**16
    tiff = encode(image("L"), "TIFF")
    for tag in (256, 257):
        tiff = tiff.replace(
            struct.pack("<HHIH", tag, 4, 1, 4 if tag == 256 else 3),
            struct.pack("<HHIH", tag, 4, 1, 0),
        )
    bmp = b"BM" + struct.pack(
        "<IIIIiiHHIIiiII", 62, 0, 54, 40, side, -side, 1, 24, 0, 8, 0, 0, 0, 0
    )
    array = (
        npy(grey())
        .replace(b"(5, 7), ", b"(65536, 65536), ")
        .replace(b" " * 12 + b"\n", b" " * 4 + b"\n")
    )
    deep = make_png(side, side, 16, 6, b"")
    for data in (make_png(side, side, 8, 2, b""), deep, b"P6 65536 65536 255\n", bmp, array):
        with pytest.raises(InputError, match="65536 x 65536"):
            read_image(data)


def test_pillows_limit_is_left_alone_and_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 20)  # of 35 pixels Pillow would warn
    filters = list(warnings.filters)
    for kind, options in LOSSLESS:
        assert read_image(encode(rgb(5, 7), kind, **options)).pixels.shape == (5, 7, 3)
    assert warnings.filters == filters
    assert PIL.Image.MAX_IMAGE_PIXELS == 20
    if int(PIL.__version__.split(".")[0]) < 13:
        return  # earlier ones leave WebP alone
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 2)
    with pytest.raises(InputError, match="more pixels"):
        read_image(encode(rgb(5, 7), "WEBP", lossless=True))
