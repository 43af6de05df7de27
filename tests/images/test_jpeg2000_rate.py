"""A reversible JPEG 2000 that was cut to a rate is found out by its packets, one that was not is
taken: in every order of packets, in tiles, precincts, layers and blocks of several sizes.
"""

from __future__ import annotations

import random
import time
from io import BytesIO
from typing import Any

import imagecodecs
import numpy as np
import PIL.Image
import pytest
from numpy.typing import NDArray

from bbans.errors import JpegInputError
from bbans.images import read_image
from bbans.images.formats.jpeg2000_packets import Bits, MissingError, TagTree, _passes, _segments
from bbans.images.formats.jpeg2000_rate import cut_to_rate
from tests.tiny import smooth_image

ORDERS = ("LRCP", "RLCP", "RPCL", "PCRL", "CPRL")
LAYOUTS: tuple[dict[str, Any], ...] = (
    {},
    {"tile_size": (64, 48)},
    {"num_resolutions": 1},
    {"num_resolutions": 3, "codeblock_size": (16, 16)},
    {"precinct_size": (32, 32)},
    {"precinct_size": (64, 64), "codeblock_size": (8, 32)},
    {"tile_size": (64, 64), "offset": (13, 7)},
    {"mct": 1, "plt": True},
)
LAYERS = {"quality_mode": "rates", "quality_layers": [40, 10, 1]}


def noisy(height: int, width: int) -> NDArray[np.uint8]:
    noise = np.random.default_rng(0).integers(0, 9, (height, width, 3), dtype=np.uint8)
    return smooth_image(height, width) // 2 + noise


def codestream(array: NDArray[Any], **options: Any) -> bytes:
    buffer = BytesIO()
    PIL.Image.fromarray(array).save(buffer, "JPEG2000", irreversible=False, no_jp2=True, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_what_was_cut_and_what_was_not(order: str, layout: dict[str, Any]) -> None:
    for picture in (noisy(70, 99), noisy(70, 99)[:, :, 0]):
        whole = codestream(picture, progression=order, **layout)
        assert cut_to_rate(whole) is False
        assert cut_to_rate(codestream(picture, progression=order, **layout, **LAYERS)) is False
        np.testing.assert_array_equal(read_image(whole).pixels, picture)
        for rates in ([40, 8],):
            cut = codestream(
                picture, progression=order, quality_mode="rates", quality_layers=rates, **layout
            )
            decoded = imagecodecs.jpeg2k_decode(cut)
            assert not np.array_equal(decoded, picture)
            assert cut_to_rate(cut) is True
            with pytest.raises(JpegInputError, match="coding passes were left out"):
                read_image(cut)
            np.testing.assert_array_equal(read_image(cut, as_pixels=True).pixels, decoded)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 9), (37, 1), (5, 3)])
@pytest.mark.parametrize("order", ORDERS)
def test_small_images_and_flat_ones(height: int, width: int, order: str) -> None:
    for picture in (noisy(height, width), np.zeros((height, width, 3), np.uint8)):
        data = bytes(imagecodecs.jpeg2k_encode(picture, 0, codecformat="j2k", reversible=True))
        assert cut_to_rate(data) is False


def test_a_file_cut_after_a_packet_lacks_the_others() -> None:
    """The length of the tile-part is mended, so that nothing but the packets says so."""
    data = codestream(noisy(64, 64), num_resolutions=4)
    start = data.index(b"\xff\x90")
    for size in range(start + 40, len(data) - 40, 501):
        shorter = bytearray(data[:size] + b"\xff\xd9")
        shorter[start + 6 : start + 10] = (size - start).to_bytes(4, "big")
        assert cut_to_rate(bytes(shorter)) is True
    assert cut_to_rate(data[:-200]) is None  # damage, of which the decoder speaks


def test_what_is_not_followed_is_taken() -> None:
    data = codestream(noisy(40, 40))
    at = data.index(b"\xff\x52")
    for marker in (0x50, 0x5E, 0x5F, 0x60, 0x61):
        other = data[:at] + bytes([0xFF, marker, 0, 4, 0, 0]) + data[at:]
        assert cut_to_rate(other) is None


def test_damaged_codestreams_end_soon() -> None:
    data = codestream(noisy(60, 60), tile_size=(32, 32))
    rng = random.Random(0)
    start = time.process_time()
    for _ in range(100):
        other = bytearray(data)
        for _ in range(rng.randrange(1, 4)):
            other[rng.randrange(min(len(other), rng.choice((120, len(other)))))] = rng.randrange(
                256
            )
        assert cut_to_rate(bytes(other)) in (True, False, None)
    assert time.process_time() - start < 60


def test_a_bit_after_a_byte_of_ones_is_stuffed() -> None:
    bits = Bits(b"\xff\x7f\xff\x00", 0)
    assert [bits.read(8), bits.read(7), bits.read(8)] == [255, 127, 255]
    assert bits.end() == 4
    with pytest.raises(MissingError):
        Bits(b"", 0).read(1)


@pytest.mark.parametrize(
    ("code", "passes"),
    [("0", 1), ("10", 2), ("1100", 3), ("1110", 5), ("111100000", 6), ("111111110", 36),
     ("1111111110000000", 37), ("1111111111111111", 164)],
)  # fmt: skip
def test_numbers_of_passes(code: str, passes: int) -> None:
    stuffed, ones = "", 0
    for bit in code:  # a zero bit after every byte of ones
        stuffed += bit
        ones = ones + 1 if bit == "1" else 0
        if len(stuffed) % 8 == 0 and stuffed[-8:] == "11111111":
            stuffed += "0"
    packed = int(stuffed.ljust(32, "0"), 2).to_bytes(4, "big")
    assert _passes(Bits(packed, 0)) == passes


def test_codeword_segments() -> None:
    assert list(_segments(0, 20, 0)) == [20]
    assert list(_segments(0, 3, 4)) == [1, 1, 1]
    assert list(_segments(0, 17, 1)) == [10, 2, 1, 2, 1, 1]
    assert list(_segments(11, 4, 1)) == [1, 1, 2]


def test_a_tag_tree_reads_what_was_not_known() -> None:
    """The example of the standard (figure B.12): leaves 1, 3, 2 in the first row of six."""
    tree = TagTree(6, 3)
    bits = Bits(int("01111001101".ljust(16, "0"), 2).to_bytes(2, "big"), 0)
    values = [tree.value(x, 0, bits) for x in range(3)]
    assert values == [1, 3, 2]
