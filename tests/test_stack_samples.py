"""Samples of every kind together with what a stack and tags of a TIFF add: signed, of 9 to 15 bits,
truth values, largest values, in pages, frames and planes.
"""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bbans
from bbans import container, images
from bbans.archives import stacks as archives
from bbans.errors import FormatError, OutputError
from bbans.files.metadata import chunks_of, restored
from bbans.images import stacks
from bbans.images.formats.tiff import tiff_bytes
from bbans.images.formats.tiff_stack import grey_layout, tiff_stack
from bbans.images.page import Page, grey_images
from tests.images.test_tiff_tags import facts
from tests.test_stacks import BANDS, PLANES, through, written

tifffile = pytest.importorskip("tifffile")

SIGNED = PLANES.astype(np.int16) * 90 - 9000
TWELVE = PLANES.astype(np.uint16) * 16
GREY = {"photometric": "minisblack"}
BITS = {"bitspersample": 12, **GREY}
TIFFS = {
    "signed": written(
        [
            (SIGNED[0], {"description": "first", **GREY}),
            (SIGNED[1].astype(np.int8), GREY),
            (BANDS.astype(np.int16) - 2000, {"planarconfig": "contig", **GREY}),
            (
                np.moveaxis(BANDS[..., :5], -1, 0).astype(np.int8),
                {"photometric": "rgb", "planarconfig": "separate", "extrasamples": [0, 2]},
            ),
        ]
    ),
    "big-endian": written([(page, GREY) for page in SIGNED], byteorder=">"),
    "12 bits": written([(page, BITS) for page in TWELVE]),
    "10 bits in bands": written(
        [(BANDS % 1024, {"bitspersample": 10, "planarconfig": "contig", **GREY})] * 2
    ),
    "last channels": written(
        [
            (BANDS[..., :2], {"planarconfig": "contig", "extrasamples": [extra], **GREY})
            for extra in (0, 1, 2)
        ]
    ),
}


@pytest.mark.parametrize("name", TIFFS)
def test_pages_come_back(name: str, tmp_path: Path) -> None:
    data = TIFFS[name]
    back = through(data, tmp_path)
    assert facts(back) == facts(data) and back[:2] == data[:2]
    with tifffile.TiffFile(BytesIO(data)) as one, tifffile.TiffFile(BytesIO(back)) as two:
        for first, second in zip(one.pages, two.pages, strict=True):
            np.testing.assert_array_equal(second.asarray(), first.asarray(), strict=True)
            for fact in ("bitspersample", "sampleformat", "extrasamples", "planarconfig"):
                assert getattr(first, fact) == getattr(second, fact), fact
    assert through(back, tmp_path) == back


def test_a_channel_after_the_colours_is_one_image_with_them() -> None:
    stack = stacks.open_stack(TIFFS["last channels"])
    assert stack is not None
    pages = list(stack.pages())
    assert [len(page.images) for page in pages] == [1, 1, 1]
    assert [page.images[0].samples.last_channel for page in pages] == [
        "unspecified",
        "premultiplied",
        "alpha",
    ]


@pytest.mark.parametrize(
    "array",
    [
        SIGNED,
        SIGNED.astype(">i2"),
        SIGNED.astype(np.int8),
        np.asfortranarray(SIGNED),
        BANDS.astype(np.int16) - 2000,
        (PLANES > 100)[None],
    ],
)
def test_arrays_come_back(array: np.ndarray, tmp_path: Path) -> None:
    """Byte for byte as files, and as arrays."""
    file = BytesIO()
    np.save(file, array)
    assert through(file.getvalue(), tmp_path) == file.getvalue()
    found = bbans.read_stack(tmp_path / "b")
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found, array)


def test_frames_of_any_largest_value_come_back(tmp_path: Path) -> None:
    data = b"P5\n3 1\n15\n\0\7\x0fP5\n2 1\n4095\n\x0f\xff\0\0P5\n3 1\n3\n\1\2\3P6\n1 1\n100\nabc"
    assert through(data, tmp_path) == data


