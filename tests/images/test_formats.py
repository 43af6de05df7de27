"""PNM, NPY, BMP and JPEG 2000 of other writers, and what becomes of damaged files of every
format.
"""

from __future__ import annotations

import contextlib
import functools
import struct
from io import BytesIO
from typing import Any

import imagecodecs
import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bbans.errors import InputError, JpegInputError, OutputError, UnsupportedImageError
from bbans.images import Image, PngChunk, make_image, read_image, write_image
from tests.images.makers import MODES, assert_same, encode, make, palette, rgb, samples, written


@pytest.mark.parametrize(
    ("data", "depth", "expected"),
    [
        (b"P1\n# a comment\n3 2\n1 0 1\n0 1 0\n", 1, [[0, 1, 0], [1, 0, 1]]),
        (b"P1 3 2 101010", 1, [[0, 1, 0], [1, 0, 1]]),
        (b"P4\n9 1\n\xaa\x80", 1, [[0, 1, 0, 1, 0, 1, 0, 1, 0]]),
        (b"P2 3 1 65535 0 256 65535", 16, [[0, 256, 65535]]),
        (b"P2 3 1 255\n# between\n0 7 #8\n255", 8, [[0, 7, 255]]),
        (b"P3 1 2 255 1 2 3 4 5 6", 8, [[[1, 2, 3]], [[4, 5, 6]]]),
        (b"P3 1 1 65535 1 2 65535", 16, [[[1, 2, 65535]]]),
        (b"P5 2 1 65535\n\1\2\3\4", 16, [[258, 772]]),
        (b"P6 1 1 65535\n\0\1\0\2\1\0", 16, [[[1, 2, 256]]]),
        (
            b"P7\nWIDTH 2\nHEIGHT 1\nDEPTH 1\nMAXVAL 1\nTUPLTYPE BLACKANDWHITE\nENDHDR\n\0\1",
            1,
            [[0, 1]],
        ),
        (
            b"P7\n# a comment\nHEIGHT 1\nWIDTH 1\nMAXVAL 255\nDEPTH 2\nTUPLTYPE "
            b"GRAYSCALE_ALPHA\nENDHDR\n\5\6",
            8,
            [[[5, 6]]],
        ),
    ],
)
def test_pnm(data: bytes, depth: int, expected: Any) -> None:
    image = read_image(data)
    assert image.bit_depth == depth
    np.testing.assert_array_equal(image.pixels, expected)


@pytest.mark.parametrize(
    "mode", [mode for mode in MODES if mode[0] in (1, 8) and mode[1] in (1, 3) and not mode[2]]
)
def test_pillow_sees_the_same_pnm(mode: tuple[int, int, bool]) -> None:
    image = make(*mode)
    with PIL.Image.open(BytesIO(written(image, "PPM"))) as opened:
        np.testing.assert_array_equal(np.array(opened).astype(np.uint8), image.pixels)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["u1", "<u2", ">u2"])
@pytest.mark.parametrize("version", [(1, 0), (2, 0)])
def test_npy(order: Any, dtype: str, version: tuple[int, int]) -> None:
    image = make(8 if dtype == "u1" else 16, 3)
    buffer = BytesIO()
    np.lib.format.write_array(buffer, image.pixels.astype(dtype).copy(order), version)
    assert_same(read_image(buffer.getvalue()), image)


def test_npy_of_objects_is_not_unpickled() -> None:
    buffer = BytesIO()
    np.save(buffer, np.array([[{}]], dtype=object), allow_pickle=True)
    with pytest.raises(UnsupportedImageError, match="object"):
        read_image(buffer.getvalue())
    buffer = BytesIO()
    np.lib.format.write_array(buffer, rgb(), (3, 0))
    with pytest.raises(UnsupportedImageError, match=r"version 3\.0"):
        read_image(buffer.getvalue())


