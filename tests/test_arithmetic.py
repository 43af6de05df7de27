"""A file decodes everywhere or is not made: coding by torch under every switch of it gives the
files of the default engine, and verification is by other arithmetic.
"""

import numpy as np
import pytest
from PIL import Image

import bbans
from bbans import tiles
from bbans.errors import FormatError, VerificationError
from bbans.exact import convolutions
from bbans.exact.convolutions import switches
from bbans.exact.torch_ops import torch_ops
from tests.chains import chain_model, picture
from tests.exact.test_convolutions import SWITCHES, reduced

bf16 = reduced(8)

SIDE = 64  # rows of a 1 x 1 kernel are a batch: from 16 on NNPACK takes them where oneDNN does not


@pytest.fixture(scope="module")
def crop(repository):
    with Image.open(repository / "samples" / "tea-gardens.png") as image:
        return np.asarray(image)[200 : 200 + SIDE, 300 : 300 + SIDE].copy()


@pytest.fixture(autouse=True)
def by_torch(monkeypatch):
    """What tests code is coded by torch."""
    monkeypatch.setattr(tiles, "fastest_ops", torch_ops)


@pytest.fixture(scope="module")
def quiet(crop):
    """Files of the default engine, with their previews."""
    efforts = ("default", False), ("default", True), ("fast", False)
    made = {
        (effort, grey): bbans.compress(
            crop[..., 1] if grey else crop, effort=effort, model_only=True
        )
        for effort, grey in efforts
    }
    return {
        key: (data, [bbans.decompress(data, preview=level) for level in range(4)])
        for key, data in made.items()
    }


@pytest.mark.parametrize("name", SWITCHES)
def test_files_and_previews_are_the_same_under_every_switch(name, crop, quiet):
    for (effort, grey), (data, previews) in quiet.items():
        pixels = crop[..., 1] if grey else crop
        with SWITCHES[name]():
            before = switches("cpu")
            assert bbans.compress(pixels, effort=effort, model_only=True) == data
            found = [bbans.decompress(data, preview=level) for level in range(4)]
            assert switches("cpu") == before
        assert np.array_equal(found[0], pixels)
        for preview, expected in zip(found, previews, strict=True):
            assert np.array_equal(preview, expected)


@pytest.mark.parametrize(
    "name", ["without oneDNN", "with neither", "double by default", "medium precision"]
)
def test_chains_are_the_same_under_switches(name, tmp_path):
    model = chain_model("pyramid")
    images = [(str(i), picture(model, i)) for i in range(12)]
    bbans.create_archive(tmp_path / "quiet.bbar", images, model=model)
    with SWITCHES[name]():
        bbans.create_archive(tmp_path / "other.bbar", images, model=model)
        assert (tmp_path / "other.bbar").read_bytes() == (tmp_path / "quiet.bbar").read_bytes()
        back = dict(bbans.read_archive(tmp_path / "quiet.bbar", model=model))
    assert all(np.array_equal(back[name].pixels, image) for name, image in images)


@pytest.fixture
def wrong_and_trusted(monkeypatch):
    """torch's convolutions round to bf16, and nothing notices: what an unknown fault of a library
    would be.
    """
    known = convolutions.known_exact
    monkeypatch.setattr("bbans.exact.torch_ops.library", bf16)
    monkeypatch.setattr(
        convolutions, "known_exact", lambda way, *case: way is bf16 or known(way, *case)
    )


@pytest.mark.parametrize("grey", [False, True])
def test_verification_is_by_other_arithmetic_than_the_encoders(
    grey, crop, quiet, wrong_and_trusted
):
    pixels = crop[..., 1] if grey else crop
    with pytest.raises(VerificationError, match="nothing was written"):
        bbans.compress(pixels, model_only=True)
    made = bbans.compress(pixels, verify=False, model_only=True)
    assert made != quiet["default", grey][0]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bbans.exact.torch_ops.library", convolutions.library)
        with pytest.raises(FormatError):
            bbans.decompress(made)


def test_an_archive_is_verified_by_other_arithmetic(tmp_path, wrong_and_trusted):
    model = chain_model("pyramid")
    images = [(str(i), picture(model, i)) for i in range(12)]
    with pytest.raises(VerificationError, match="nothing was written"):
        bbans.create_archive(tmp_path / "made.bbar", images, model=model)
    assert not (tmp_path / "made.bbar").exists()


def test_the_verifier_multiplies_by_other_code(crop, monkeypatch):
    """It never calls the way by which the encoder convolved, and convolves as often."""
    calls = {"library": 0, "products": 0}

    def counted(name):
        way = getattr(convolutions, name)

        def call(*parts):
            calls[name] += 1
            return way(*parts)

        return call

    for name in calls:
        monkeypatch.setattr(f"bbans.exact.torch_ops.{name}", counted(name))
    data = bbans.compress(crop, verify=False, model_only=True)
    encoded = dict(calls)
    assert encoded["library"] > 100 and not encoded["products"]
    monkeypatch.setattr(tiles, "fastest_ops", lambda: torch_ops().independently())
    calls.update(library=0, products=0)
    assert np.array_equal(bbans.decompress(data), crop)
    assert calls["products"] > 100 and not calls["library"]
