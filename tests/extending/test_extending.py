"""A new model family, scheme, tile codec, image format or bound is one module: each is registered
from one that lies here, nothing in the package is touched, and goes the whole way.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import bbans
from bbans import container
from bbans.container import schemes, tile_codecs
from bbans.errors import InputError
from bbans.images.formats import registry as formats
from bbans.models import registry as families
from bbans.models.model_file import load_file
from bbans.schemes import registry as scheme_rows
from bbans.tiles import registry as codecs
from bbans.training import registry as objectives
from bbans_cli.main import main
from tests.digits import digits
from tests.extending import toy_bound, toy_family, toy_image_format, toy_scheme, toy_tile_codec
from tests.tiny import tiny_model

TABLES = (
    families.FAMILIES,
    scheme_rows.SCHEMES,
    schemes.SCHEMES,
    codecs.CODECS,
    tile_codecs.CODECS,
    formats.FORMATS,
    objectives.OBJECTIVES,
)
RECIPE = """
family = "{family}"
steps = 40
batch = 20
validate_every = 20
[model]
hidden = 8
hidden_layers = 1
{model}
"""


@pytest.fixture(autouse=True)
def tables_as_before() -> Iterator[None]:
    """What a test registers is gone after it."""
    before = [dict(table) for table in TABLES]
    yield
    for table, rows in zip(TABLES, before, strict=True):
        table.clear()
        table.update(rows)


def train(folder: Path, family: str, model: str, **options: str) -> Path:
    """A model file of a family, trained on 8 x 8 images for a moment."""
    np.save(folder / "digits.npy", digits(120)[0].reshape(-1, 8, 8))
    (folder / "recipe.toml").write_text(RECIPE.format(family=family, model=model))
    output = folder / f"{family}.safetensors"
    settings = bbans.TrainOptions(recipe=folder / "recipe.toml", threads=1, **options)
    bbans.train_model(folder / "digits.npy", output, settings)
    return output


def check_model(folder: Path, model: Path, **options: str) -> None:
    """Files, archives and rates of images by a model, all of which come back."""
    images = digits(130)[0].reshape(-1, 8, 8)[120:].astype(np.uint8)
    named = [(f"{i}.png", image) for i, image in enumerate(images)]
    data = bbans.compress(images[0], model=model, **options)
    assert np.array_equal(bbans.decompress(data, model=model), images[0])
    archive = folder / "all.bbar"
    made = bbans.create_archive(archive, named, model=model, overwrite=True, **options)
    assert made.chained == len(images)
    back = dict(bbans.read_archive(archive, model=model))
    assert all(np.array_equal(back[name].pixels, image) for name, image in named)
    rates = bbans.evaluate(named, model, draws=2, **options).rates()
    assert 0 < rates["net"] < 8


def test_a_model_family(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not one of"):
        train(tmp_path, "bright", "")
    toy_family.add()
    with pytest.raises(ValueError, match="there already"):
        toy_family.add()
    model = train(tmp_path, "bright", "")
    assert load_file(model).family == "bright" and load_file(model).capabilities.deterministic
    check_model(tmp_path, model)
    assert "bright" in bbans.evaluate([("0", np.zeros((8, 8), np.uint8))], model).lines()[0]


def test_a_scheme(tmp_path: Path) -> None:
    model = train(tmp_path, "vae", "latents = [2]")
    image = digits(1)[0].reshape(8, 8).astype(np.uint8)
    with pytest.raises(InputError, match="not coded with 'no-latents'"):
        bbans.compress(image, model=model, scheme="no-latents")
    toy_scheme.add()
    data = bbans.compress(image, model=model, scheme="no-latents")
    assert np.array_equal(bbans.decompress(data, model=model), image)
    assert "latent chain, no latents" in bbans.info(data, model=model).codecs
    check_model(tmp_path, model, scheme="no-latents")
    assert bbans.list_archive(tmp_path / "all.bbar").groups[0].scheme == "no latents"


def test_a_scheme_of_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    toy_scheme.add()
    assert main(["compress", "--help"]) == 0 and "no-latents" in capsys.readouterr().out


def test_a_tile_codec(tmp_path: Path) -> None:
    ramp = (3 + 7 * np.arange(90 * 120 * 3)).astype(np.uint8).reshape(90, 120, 3)
    before = bbans.compress(ramp, model=tiny_model())
    toy_tile_codec.add()
    data = bbans.compress(ramp, model=tiny_model())
    (tile,) = container.read(data).tiles
    assert [part.codec for part in tile.parts] == [toy_tile_codec.RAMP]
    assert len(data) == 36 < len(before)
    assert np.array_equal(bbans.decompress(data), ramp)
    costs = bbans.info(data, costs=True).costs
    assert costs is not None and costs.bits.sum() == pytest.approx(32)
    made = bbans.create_archive(tmp_path / "a.bbar", [("ramp", ramp)], file_model="none")
    assert made.file_bytes < 200
    ((_, image),) = bbans.read_archive(tmp_path / "a.bbar")
    assert np.array_equal(image.pixels, ramp)
    rates = bbans.evaluate([("ramp", ramp)], tiny_model()).rates()
    assert rates["net"] == pytest.approx(32 / ramp.size)


def test_an_image_format(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pixels = np.random.default_rng(0).integers(0, 9, (30, 40), np.uint8)
    source = tmp_path / "in" / "a.toy"
    source.parent.mkdir()
    source.write_bytes(toy_image_format.write(bbans.images.from_array(pixels)))
    with pytest.raises(InputError, match="not an image"):
        bbans.compress_file(source, tmp_path / "a.bbans", model="none")
    toy_image_format.add()
    assert main(["compress", str(source), "--model", "none", "-o", str(tmp_path / "a.bbans")]) == 0
    back = str(tmp_path / "b.toy")
    assert main(["decompress", str(tmp_path / "a.bbans"), "-o", back]) == 0
    assert Path(back).read_bytes() == source.read_bytes()
    made = bbans.create_archive(tmp_path / "a.bbar", source.parent, file_model="none")
    assert made.items == 1
    (written,) = bbans.extract_archive(
        tmp_path / "a.bbar", output=tmp_path / "out", format="toy"
    ).written
    assert written.read_bytes() == source.read_bytes()
    capsys.readouterr()
    arguments = ["evaluate", str(source.parent), "--model", "photo-fast-1", "--json"]
    assert main(arguments) == 0
    assert json.loads(capsys.readouterr().out)["images"]


def test_a_bound(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="an objective is one of"):
        train(tmp_path, "vae", "latents = [2]", objective="renyi")
    toy_bound.add()
    model = train(tmp_path, "vae", "latents = [2]", objective="renyi")
    training = load_file(model).record["recipe"]["training"]
    assert (training["objective"], training["particles"]) == ("renyi", 8)
    check_model(tmp_path, model)