def bmp(
    bits: int,
    rows: bytes,
    width: int,
    height: int,
    entries: bytes = b"",
    compression: int = 0,
    colours: int = 0,
) -> bytes:
    info = struct.pack(
        "<IiiHHIIiiII", 40, width, height, 1, bits, compression, len(rows), 2835, 2835, colours, 0
    )
    start = 14 + 40 + len(entries)
    return b"BM" + struct.pack("<IHHI", start + len(rows), 0, 0, start) + info + entries + rows


PHYS = PngChunk("pHYs", struct.pack(">IIB", 2835, 2835, 1))


@pytest.mark.parametrize("bits", [1, 4, 8])
@pytest.mark.parametrize("upright", [False, True])
def test_bmp_of_indices(bits: int, upright: bool) -> None:
    indices = samples(bits, 1, 3, 21)
    digits = ["".join(f"{sample:0{bits}b}" for sample in row) for row in indices]
    rows = [
        int(row, 2).to_bytes(len(row) // 8, "big")
        for row in (row.ljust(-(-len(row) // 32) * 32, "0") for row in digits)
    ]
    colours = np.frombuffer(palette(2**bits).payload, np.uint8).reshape(-1, 3)
    entries = b"".join(bytes([blue, green, red, 0]) for red, green, blue in colours)
    data = bmp(bits, b"".join(rows if upright else rows[::-1]), 21, -3 if upright else 3, entries)
    assert_same(
        read_image(data),
        make_image(indices, (PngChunk("PLTE", colours.tobytes()), PHYS), bits, True),
    )
    ramp = b"".join(bytes([level] * 3 + [0]) for level in range(0, 256, 255 // (2**bits - 1)))
    assert_same(
        read_image(bmp(bits, b"".join(rows[::-1]), 21, 3, ramp)), make_image(indices, (PHYS,), bits)
    )
    few = read_image(bmp(bits, b"".join(rows[::-1]), 21, 3, entries[:8], colours=2))
    assert few.metadata[0].payload == colours[:2].tobytes()
    with pytest.raises(InputError, match="truncated BMP"):
        read_image(data[:-1])


def test_old_and_true_colour_bmp() -> None:
    pixels = samples(8, 3, 2, 3)
    rows = b"".join(row[:, ::-1].tobytes() + bytes(3) for row in pixels[::-1])
    old = b"BM" + struct.pack("<IHHIIHHHH", 0, 0, 0, 26, 12, 3, 2, 1, 24) + rows
    assert_same(read_image(old), make_image(pixels))
    assert_same(read_image(bmp(24, rows, 3, 2)), make_image(pixels, (PHYS,)))
    wide = np.concatenate([pixels[:, :, ::-1], np.full((2, 3, 1), 9, np.uint8)], axis=2)
    assert_same(read_image(bmp(32, wide[::-1].tobytes(), 3, 2)), make_image(pixels, (PHYS,)))


def test_bmp_with_declared_alpha_and_profile() -> None:
    pixels = samples(8, 4, 2, 3)
    masks = struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    rows = pixels[::-1][:, :, [2, 1, 0, 3]].tobytes()
    head = (
        struct.pack("<IiiHHIIiiII", 124, 3, 2, 1, 32, 3, 0, 0, 0, 0, 0)
        + masks
        + struct.pack("<I", 0x4D424544)
        + bytes(48)
    )
    head += struct.pack("<IIII", 0, 124 + len(rows), 7, 0)
    data = b"BM" + struct.pack("<IHHI", 0, 0, 0, 138) + head + rows + b"profile"
    image = read_image(data)
    assert_same(image, make_image(pixels), metadata=False)
    assert [chunk.kind for chunk in image.metadata] == ["iCCP"]


def test_run_lengths_in_bmp() -> None:
    colours = palette(256).payload
    entries = b"".join(bytes([*colours[at : at + 3][::-1], 0]) for at in range(0, 768, 3))
    image = read_image(bmp(8, b"\3\7\0\0\1\5\2\6\0\1", 3, 2, entries, compression=1))
    assert_same(
        image,
        make_image(
            np.array([[5, 6, 6], [7, 7, 7]], np.uint8), (PngChunk("PLTE", colours), PHYS), 8, True
        ),
    )
    black_and_white = bmp(
        8, b"\3\1\0\1", 3, 1, bytes(4) + b"\xff\xff\xff\0", compression=1, colours=2
    )
    with pytest.raises(UnsupportedImageError, match="run-length"):
        read_image(black_and_white)


def jpeg2000(array: NDArray[Any], **options: Any) -> bytes:
    return bytes(
        imagecodecs.jpeg2k_encode(
            array, **{"level": 0, "reversible": True, "codecformat": "jp2"} | options
        )
    )


@pytest.mark.parametrize("codecformat", ["jp2", "j2k"])
@pytest.mark.parametrize("mode", [mode for mode in MODES if mode[0] >= 8 and not mode[2]])
def test_jpeg_2000(mode: tuple[int, int, bool], codecformat: str) -> None:
    image = make(*mode, height=20, width=30)
    data = jpeg2000(image.pixels, codecformat=codecformat)
    assert_same(read_image(data), image)
    with pytest.raises(InputError, match="limit of 599"):
        read_image(data, max_pixels=599)
    for size in range(20, len(data), 97):
        with pytest.raises(InputError):
            read_image(data[:size])


def box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body


def boxed(codestream: bytes, *inside: bytes, after: bytes = b"") -> bytes:
    """A JP2 around a codestream."""
    start = box(b"jP  ", b"\r\n\x87\n") + box(b"ftyp", b"jp2 \0\0\0\0jp2 ")
    return start + box(b"jp2h", b"".join(inside)) + after + box(b"jp2c", codestream)


IHDR = box(b"ihdr", struct.pack(">IIHBBBB", 5, 7, 4, 7, 7, 0, 0))
SRGB = box(b"colr", b"\1\0\0" + struct.pack(">I", 16))


def definition(*rows: tuple[int, int, int]) -> bytes:
    return box(
        b"cdef", struct.pack(">H", len(rows)) + b"".join(struct.pack(">HHH", *row) for row in rows)
    )


def test_boxes_of_jpeg_2000() -> None:
    image = make(8, 4)
    stream = jpeg2000(image.pixels, codecformat="j2k")
    colours = ((0, 0, 1), (1, 0, 2), (2, 0, 3))
    resolution = box(b"res ", box(b"resc", struct.pack(">4H2b", 118, 1, 118, 1, 2, 2)))
    profile = box(b"colr", b"\2\0\0profile")
    xmp = box(b"uuid", bytes.fromhex("be7acfcb97a942e89c71999491e3afac") + b"<x/>")
    exif = box(b"uuid", b"JpgTiffExif->JP2" + b"MM\0*")
    found = read_image(
        boxed(
            stream,
            IHDR,
            SRGB,
            profile,
            definition(*colours, (3, 1, 0)),
            resolution,
            after=xmp + exif,
        )
    )
    assert_same(found, image, metadata=False)
    assert [chunk.kind for chunk in found.metadata] == ["iCCP", "pHYs", "iTXt", "eXIf"]
    assert found.metadata[1].payload == struct.pack(">IIB", 11800, 11800, 1)
    for inside, words in [
        ((IHDR, SRGB, definition(*colours, (3, 2, 0))), "premultiplied"),
        ((IHDR, box(b"colr", b"\1\0\0" + struct.pack(">I", 18))), "sRGB or grey"),
        ((IHDR, box(b"colr", b"\2\0\0" + bytes(16) + b"CMYK")), "sRGB or grey"),
        ((IHDR, box(b"pclr", b""), SRGB), "palette"),
    ]:
        with pytest.raises(UnsupportedImageError, match=words):
            read_image(boxed(stream, *inside))


def test_lossy_jpeg_2000_must_be_asked_for() -> None:
    data = jpeg2000(samples(8, 3, 32, 32), level=30, reversible=False)
    with pytest.raises(JpegInputError, match="as-pixels"):
        read_image(data)
    np.testing.assert_array_equal(
        read_image(data, as_pixels=True).pixels, imagecodecs.jpeg2k_decode(data)
    )


@pytest.mark.parametrize(
    ("offset", "value", "words"),
    [
        (42, 0x9B, "signed 28-bit"),
        (42, 16, "17-bit"),
        (43, 2, r"8-bit \(2 x 1\)"),
        (41, 5, "5 channels"),
    ],
)
def test_other_samples_of_jpeg_2000(offset: int, value: int, words: str) -> None:
    data = bytearray(jpeg2000(samples(8), codecformat="j2k"))
    data[offset] = value
    with pytest.raises(UnsupportedImageError, match=words):
        read_image(bytes(data))


@pytest.mark.parametrize(
    ("offset", "value", "words"),
    [
        (8, struct.pack(">I", 0), "no valid size"),
        (24, struct.pack(">II", 0, 1), "no valid size"),
        (24, struct.pack(">II", 1, 1), "tiles"),
    ],
)
def test_damaged_sizes_of_jpeg_2000(offset: int, value: bytes, words: str) -> None:
    data = bytearray(jpeg2000(samples(8, 1, 300, 300), codecformat="j2k"))
    data[offset : offset + len(value)] = value
    with pytest.raises(InputError, match=words):
        read_image(bytes(data))


def test_a_jpeg_2000_component_may_be_lossy_alone() -> None:
    data = jpeg2000(samples(8), codecformat="j2k")
    at = data.index(b"\xff\x52")
    size = struct.unpack_from(">H", data, at + 2)[0]
    override = b"\xff\x53" + struct.pack(">HBBBBBBB", 9, 0, 0, *data[at + 9 : at + 13], 0)
    with pytest.raises(JpegInputError):
        read_image(data[: at + 2 + size] + override + data[at + 2 + size :])


def test_arrays_can_be_written_to() -> None:
    for mode in MODES:
        for kind in ("PNG", "TIFF", "PPM", "NPY", "BMP"):
            buffer = BytesIO()
            with contextlib.suppress(OutputError):
                write_image(make(*mode), buffer, kind)
                assert read_image(buffer.getvalue()).pixels.flags.writeable


def test_formats_are_asked_for_by_name() -> None:
    for kind in ("npy", "tiff", "Ppm"):
        assert_same(read_image(written(make(16, 3), kind)), make(16, 3))
    with pytest.raises(OutputError, match="choose one of PNG, WEBP, TIFF, BMP, PPM, NPY"):
        write_image(make(8), BytesIO(), "GIF")


@functools.cache
def specimens() -> tuple[bytes, ...]:
    """A file of every mode in every format that holds it."""
    found = [jpeg2000(samples(depth, channels)) for depth in (8, 16) for channels in (1, 4)]
    found.append(encode(rgb(), "TIFF", compression="tiff_lzw"))
    for mode in MODES:
        for kind in ("PNG", "TIFF", "PPM", "NPY", "BMP", "WEBP"):
            buffer = BytesIO()
            try:
                write_image(make(*mode), buffer, kind)
            except OutputError:
                continue
            found.append(buffer.getvalue())
    return tuple(found)


def read_or_refuse(data: bytes) -> Image | None:
    """An image that is one, or an error of one line. Anything else fails."""
    try:
        image = read_image(data, max_pixels=2**20)
    except InputError as error:
        assert "\n" not in str(error)
        return None
    return make_image(image.pixels, image.metadata, image.bit_depth, image.palette)


@given(st.data())
def test_truncated_files_are_refused(data: st.DataObject) -> None:
    file = data.draw(st.sampled_from(specimens()))
    assert read_or_refuse(file[: data.draw(st.integers(0, len(file) - 1))]) is None


@settings(max_examples=400)
@given(st.data())
def test_damaged_files_are_read_or_refused(data: st.DataObject) -> None:
    file = bytearray(data.draw(st.sampled_from(specimens())))
    for _ in range(data.draw(st.integers(1, 3))):
        file[data.draw(st.integers(0, len(file) - 1))] = data.draw(st.integers(0, 255))
    read_or_refuse(bytes(file))
