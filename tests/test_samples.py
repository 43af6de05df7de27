"""Signed samples, truth values and largest values through files, archives, regions, previews, what
is left of damage, other programs and the command line.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

import bbans
import bbans.integrations.pillow  # registers the format
from bbans import images
from bbans.errors import InputError, OutputExistsError
from bbans.files.on_disk import default_kind
from bbans_cli.main import main
from tests.chains import chain_model, picture
from tests.tiny import smooth_image, tiny_model

CT = (smooth_image(90, 70, channels=1).astype(np.int16) * 12 - 1000).astype(np.int16)
TWELVE = images.make_image(
    (CT + 1000).astype(np.uint16), (), 16, samples=images.SampleKind(largest=4095)
)


@pytest.mark.parametrize("model", ["none", "tiny"])
@pytest.mark.parametrize("dtype", ["i1", "i2", "?"])
@pytest.mark.parametrize("channels", [1, 3])
def test_arrays_come_back_as_they_were(model: str, dtype: str, channels: int) -> None:
    base = smooth_image(40, 50, channels=channels)
    array = (base > 99) if dtype == "?" else (base.astype(np.int16) * (1 if dtype == "i1" else 90))
    array = (array - 0 if dtype == "?" else array - (128 if dtype == "i1" else 9000)).astype(dtype)
    data = bbans.compress(array, model="none" if model == "none" else tiny_model())
    given = None if model == "none" else tiny_model()
    np.testing.assert_array_equal(bbans.decompress(data, model=given), array, strict=True)
    part = bbans.decompress(data, model=given, region=(3, 4, 20, 9))
    np.testing.assert_array_equal(part, array[4:13, 3:23], strict=True)
    half = bbans.decompress(data, model=given, preview=1)
    np.testing.assert_array_equal(half, array[::2, ::2], strict=True)


def test_signed_samples_take_what_unsigned_ones_take() -> None:
    """The order of samples is kept, so that a predictor sees the same differences."""
    unsigned = (CT.astype(np.int32) + 2**15).astype(np.uint16)
    signed, plain = (bbans.compress(array, model=tiny_model()) for array in (CT, unsigned))
    assert len(signed) <= len(plain) + 9


def test_missing_tiles_of_signed_images_are_zero() -> None:
    noise = np.random.default_rng(0).integers(-2048, 2048, (20, 20)).astype(np.int16)
    image = images.make_image(noise, (), 16, samples=images.SampleKind(True, largest=2047))
    found, damage = bbans.salvage(bbans.compress(image, model="none")[:-9])
    assert len(damage) == 1 and found.pixels.dtype == np.int16 and not found.pixels.any()


def test_info_says_what_samples_mean() -> None:
    facts = bbans.info(bbans.compress(CT, model="none"))
    assert (facts.samples, facts.to_dict()["samples"]) == ("signed", "signed")
    assert "grey16 (signed);" in facts.lines()[0]
    assert bbans.info(bbans.compress(TWELVE, model="none"), account=False).samples == "to 4095"
    assert bbans.info(bbans.compress(CT > 0, model="none"), account=False).samples == "boolean"


def test_pillow_opens_them(tmp_path: Path) -> None:
    (tmp_path / "ct.bbans").write_bytes(bbans.compress(CT, model="none"))
    with PIL.Image.open(tmp_path / "ct.bbans") as opened:
        assert opened.mode == "I"
        np.testing.assert_array_equal(np.asarray(opened), CT)
    np.testing.assert_array_equal(np.asarray(bbans.open(tmp_path / "ct.bbans")), CT)
    (tmp_path / "x.bbans").write_bytes(bbans.compress(CT > 0, model="none"))
    with PIL.Image.open(tmp_path / "x.bbans") as opened:
        assert opened.mode == "1"
    premultiplied = images.make_image(
        smooth_image(9, 8, channels=3)[:, :, [0, 1, 2, 0]],
        samples=images.SampleKind(last_channel="premultiplied"),
    )
    (tmp_path / "a.bbans").write_bytes(bbans.compress(premultiplied, model="none"))
    with PIL.Image.open(tmp_path / "a.bbans") as opened:
        assert (opened.mode, opened.tobytes()) == ("RGBa", premultiplied.pixels.tobytes())


@pytest.mark.parametrize("name", ["binary"])
def test_truth_values_are_coded_by_a_chain(name: str, tmp_path: Path) -> None:
    model = chain_model(name)
    truth = picture(model).astype(bool)
    data = bbans.compress(truth, model=model)
    np.testing.assert_array_equal(bbans.decompress(data, model=model), truth, strict=True)
    several = [
        (str(i), truth ^ (np.arange(truth.size).reshape(truth.shape) % 7 == i)) for i in range(9)
    ]
    bbans.create_archive(tmp_path / "a.bbar", several, model=model)
    for key, image in bbans.read_archive(tmp_path / "a.bbar", model=model):
        np.testing.assert_array_equal(image.pixels, dict(several)[key], strict=True)


def test_archives_restore_each_to_what_holds_it(tmp_path: Path) -> None:
    members = [
        ("ct.tif", CT),
        ("twelve", TWELVE),
        ("mask.npy", CT > 0),
        ("plain", CT.view(np.uint16)),
    ]
    bbans.create_archive(tmp_path / "a.bbar", members, model="none")
    found = {name: image for name, image in bbans.read_archive(tmp_path / "a.bbar")}
    assert all(images.same_image(found[name], images.as_image(given)) for name, given in members)
    result = bbans.extract_archive(tmp_path / "a.bbar", output=tmp_path / "out")
    names = sorted(path.name for path in result.written)
    assert names == ["ct.tif", "mask.npy.png", "plain.png", "twelve.ppm"]
    np.testing.assert_array_equal(images.read_image(tmp_path / "out" / "ct.tif").pixels, CT)
    assert images.same_image(images.read_image(tmp_path / "out" / "twelve.ppm"), TWELVE)
    with pytest.raises(OutputExistsError):
        bbans.extract_archive(tmp_path / "a.bbar", ["ct.tif"], output=tmp_path / "out")


def run(*arguments: str | Path) -> int:
    return main([str(argument) for argument in arguments])


def test_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("ct.npy", CT)
    np.save("real.npy", CT.astype(np.float32))
    Path("x.pgm").write_bytes(b"P5\n70 90\n4095\n" + TWELVE.pixels.astype(">u2").tobytes())
    assert run("compress", "--model", "none", "-q", "ct.npy", "x.pgm") == 0
    assert (default_kind("ct.bbans"), default_kind("x.bbans")) == ("tiff", "ppm")
    assert run("decompress", "-q", "ct.bbans", "x.bbans") == 0
    np.testing.assert_array_equal(images.read_image("ct.tiff").pixels, CT)
    assert Path("x.ppm").read_bytes() == Path("x.pgm").read_bytes()
    assert run("decompress", "-q", "ct.bbans", "-o", "again") == 0
    assert images.read_image("again").tiff is not None
    again = replace(images.read_image("again"), tiff=None)
    assert images.same_image(again, images.from_array(CT))
    capsys.readouterr()
    assert run("decompress", "-q", "ct.bbans", "-o", "ct.png") == 4
    assert "PNG cannot hold signed samples: choose TIFF or NPY" in capsys.readouterr().err
    assert not Path("ct.png").exists()
    assert run("compress", "-q", "real.npy") == 3
    assert "floating-point samples (float32) are not coded: code them" in capsys.readouterr().err
    assert run("info", "--json", "ct.bbans") == 0
    assert json.loads(capsys.readouterr().out)["samples"] == "signed"


def test_paths_and_tensors_are_named() -> None:
    torch = pytest.importorskip("torch")
    with pytest.raises(InputError, match="compress_file"):
        bbans.compress("photo.png")
    with pytest.raises(InputError, match=r"torch Tensor: pass x\.cpu\(\)\.numpy\(\)"):
        bbans.compress(torch.zeros(2, 3, dtype=torch.uint8))
