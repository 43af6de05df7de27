"""RGB that was computed from luma and chroma: found where it is, not where it is not, exact both
ways, and much shorter.
"""

import io
from fractions import Fraction
from math import floor

import numpy as np
import pytest
from PIL import Image

import bbans
from bbans import container
from bbans.container.binary import varint
from bbans.errors import FormatError
from bbans.images import load_folder
from bbans.tiles.transforms import ycc_lattice
from bbans.tiles.transforms.pipeline import prepare
from benchmarks.histories import blind
from tests.frozen.make import on_lattice, pictures
from tests.tiny import smooth_image

RNG = np.random.default_rng(0)


def photo_ycc(y: int, c1: int, c2: int) -> tuple[int, ...]:
    """The conversion in fractions; a whole number of green is rounded down too."""
    blue, red = Fraction("2.2179") * (c1 - 156), Fraction("1.8215") * (c2 - 137)
    luma = Fraction("1.3584") * y
    green = luma - Fraction("0.194") * floor(blue) - Fraction("0.509") * floor(red)
    return tuple(
        min(max(floor(value), 0), 255)
        for value in (luma + red, green - Fraction(1, 10000), luma + blue)
    )


def test_the_conversion_of_photo_cd():
    ycc = RNG.integers(0, 256, (500, 3))
    planes = (
        np.stack([ycc[:, 0] + ycc[:, 2] - 137, ycc[:, 0], ycc[:, 0] + ycc[:, 1] - 156], -1) & 255
    )
    found = ycc_lattice.to_rgb(planes[None], ycc_lattice.PHOTO_YCC)[0]
    assert [tuple(map(int, rgb)) for rgb in found] == [photo_ycc(*map(int, each)) for each in ycc]


@pytest.mark.parametrize("number", ycc_lattice.LATTICES)
def test_whatever_luma_and_chroma_give_is_found_again(number):
    """Colours within the cube: all; those of which samples were cut off far beyond it, at least 99
    in 100.
    """
    planes = RNG.integers(0, 256, (1, 60000, 3)).astype(np.uint8)
    rgb = ycc_lattice.to_rgb(planes, number)
    again = ycc_lattice.to_rgb(ycc_lattice.to_planes(rgb, number), number)
    same = (again == rgb).all(-1)
    inside = ((rgb > 0) & (rgb < 255)).all(-1)
    assert inside.sum() > 2000 and same[inside].all()
    assert same[((rgb == 0) | (rgb == 255)).sum(-1) == 1].mean() > 0.99


@pytest.mark.parametrize("quality", [30, 75, 95])
@pytest.mark.parametrize("subsampling", [0, 2])
def test_a_decoded_jpeg_is_on_its_lattice(quality, subsampling):
    stored = io.BytesIO()
    Image.fromarray(pictures()["photo-2"].pixels).save(
        stored, "JPEG", quality=quality, subsampling=subsampling
    )
    pixels = np.asarray(Image.open(stored))
    found = ycc_lattice.recover(pixels)
    assert found is not None and found.lattice == ycc_lattice.JPEG and len(found.at) == 0
    data = bbans.compress(pixels)
    (part,) = container.read(data).tiles[0].parts
    assert (part.codec, part.lattice) == (container.PREPARED, ycc_lattice.JPEG)
    assert np.array_equal(bbans.decompress(data), pixels)
    changed = pixels.copy()
    changed[::3, ::3] += 1  # no lattice any more, hardly more to code
    assert len(data) < 0.93 * len(bbans.compress(changed))


