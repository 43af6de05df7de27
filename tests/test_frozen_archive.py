"""A golden archive: 40 digits of 8 x 8 chained by Bit-Swap under a two-layer VAE that it carries.

Its bytes and its images stay.
"""

import hashlib
from pathlib import Path

import numpy as np

import bbans
from bbans.container import archive_reader

GOLDEN = Path(__file__).resolve().parent / "frozen" / "digits.bbar"
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
