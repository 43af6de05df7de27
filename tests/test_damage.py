"""Damaged files: the tiles that are whole come back, the others are named; without a header,
metadata and table nothing does.
"""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import bbans
from bbans import container, images
from bbans.errors import ChecksumError, FormatError, TruncatedError
from bbans.files import tiling
from bbans_cli.main import main
from tests.tiny import smooth_image

SIDE = 24
PHOTO = smooth_image(60, 70)  # three rows of three tiles
NOTE = images.PngChunk("tEXt", b"Comment\0kept")


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch):
    monkeypatch.setattr(tiling, "TILE_SIDE", SIDE)
    monkeypatch.setattr(tiling, "GRAPHIC_TILE", (SIDE, SIDE))


@pytest.fixture
def data() -> bytes:
    return bbans.compress(images.from_array(PHOTO, (NOTE,)), model="none")


def payloads(data: bytes) -> list[tuple[int, int]]:
    """First byte and byte after the last of every tile's payload."""
    return [
        (entry.offset, entry.offset + sum(entry.sizes))
        for entry in container.read_index(data).entries
    ]


def rectangle(number: int) -> tuple[slice, slice]:
    top, left, rows, columns = container.tile_rectangles(70, 60, SIDE, SIDE)[number]
    return slice(top, top + rows), slice(left, left + columns)


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 16]) + data[at + 1 :]


def without(numbers) -> np.ndarray:
    expected = PHOTO.copy()
    for number in numbers:
        expected[rectangle(number)] = 0
    return expected


@pytest.mark.parametrize("number", range(9))
def test_one_damaged_tile(data, number):
    first, after = payloads(data)[number]
    bad = flipped(data, (first + after) // 2)
    with pytest.raises(ChecksumError, match=f"tile {number} of 9"):
        bbans.decompress(bad)
    image, damage = bbans.salvage(bad)
    assert [(d.tile, d.region) for d in damage] == [(number, tiling.Region(*region(number)))]
    assert np.array_equal(image.pixels, without([number])) and image.metadata == (NOTE,)


def region(number: int) -> tuple[int, int, int, int]:
    top, left, rows, columns = container.tile_rectangles(70, 60, SIDE, SIDE)[number]
    return left, top, columns, rows


def test_a_whole_file_has_nothing_missing(data):
    image, damage = bbans.salvage(data)
    assert damage == () and np.array_equal(image.pixels, PHOTO)


@pytest.mark.parametrize("number", [0, 4, 8])
def test_a_truncated_file(data, number):
    """Cut inside a tile's payload: that one and all after it are missing.

    Threads make no difference.
    """
    first, after = payloads(data)[number]
    for length in (first, first + 1, after - 1):
        with pytest.raises(TruncatedError):
            bbans.decompress(data[:length])
        for threads in (1, 3):
            image, damage = bbans.salvage(data[:length], threads=threads)
            assert [d.tile for d in damage] == list(range(number, 9))
            assert np.array_equal(image.pixels, without(range(number, 9)))


def test_damage_before_the_payloads_is_an_error(data):
    start = payloads(data)[0][0]
    for at in range(start):
        with pytest.raises(FormatError):
            bbans.salvage(flipped(data, at))
        with pytest.raises(FormatError):
            bbans.salvage(data[:at])


def test_several_tiles(data):
    places = payloads(data)
    bad = flipped(flipped(data, places[2][0]), places[7][0])
    image, damage = bbans.salvage(bad)
    assert [d.tile for d in damage] == [2, 7]
    assert np.array_equal(image.pixels, without([2, 7]))


@pytest.mark.parametrize("damage", ["a tile", "the end"])
def test_keep_going_on_the_command_line(tmp_path, monkeypatch, capfd, data, damage):
    monkeypatch.chdir(tmp_path)
    first, after = payloads(data)[4]
    missing = [4] if damage == "a tile" else list(range(4, 9))
    Path("a.bbans").write_bytes(flipped(data, first) if damage == "a tile" else data[: after - 1])
    assert main(["decompress", "a.bbans"]) == 5
    assert not Path("a.png").exists() and len(capfd.readouterr().err.splitlines()) == 1
    assert main(["decompress", "a.bbans", "--keep-going"]) == 5
    out, err = capfd.readouterr()
    lines = err.splitlines()
    assert out == "" and len(lines) == len(missing) + 1
    assert all(f"tile {number}," in line for number, line in zip(missing, lines, strict=False))
    assert f"{len(missing)} damaged tiles are missing" in lines[-1]
    with Image.open("a.png") as image:
        assert np.array_equal(np.asarray(image), without(missing))
        assert image.info["Comment"] == "kept"
    assert main(["decompress", "a.bbans", "--keep-going", "-f", "-c"]) == 5


@pytest.mark.parametrize("place", ["header", "metadata", "table"])
def test_keep_going_without_a_frame(tmp_path, monkeypatch, capfd, data, place):
    monkeypatch.chdir(tmp_path)
    at = {"header": 12, "metadata": data.index(b"kept"), "table": payloads(data)[0][0] - 6}[place]
    Path("a.bbans").write_bytes(flipped(data, at))
    assert main(["decompress", "a.bbans", "--keep-going"]) == 5
    assert not Path("a.png").exists()
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) == 1 and place in lines[0]


def test_missing_pixels_are_transparent():
    """Of an image with alpha, missing tiles are transparent black."""
    pixels = np.dstack([PHOTO, np.full(PHOTO.shape[:2], 255, np.uint8)])
    data = bbans.compress(pixels, model="none")
    image, _ = bbans.salvage(flipped(data, payloads(data)[4][0]))
    assert (image.pixels[rectangle(4)] == 0).all() and (
        image.pixels[rectangle(3)] == pixels[rectangle(3)]
    ).all()