@pytest.mark.parametrize("name", ["jpeg", "photo-ycc"])
def test_a_file_with_exceptions(name):
    pixels = pictures()[name].pixels
    found = ycc_lattice.recover(pixels)
    assert found is not None and found.lattice == (
        ycc_lattice.JPEG if name == "jpeg" else ycc_lattice.PHOTO_YCC
    )
    assert {7, 50 * pixels.shape[1], 50 * pixels.shape[1] + 1} >= set(found.at.tolist()) and len(
        found.at
    ) >= 2
    wrong = (
        ycc_lattice.to_rgb(found.planes, found.lattice).reshape(-1, 3) != pixels.reshape(-1, 3)
    ).any(1)
    assert np.array_equal(np.flatnonzero(wrong), found.at)
    data = bbans.compress(pixels)
    assert np.array_equal(bbans.decompress(data), pixels)
    assert np.array_equal(bbans.decompress(data, region=(0, 40, 30, 20)), pixels[40:60, :30])
    for level in (1, 2):
        assert np.array_equal(
            bbans.decompress(data, preview=level), pixels[:: 2**level, :: 2**level]
        )
    facts = bbans.info(data)
    assert facts.account is not None and facts.account.total + facts.framing_bits == pytest.approx(
        8 * len(data), abs=1e-6
    )
    assert 8 * len(data) == pytest.approx(facts.ideal_bits, rel=0.03)
    with_alpha = np.dstack(
        [pixels, np.add.outer(np.arange(len(pixels)), np.arange(pixels.shape[1])).astype(np.uint8)]
    )
    assert np.array_equal(bbans.decompress(bbans.compress(with_alpha)), with_alpha)


def test_too_many_exceptions():
    pixels = on_lattice(pictures()["photo-2"].pixels[:64, :64], ycc_lattice.JPEG)
    assert ycc_lattice.recover(pixels) is not None  # 3 of 4096
    pixels[10:20, 10:20] = RNG.integers(0, 256, (10, 10, 3))
    assert ycc_lattice.recover(pixels) is None
    assert np.array_equal(bbans.decompress(bbans.compress(pixels)), pixels)


@pytest.mark.parametrize("seed", range(10))
def test_where_there_is_no_lattice(seed):
    assert ycc_lattice.recover(smooth_image(90, 70, seed)) is None
    assert (
        ycc_lattice.recover(
            np.random.default_rng(seed).integers(0, 256, (40, 40, 3), dtype=np.uint8)
        )
        is None
    )
    assert (
        ycc_lattice.recover(np.repeat(smooth_image(50, 60, seed, channels=1)[:, :, None], 3, 2))
        is None
    )  # grey ones gain nothing


def forged(before: bytes) -> bytes:
    """The golden file with other exceptions."""
    from dataclasses import replace
    from pathlib import Path

    made = container.read((Path(__file__).parent / "frozen" / "jpeg.bbans").read_bytes())
    (part,) = made.tiles[0].parts
    message = part.payload[len(prepare(pictures()["jpeg"].pixels)[0].before) :]
    tile = replace(made.tiles[0], parts=(replace(part, payload=before + message),))
    return container.write(replace(made, tiles=(tile,)))


@pytest.mark.parametrize(
    ("before", "words"),
    [
        (varint(1) + varint(130 * 110) + b"\0\0\0", "is pixel"),
        (varint(1) + varint(130 * 110 + 1) + b"\0\0\0", "a gap"),
        (varint(130 * 110 // 256 + 1), "their number"),
        (varint(3) + b"\7", "whole 32-bit words"),
        (b"\x80\0", "too many bytes"),
        (b"", None),
    ],
)
def test_damaged_exceptions(before, words):
    with pytest.raises(FormatError, match=words):
        bbans.decompress(forged(before))


@pytest.mark.shared
def test_the_kodak_scans_are_photo_ycc(shared):
    """All 24, but for a few pixels; no photograph of the other set is on a lattice."""
    exceptions = 0
    for name, pixels in load_folder(shared / "data" / "photos" / "kodak"):
        found = ycc_lattice.recover(pixels)
        assert found is not None and found.lattice == ycc_lattice.PHOTO_YCC, name
        exceptions += len(found.at)
    assert exceptions <= 400  # of 9.4 million pixels
    assert all(
        ycc_lattice.recover(p) is None
        for _, p in load_folder(shared / "data" / "photos" / "validation")
        if p.ndim == 3
    )


def test_a_coding_blind_to_histories_is_of_the_model_alone(repository):
    """What the tables call "history unknown" patches names of the package, which may move."""
    pixels = bbans.images.read_image(repository / "samples" / "tea-gardens.png").pixels[:64, :64]
    data = blind(pixels)
    assert np.array_equal(bbans.decompress(data), pixels)
    (part,) = container.read(data).tiles[0].parts
    assert part.lattice == 0 and part.orientation == 0
