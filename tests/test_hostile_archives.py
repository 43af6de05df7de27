"""Damaged and forged archives through the public functions, messages and models included: named
errors only, and soon.
"""

import random
import time
import zlib
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

import bbans
from bbans.container import archive_reader as reader
from bbans.container import archive_writer as writer
from bbans.container.archive_records import Archive, ChainedGroup
from bbans.errors import BbansError
from bbans.training import latent_run
from tests.container.test_archive_format import body_of, forged
from tests.digits import digits
from tests.methods.trained import RECIPES, data, trained
from tests.mutations import mutated
from tests.tiny import smooth_image

SECONDS = 2.0


@cache
def members() -> tuple[tuple[str, np.ndarray], ...]:
    named = ((f"{i:02d}", image) for i, image in enumerate(digits(30, seed=3)[0].reshape(-1, 8, 8)))
    return *named, ("photo", smooth_image(9, 11))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    net = trained("vae", 120)[0]
    path = tmp_path_factory.mktemp("model") / "vae.safetensors"
    path.write_bytes(latent_run.model_file(net, RECIPES["vae"], [], data(17)[1]))
    return path


@pytest.fixture(scope="module")
def seeds(model, tmp_path_factory) -> list[bytes]:
    """Archives of digits and one picture of another size: in order, without order, with the model
    inside, with particles.
    """
    place = tmp_path_factory.mktemp("archives")
    found = []
    for options in (
        {},
        {"unordered": True, "scheme": "bb-cis", "particles": 3},
        {"embed_model": True},
        {"scheme": "bb-is", "particles": 2},
    ):
        path = place / f"{len(found)}.bbar"
        bbans.create_archive(path, members(), model=model, file_model="none", group=16, **options)
        found.append(path.read_bytes())
    return found


def attempt(data: bytes, model, place) -> BbansError | None:
    """The error that reading ends in, of up to 2^11 pixels; anything else but success is a
    failure.
    """
    path = place / "archive.bbar"
    path.write_bytes(data)
    start = time.process_time()
    error: BbansError | None = None
    try:
        bbans.list_archive(path)
        found_images = [
            image.pixels
            for _, image in bbans.read_archive(path, model=model, threads=1, max_pixels=2**11)
        ]
        # what is taken is whole: damage to a model that is not asked for, or none
        assert sorted(pixels.tobytes() for pixels in found_images) == sorted(
            pixels.tobytes() for _, pixels in members()
        )
    except BbansError as found:
        error = found
        assert "\n" not in str(found)
    assert time.process_time() - start < SECONDS
    return error


def with_checksums(data: bytes, rng: random.Random) -> bytes:
    """A message with damage under a right checksum, or a value of the index changed."""
    index = reader.read_archive_index(data)
    payloads = bytearray(body_of(data)[1])
    start = len(data) - len(payloads)
    archive: Archive = index.archive
    if rng.random() < 0.4:
        return writer.write_index(forged(archive, rng)) + payloads
    groups = list(archive.groups)
    at = rng.choice([n for n, group in enumerate(groups) if isinstance(group, ChainedGroup)])
    group = groups[at]
    first = index.groups[at] - start
    message = bytearray(payloads[first : first + group.size])
    for _ in range(rng.choice((1, 1, 2, 8))):
        message[rng.randrange(len(message))] ^= 1 << rng.randrange(8)
    payloads[first : first + group.size] = message
    groups[at] = replace(group, payload_crc=zlib.crc32(message))
    return writer.write_index(replace(archive, groups=tuple(groups))) + payloads


@pytest.mark.parametrize("block", range(2))
def test_damaged_archives(seeds, model, tmp_path, block):
    rng = random.Random(f"damaged archives {block}")
    errors = [attempt(mutated(rng.choice(seeds), rng, seeds), model, tmp_path) for _ in range(300)]
    assert sum(error is not None for error in errors) > 250


def test_forged_archives(seeds, model, tmp_path, monkeypatch):
    rng = random.Random("forged archives")
    monkeypatch.setattr(writer, "check_archive", lambda archive: None)
    errors = [attempt(with_checksums(rng.choice(seeds), rng), model, tmp_path) for _ in range(150)]
    names = {type(error).__name__ for error in errors if error is not None}
    assert names >= {"FormatError", "ModelNotFoundError"}, names
    assert sum(error is not None for error in errors) > 120


def test_what_is_attempted_can_be_read(seeds, model, tmp_path):
    for archive in seeds:
        assert attempt(archive, model, tmp_path) is None
