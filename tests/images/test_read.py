"""Reading: the pixels of what is coded, a named error of one line for everything else."""

from __future__ import annotations

import os
import struct
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from bbans.errors import InputError, JpegInputError, UnsupportedImageError
from bbans.images import png, read_image
from tests.images.makers import encode, grey, make_png, png_chunk, rgb

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
def test_pixels_come_as_they_are(kind: str, options: dict[str, Any], shape: tuple[int, int], tmp_path: Path) -> None:
    path = tmp_path / "image.dat"  # the name does not matter
    for pixels in (rgb(*shape), grey(*shape)):
        data = encode(pixels, kind, **options)
        path.write_bytes(data)
        expected = np.repeat(pixels[:, :, None], 3, axis=2) if kind == "WEBP" and pixels.ndim == 2 else pixels
        for source in (data, path, str(path)):
            np.testing.assert_array_equal(read_image(source).pixels, expected)


def test_plain_text_pnm() -> None:
    np.testing.assert_array_equal(read_image(b"P2 # a comment\n3 1\n255\n0 7 255\n").pixels, [[0, 7, 255]])


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


TRANSPARENT = make_png(1, 1, 8, 2, bytes(4), ("tRNS", bytes(6)))
DEEP_TIFF = struct.pack("<2sHIH", b"II", 42, 8, 9) + b"".join(
    struct.pack("<HHII", tag, kind, count, value)
    for tag, kind, count, value in [
        (256, 3, 1, 1),
        (257, 3, 1, 1),
        (258, 3, 3, 122),
        (259, 3, 1, 1),
        (262, 3, 1, 2),
        (273, 4, 1, 128),
        (277, 3, 1, 3),
        (278, 3, 1, 1),
        (279, 4, 1, 6),
    ]
)
DEEP_TIFF += bytes(4) + struct.pack("<3H", 16, 16, 16) + bytes(6)

UNSUPPORTED = {
    "16-bit RGB PNG": (make_png(1, 1, 16, 2, bytes(7)), "16-bit RGB"),
    "16-bit grey PNG": (make_png(1, 1, 16, 0, bytes(3)), "16-bit grey"),
    "1-bit PNG": (make_png(1, 1, 1, 0, bytes(2)), "1-bit grey"),
    "2-bit PNG": (make_png(1, 1, 2, 0, bytes(2)), "2-bit grey"),
    "4-bit PNG": (make_png(1, 1, 4, 0, bytes(2)), "4-bit grey"),
    "palette PNG": (encode(image("P"), "PNG"), "palette"),
    "grey alpha PNG": (encode(image("LA"), "PNG"), "grey with alpha"),
    "RGBA PNG": (encode(image("RGBA"), "PNG"), "RGB with alpha"),
    "tRNS PNG": (TRANSPARENT, "transparent"),
    "animated PNG": (encode(image("RGB"), "PNG", save_all=True, append_images=[PIL.Image.new("RGB", (4, 3), "red")]), "animated"),
    "critical chunk": (make_png(1, 1, 8, 0, bytes(2), ("ABCD", b"")), "ABCD"),
    "RGBA WebP": (encode(PIL.Image.new("RGBA", (4, 3), (1, 2, 3, 4)), "WEBP", lossless=True), "alpha"),
    "animated WebP": (
        encode(image("RGB"), "WEBP", lossless=True, save_all=True, append_images=[PIL.Image.new("RGB", (4, 3), "red")]),
        "animated",
    ),
    "1-bit TIFF": (encode(image("1"), "TIFF"), "1-bit"),
    "palette TIFF": (encode(image("P"), "TIFF"), "palette"),
    "RGBA TIFF": (encode(image("RGBA"), "TIFF"), "alpha"),
    "CMYK TIFF": (encode(image("CMYK"), "TIFF"), "CMYK"),
    "float TIFF": (encode(image("F"), "TIFF"), "floating-point"),
    "16-bit grey TIFF": (encode(image("I;16"), "TIFF"), "16-bit"),
    "16-bit RGB TIFF": (DEEP_TIFF, "16 bits per sample"),
    "pages of TIFF": (encode(image("RGB"), "TIFF", save_all=True, append_images=[image("RGB")]), "several frames"),
    "palette BMP": (encode(PIL.Image.fromarray(rgb()).quantize(7), "BMP"), "palette"),
    "1-bit BMP": (encode(image("1"), "BMP"), "1 bits per pixel"),
    "32-bit BMP": (encode(image("RGBA"), "BMP"), "32 bits per pixel"),
    "PBM": (b"P4\n8 1\n\0", "1-bit"),
    "16-bit PPM": (b"P6\n1 1\n65535\n" + bytes(6), "16-bit"),
    "16-bit PGM with a comment": (b"P5\n# 255\n1 1 #x\n256\n" + bytes(2), "largest 256"),
    "7-bit PGM": (b"P5\n1 1\n127\n\0", "0 to 127"),
    "two PPMs": (b"P6 1 1 255\n" + bytes(3) + b"P6 1 1 255\n" + bytes(3), "several images"),
    "float PNM": (b"Pf\n1 1\n-1\n" + bytes(4), "floating-point"),
    "PAM": (b"P7\nWIDTH 1\n", "PAM"),
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
    [("JPEG", {}), ("WEBP", {"quality": 80}), ("WEBP", {"exif": b"Exif\0\0MM\0*"}), ("TIFF", {"compression": "jpeg"})],
)
def test_lossy_files_are_refused_unless_asked_for(kind: str, options: dict[str, Any], tmp_path: Path) -> None:
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
    "IDAT in two places": GOOD[:-12] + png_chunk("tEXt", b"a\0b") + png_chunk("IDAT", b"") + GOOD[-12:],
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
    "cut PPM": encode(rgb(), "PPM")[:-5],
    "PPM without sizes": b"P6\nfoo",
    "cut JPEG": encode(rgb(16, 16), "JPEG")[:-400],
}