def test_other_kinds_of_files(tmp_path: Path) -> None:
    bbans.compress_stack(SIGNED, tmp_path / "a", model="none")
    bbans.decompress_stack(tmp_path / "a", tmp_path / "a.tif")
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "a.tif"), SIGNED, strict=True)
    with pytest.raises(OutputError, match="PPM cannot hold signed samples"):
        bbans.decompress_stack(tmp_path / "a", tmp_path / "a.ppm", format="PPM")
    mixed = [Page((images.from_array(page),)) for page in (SIGNED[0], TWELVE[0])]
    with pytest.raises(OutputError, match="pages of one size and type"):
        b"".join(stacks.npy_stack(iter(mixed), stacks.shape_of_pages(mixed[0], 2)))
    data = b"".join(tiff_stack(iter(mixed), 2, 0))
    bbans.compress_stack(data, tmp_path / "b", model="none")
    with pytest.raises(OutputError, match="pages of one size and type"):
        bbans.read_stack(tmp_path / "b")


def test_items_of_one_image_have_samples_of_one_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def page_of_two_kinds(samples: np.ndarray, shape: Any) -> Page:
        signed = samples[..., :3].astype(np.int16)
        other = grey_images(samples[..., 3:], 16)
        return Page((images.from_array(signed), *other), grey_layout(shape.samples))

    with monkeypatch.context() as patched:
        patched.setattr(stacks, "array_page", page_of_two_kinds)
        bbans.compress_stack(BANDS, tmp_path / "a", model="none")
    with pytest.raises(FormatError, match="image 1 of the stack: .*different kinds"):
        archives.read_stack(tmp_path / "a")


def image_of(array: np.ndarray, **options: Any) -> images.Image:
    buffer = BytesIO()
    tifffile.imwrite(buffer, array, metadata=None, description="a view", **options)
    return images.read_image(buffer.getvalue())


@pytest.mark.parametrize("name", ["signed", "12 bits", "12 bits, white is zero", "unspecified"])
def test_an_image_keeps_its_samples_and_its_tags(name: str, tmp_path: Path) -> None:
    image = {
        "signed": lambda: image_of(SIGNED[0], **GREY),
        "12 bits": lambda: image_of(TWELVE[0], **BITS),
        "12 bits, white is zero": lambda: image_of(
            TWELVE[0], bitspersample=12, photometric="miniswhite"
        ),
        "unspecified": lambda: image_of(BANDS[..., :2], extrasamples=[0], **GREY),
    }[name]()
    assert image.tiff is not None and image.samples != images.SampleKind()
    assert [chunk.kind for chunk in chunks_of(image)][:: len(chunks_of(image)) - 1] == [7, 8]
    data = bbans.compress(image, model="none")
    (tmp_path / "a.bbans").write_bytes(data)
    back = bbans.decompress_image(data)
    assert images.same_image(back, image)
    assert images.same_image(images.rebuilt(back), image)
    assert images.without_metadata(back).samples == image.samples
    assert images.without_metadata(back).tiff is None
    bbans.decompress_file(tmp_path / "a.bbans", tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == tiff_bytes(image)
    assert images.same_image(images.read_image(tmp_path / "a"), image)


def test_white_is_zero_in_unsigned_samples_only() -> None:
    white = image_of(TWELVE[0], bitspersample=12, photometric="miniswhite")
    np.testing.assert_array_equal(white.pixels, 4095 - TWELVE[0])
    signed = replace(images.from_array(SIGNED[0]), tiff=white.tiff)
    pixel_format = container.FORMATS[container.format_of(1, 16, False).code]
    with pytest.raises(FormatError, match="not grey and unsigned"):
        restored(images.coded_samples(signed), chunks_of(signed), pixel_format)
