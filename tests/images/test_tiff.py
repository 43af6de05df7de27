"""TIFF of other writers: layouts, compressions, orders of bits and bytes, palettes, orientations;
and ours in another reader.
"""

from __future__ import annotations

import struct
from io import BytesIO
from typing import Any

import numpy as np
import PIL.Image
import pytest
from numpy.typing import NDArray

from bbans.errors import InputError, OutputError, UnsupportedImageError
from bbans.images import PngChunk, make_image, read_image, to_pillow
from tests.images.makers import (
    MODES,
    assert_same,
    encode,
    grey,
    make,
    palette,
    rgb,
    samples,
    written,
)

tifffile = pytest.importorskip("tifffile")

COLOURS: dict[int, dict[str, Any]] = {
    1: {"photometric": "minisblack"},
    2: {"photometric": "minisblack", "extrasamples": ["unassalpha"]},
    3: {"photometric": "rgb"},
    4: {"photometric": "rgb", "extrasamples": ["unassalpha"]},
}


def made(array: NDArray[Any], **options: Any) -> bytes:
    buffer = BytesIO()
    tifffile.imwrite(buffer, array, **options)
    return buffer.getvalue()


def raw(tags: dict[int, tuple[int, ...]], pixels: bytes, byte_order: str = "<") -> bytes:
    """A TIFF of one strip from shorts."""
    tags = {259: (1,), 273: (0,), 277: (1,), **tags, 279: (len(pixels),)}
    long_values = b""
    entries = b""
    start = 8 + 2 + 12 * len(tags) + 4
    stored = sum(2 * len(values) for values in tags.values() if len(values) > 2)
    for tag, values in sorted(tags.items()):
        values = (start + stored,) if tag == 273 else values
        data = struct.pack(f"{byte_order}{len(values)}H", *values)
        if len(data) > 4:
            place = struct.pack(f"{byte_order}I", start + len(long_values))
            long_values += data
        else:
            place = data.ljust(4, b"\0")
        entries += struct.pack(f"{byte_order}HHI", tag, 3, len(values)) + place
    head = (b"II" if byte_order == "<" else b"MM") + struct.pack(
        f"{byte_order}HIH", 42, 8, len(tags)
    )
    return head + entries + bytes(4) + long_values + pixels


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"byteorder": ">"},
        {"bigtiff": True},
        {"rowsperstrip": 3},
        {"tile": (16, 32)},
        {"compression": "lzw", "predictor": True},
        {"compression": "zlib", "predictor": True, "tile": (16, 16)},
        {"compression": "packbits"},
        {"compression": "zstd"},
        {"compression": "lzma"},
    ],
    ids=str,
)
def test_layouts_and_compressions(depth: int, channels: int, options: dict[str, Any]) -> None:
    image = make(depth, channels, height=21, width=35)
    layout = {"planarconfig": "contig"} if channels > 1 else {}
    assert_same(
        read_image(made(image.pixels, metadata=None, **COLOURS[channels], **layout, **options)),
        image,
        metadata=False,
    )


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("channels", [2, 3, 4])
@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"tile": (16, 16)}], ids=str)
def test_planes(depth: int, channels: int, options: dict[str, Any]) -> None:
    image = make(depth, channels, height=21, width=35)
    planes = np.ascontiguousarray(np.moveaxis(image.pixels, -1, 0))
    data = made(planes, metadata=None, planarconfig="separate", **COLOURS[channels], **options)
    assert_same(read_image(data), image, metadata=False)


@pytest.mark.parametrize("mode", MODES)
def test_another_reader_sees_the_same(mode: tuple[int, int, bool]) -> None:
    image = make(*mode, height=9, width=13)
    with tifffile.TiffFile(BytesIO(written(image, "TIFF"))) as opened:
        (page,) = opened.pages
        np.testing.assert_array_equal(page.asarray(), image.pixels)
        assert page.bitspersample == image.bit_depth
        if image.palette:
            assert (page.colormap.T.astype(int) // 257).astype(
                np.uint8
            ).tobytes() == image.metadata[0].payload


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("byte_order", ["<", ">"])
def test_white_may_be_zero(depth: int, byte_order: str) -> None:
    image = make(depth)
    packed = written(image, "TIFF")[
        -make_rows(depth) :
    ]  # big-endian rows, at the end of what is written
    if depth == 16 and byte_order == "<":
        packed = image.pixels.astype("<u2").tobytes()
    tags = {256: (7,), 257: (5,), 258: (depth,), 262: (0,)}
    inverted = make_image(2**depth - 1 - image.pixels, (), depth)
    assert_same(read_image(raw(tags, packed, byte_order)), inverted)
    assert_same(read_image(raw({**tags, 262: (1,)}, packed, byte_order)), image)


