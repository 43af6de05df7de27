"""Golden archives: 40 digits of 8 x 8 chained by Bit-Swap under a two-layer VAE that it carries,
and a stack of three pages of a TIFF.

Their bytes and their images stay.
"""

import hashlib
from pathlib import Path

import numpy as np

import bbans
from bbans.container import archive_reader
from tests.container import independent, independent_archive
from tests.frozen.make import stack

GOLDEN = Path(__file__).resolve().parent / "frozen" / "digits.bbar"
STACK = GOLDEN.with_name("stack.bbar")
PIXELS = "b71a6baeaf8e6315a6107023a212e9cbbc5b7fae2b429fdfd595369481a19080"


def test_it_needs_nothing_else():
    images = np.stack([image.pixels for _, image in bbans.read_archive(GOLDEN)])
    assert images.shape == (40, 8, 8)
    assert hashlib.sha256(images.tobytes()).hexdigest() == PIXELS
    (group,) = bbans.list_archive(GOLDEN).to_dict()["groups"]
    assert (group["kind"], group["scheme"], group["items"]) == ("chained", "Bit-Swap", 40)


def test_the_same_images_make_the_same_bytes(tmp_path):
    data = GOLDEN.read_bytes()
    model = tmp_path / "digits.safetensors"
    model.write_bytes(
        archive_reader.read_model_file(data, archive_reader.read_archive_index(data), 0)
    )
    np.save(
        tmp_path / "digits.npy", np.stack([image.pixels for _, image in bbans.read_archive(GOLDEN)])
    )
    bbans.create_archive(
        tmp_path / "again.bbar", tmp_path / "digits.npy", model=model, embed_model=True
    )
    assert (tmp_path / "again.bbar").read_bytes() == data


def test_the_stack_comes_back(tmp_path):
    bbans.decompress_stack(STACK, tmp_path / "stack.tif")
    assert (tmp_path / "stack.tif").read_bytes() == stack()
    bbans.compress_stack(stack(), tmp_path / "again.bbans", model="none")
    assert (tmp_path / "again.bbans").read_bytes() == STACK.read_bytes()


def test_the_second_reader_sees_its_pages():
    archive = independent_archive.read(STACK.read_bytes())
    assert archive.stack == (1, ((1,), (3,), (5, 2, 1, (0, 0))))
    assert [independent.read(file).format for file in archive.payloads] == [0, 1, 1, 0, 0]
    tags = [independent.tags(independent.read(file)) for file in archive.payloads]
    assert [number for number, *_ in tags[0][1]] == [262, 270, 282, 296, 33550, 34665, 34675]
    assert tags[1:] == [(0, ()), (0, ()), None, None]
