"""Efforts name a shipped model each; max is never larger than default; how many multiplications
each model takes is fixed.
"""

import numpy as np
import pytest
from PIL import Image

import bbans
from bbans import container
from bbans.errors import InputError
from bbans.models.library import find_by_name
from bbans.models.model_file import Model
from bbans.options import EFFORTS
from bbans_cli.main import compress as command
from bbans_cli.main import main
from tests.frozen.make import pictures

MACS = {
    "photo-fast-1": 9_103,
    "photo-1": 73_871,
    "photo-2": 73_871,
}  # a pixel of a large image, all levels


@pytest.mark.parametrize("effort", EFFORTS)
def test_an_effort_is_its_model(effort):
    image = pictures()["grey"].pixels
    data = bbans.compress(image, effort=effort, model_only=True)
    assert container.read(data).model_id == find_by_name(EFFORTS[effort].model).id
    assert np.array_equal(bbans.decompress(data), image)


def test_max_is_the_smallest_of_all_orientations():
    image = pictures()["photo-2"].pixels
    turned = [
        np.ascontiguousarray(x[::rows, ::columns])
        for x in (image, image.swapaxes(0, 1))
        for rows in (1, -1)
        for columns in (1, -1)
    ]
    sizes = [len(bbans.compress(x, effort="max", model_only=True)) for x in turned]
    assert max(sizes) - min(sizes) <= 2  # an orientation takes two bytes
    assert max(sizes) <= min(len(bbans.compress(x, model_only=True)) for x in turned) + 2


def test_the_command_knows_them(tmp_path, capsys):
    (option,) = (o for o in command.params if o.name == "effort")
    assert list(option.type.choices) == list(EFFORTS) and option.default == "default"
    Image.fromarray(pictures()["grey"].pixels).save(tmp_path / "a.png")
    assert main(["compress", str(tmp_path / "a.png"), "--effort", "fast", "-q"]) == 0
    assert (
        container.read((tmp_path / "a.bbans").read_bytes()).model_id
        == find_by_name("photo-fast-1").id
    )


def test_an_unknown_effort():
    with pytest.raises(InputError, match="fast, default, max"):
        bbans.compress(pictures()["grey"].pixels, effort="maximum")


def macs(model: Model) -> float:
    """Multiplications a pixel: layers of a phase run once a position of three phases a level,
    levels shrink by four; film and posterior layers once a block of positions.
    """
    block = model.config.latent_block**2
    found = 0.0
    for name, layer in model.layers.items():
        found += layer.weight.size / (block if "film" in name or "posterior" in name else 1)
    return found / 4 * 4 / 3


@pytest.mark.parametrize("name", MACS)
def test_multiplications_a_pixel(name):
    assert macs(find_by_name(name)) == pytest.approx(MACS[name], rel=1e-3)