def make_rows(depth: int) -> int:
    return 5 * ((7 * depth + 7) // 8)


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_bits_may_be_stored_from_the_right(depth: int) -> None:
    image = make(depth)
    packed = written(image, "TIFF")[-make_rows(depth) :]
    mirrored = bytes(int(f"{byte:08b}"[::-1], 2) for byte in packed)
    assert_same(
        read_image(raw({256: (7,), 257: (5,), 258: (depth,), 262: (1,), 266: (2,)}, mirrored)),
        image,
    )


@pytest.mark.parametrize("compression", ["group3", "group4", "tiff_ccitt", "packbits", "tiff_lzw"])
def test_bilevel_compressions(compression: str) -> None:
    image = make(1, height=20, width=33)
    assert_same(read_image(encode(to_pillow(image), "TIFF", compression=compression)), image)


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
@pytest.mark.parametrize("scale", [256, 257])
def test_palettes(depth: int, scale: int) -> None:
    image = make(depth, 1, True)
    entries = (
        np.frombuffer(image.metadata[0].payload, np.uint8).reshape(-1, 3).T.reshape(-1).astype(int)
        * scale
    )
    tags = {256: (7,), 257: (5,), 258: (depth,), 262: (3,), 320: tuple(entries.tolist())}
    packed = written(image, "TIFF")[-make_rows(depth) :]
    assert_same(read_image(raw(tags, packed)), image)
    tags[320] = (*tags[320][:-1], 0x1234)
    with pytest.raises(UnsupportedImageError, match="16-bit colours"):
        read_image(raw(tags, packed))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_come_upright_as_pillow_turns_them(orientation: int) -> None:
    for pixels in (grey(), rgb()):
        data = encode(pixels, "TIFF", tiffinfo={274: orientation})
        with PIL.Image.open(BytesIO(data)) as opened:
            np.testing.assert_array_equal(read_image(data).pixels, np.array(opened))


def test_a_missing_extrasamples_tag_means_alpha() -> None:
    image = make(8, 4, height=1, width=2)
    tags = {256: (2,), 257: (1,), 258: (8, 8, 8, 8), 262: (2,), 277: (4,)}
    assert_same(read_image(raw(tags, image.pixels.tobytes())), image)


def test_bombs_and_contradictions() -> None:
    with pytest.raises(UnsupportedImageError, match="big-endian BigTIFF"):
        read_image(made(grey(), bigtiff=True, byteorder=">"))
    tags = {256: (60000,), 257: (60000,), 258: (8,), 262: (1,)}
    with pytest.raises(InputError, match="60000 x 60000"):
        read_image(raw(tags, b"1"), max_pixels=10**9)
    tile = {
        256: (2,),
        257: (2,),
        258: (8,),
        262: (1,),
        322: (65520,),
        323: (65520,),
        324: (8,),
        325: (4,),
    }
    with pytest.raises(InputError, match="tiles"):
        read_image(raw(tile, b"1234"))
    with pytest.raises(InputError, match="no valid size"):
        read_image(raw({256: (0,), 257: (5,), 258: (8,), 262: (1,)}, b"1"))
    with pytest.raises(UnsupportedImageError, match="samples of 16 bits"):
        read_image(raw({256: (1,), 257: (1,), 258: (8, 8, 16), 262: (2,), 277: (3,)}, b"1234"))
    with pytest.raises(UnsupportedImageError, match="samples of 4 bits"):
        read_image(raw({256: (1,), 257: (1,), 258: (4, 4, 4), 262: (2,), 277: (3,)}, b"12"))
    with pytest.raises(InputError):
        read_image(raw({256: (9,), 257: (9,), 258: (8,), 262: (1,)}, b"too few"))


def test_metadata_of_deep_images() -> None:
    resolution = {"resolution": (118.11, 236.22), "resolutionunit": "CENTIMETER"}
    data = made(
        samples(16, 3),
        photometric="rgb",
        description="a picture",
        iccprofile=b"profile",
        metadata=None,
        **resolution,
    )
    found = read_image(data)
    info = to_pillow(read_image(encode(rgb(), "TIFF"))).info
    assert info == {}
    kinds = {chunk.kind: chunk for chunk in found.metadata}
    assert set(kinds) == {"iCCP", "pHYs", "eXIf"}
    assert kinds["pHYs"].payload == struct.pack(">IIB", 11811, 23622, 1)
    exif = PIL.Image.Exif()
    exif.load(kinds["eXIf"].payload)
    assert exif[0x010E] == "a picture"
    again = read_image(written(found, "TIFF"))
    assert {chunk.kind for chunk in again.metadata} == set(kinds)
    assert {chunk.kind: chunk for chunk in again.metadata}["pHYs"] == kinds["pHYs"]


def test_damaged_exif_is_left_out() -> None:
    assert read_image(written(make(8, extra=(PngChunk("eXIf", b"noise"),)), "TIFF")).metadata == ()


def test_a_palette_of_more_colours_than_its_depth() -> None:
    with pytest.raises(OutputError, match="4 colours at 2 bits"):
        written(make_image(samples(2), (palette(5),), 2, True), "TIFF")