@pytest.mark.parametrize("data", DAMAGED.values(), ids=DAMAGED)
def test_damaged_files_are_named(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "image.png"
    path.write_bytes(data)
    with pytest.raises(InputError) as caught:
        read_image(path, as_pixels=True)
    assert not isinstance(caught.value, UnsupportedImageError) or "BMP" in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)


def test_paths_that_are_no_files(tmp_path: Path) -> None:
    for path, words in [(tmp_path / "none.png", "No such file"), (tmp_path, "folder"), (tmp_path / "a\0b", "cannot be read")]:
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
    for data in (make_png(side, side, 8, 2, b""), b"P6 65536 65536 255\n"):
        with pytest.raises(InputError, match="65536 x 65536"):
            read_image(data)


def test_pillows_limit_is_left_alone_and_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 20)  # of 35 pixels Pillow would warn
    filters = list(warnings.filters)
    for kind, options in LOSSLESS:
        assert read_image(encode(rgb(5, 7), kind, **options)).pixels.shape == (5, 7, 3)
    assert warnings.filters == filters
    assert PIL.Image.MAX_IMAGE_PIXELS == 20
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 2)
    with pytest.raises(InputError, match="more pixels"):
        read_image(encode(rgb(5, 7), "WEBP", lossless=True))


@pytest.mark.shared
def test_pngsuite(shared: Path) -> None:
    """Every valid file is read or refused as unsupported, every `x*` file is refused as damaged."""
    paths = sorted((shared / "data" / "pngsuite").glob("*.png"))
    assert len(paths) > 150
    for path in paths:
        depth, colour = path.stem[-2:], path.stem[-4:-3]
        if path.stem.startswith("x"):
            with pytest.raises(InputError) as caught:
                read_image(path)
            assert type(caught.value) is InputError, path.name
        elif path.stem == "PngSuite" or (depth == "08" and colour in "02" and path.stem not in ("tbrn2c08",)):
            with PIL.Image.open(path) as opened:
                np.testing.assert_array_equal(read_image(path).pixels, np.array(opened), path.name)
        else:
            with pytest.raises(UnsupportedImageError):
                read_image(path)
