"""Tiles that are coded in another orientation: the one that suits halved chroma is found, and
everything comes back as it was.
"""

import numpy as np
import pytest

import bbans
from bbans import container, tiles
from bbans.tiles.codecs.pyramid import ideal_bits
from bbans.tiles.transforms.orientation import detect_orientation, turn, turn_back, turned_shape
from tests.frozen.make import pictures
from tests.tiny import prepared_file, smooth_image, tiny_model


def halved(h: int, w: int, rows: int, columns: int, seed: int = 0) -> np.ndarray:
    """A photograph whose chroma is original in rows of parity `rows` and columns of parity
    `columns` and interpolated elsewhere.
    """
    image = smooth_image(h, w, seed).astype(np.int32)
    chroma = image - image[:, :, 1:2]
    for axis, parity in ((0, rows), (1, columns)):
        c = chroma.swapaxes(0, axis)
        first = 2 if parity else 1
        c[first:-1:2] = (c[first - 1 : -2 : 2] + c[first + 1 :: 2]) >> 1
    return (chroma + image[:, :, 1:2]).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("orientation", range(8))
@pytest.mark.parametrize("shape", [(1, 1, 3), (4, 7), (6, 5, 1)])
def test_turning_back(orientation, shape):
    samples = np.arange(np.prod(shape)).reshape(shape)
    turned = turn(samples, orientation)
    assert turned.shape[:2] == turned_shape(shape[:2], orientation) and np.array_equal(
        turn_back(turned, orientation), samples
    )
    views = {turn(np.arange(6).reshape(2, 3), o).tobytes() for o in range(8)}
    assert len(views) == 8


@pytest.mark.parametrize(("rows", "columns"), [(0, 0), (0, 1), (1, 0), (1, 1)])
@pytest.mark.parametrize("shape", [(64, 80), (1500, 66)])
def test_the_lattice_of_halved_chroma_is_found(rows, columns, shape):
    image = halved(*shape, rows, columns)
    assert detect_orientation(image) == rows + 2 * columns
    assert detect_orientation(image.astype(np.uint16) * 257) == rows + 2 * columns
    back = turn(image, detect_orientation(image))
    assert detect_orientation(back) == 0


@pytest.mark.parametrize("seed", range(20))
def test_photographs_without_a_lattice_stay_as_they_are(seed):
    assert detect_orientation(smooth_image(120, 90, seed)) == 0


def test_where_there_is_nothing_to_find():
    image = halved(65, 80, 1, 1)
    assert (
        detect_orientation(image) == 2
    )  # an odd number of rows reversed begins with the same parity
    assert (
        detect_orientation(image[:, :, :1]) == 0
        and detect_orientation(image[:3, :3]) == 0
        and detect_orientation(np.zeros((8, 8, 3), np.uint8)) == 0
    )


def test_a_prepared_file():
    image = np.ascontiguousarray(pictures()["turned"].pixels[:, ::-1])
    data = bbans.compress(image)
    (part,) = container.read(data).tiles[0].parts
    assert (part.codec, part.orientation) == (container.PREPARED, 3)
    assert np.array_equal(bbans.decompress(data), image)
    assert np.array_equal(bbans.decompress(data, region=(11, 22, 33, 44)), image[22:66, 11:44])
    for level in (1, 3):
        assert np.array_equal(
            bbans.decompress(data, preview=level), image[:: 2**level, :: 2**level]
        )
    found = bbans.info(data)
    assert found.codecs == {"bits-back, prepared": 1}
    assert 8 * found.file_bytes == pytest.approx(
        found.ideal_bits, rel=0.02
    )  # of the turned samples, which are 4 % shorter


@pytest.mark.parametrize("orientation", range(1, 8))
def test_every_orientation_decodes(orientation):
    """16-bit samples too, from a file made by hand."""
    image = smooth_image(37, 50).astype(np.uint16) * 201
    assert np.array_equal(
        bbans.decompress(prepared_file(image, orientation), model=tiny_model()), image
    )


def test_the_right_orientation_is_shorter():
    """A crop of a photograph with halved chroma, original in odd rows: at least 1 % by the shipped
    model.
    """
    image = pictures()["turned"].pixels
    context = tiles.context_of(bbans.load_model(), tiles.fastest_ops())
    turned, plain = (
        ideal_bits(context.net, turn(image, o), None, 8, 4) for o in (detect_orientation(image), 0)
    )
    assert detect_orientation(image) == 1 and turned < 0.99 * plain
