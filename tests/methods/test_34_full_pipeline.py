"""Item 34. Images in, point estimates of theta and phi by the ELBO, a model file out, an archive of
the length that it promised.
"""

import numpy as np
import pytest

import bbans
from bbans.training import latent_run
from tests.digits import digits
from tests.methods.trained import RECIPES, data, trained


def test_from_images_to_bytes_and_back(tmp_path):
    net, _, history, _ = trained("vae")
    model = tmp_path / "model.safetensors"
    model.write_bytes(latent_run.model_file(net, RECIPES["vae"], history, data(17)[1]))
    images = digits(500, seed=77)[0].reshape(-1, 8, 8)
    np.save(tmp_path / "images.formats.npy", images)
    bbans.create_archive(tmp_path / "images.bbar", tmp_path / "images.formats.npy", model=model)
    (group,) = bbans.list_archive(tmp_path / "images.bbar").to_dict()["groups"]
    promised = bbans.evaluate(
        [(str(i), image) for i, image in enumerate(images[:100])], model
    ).rates()["ideal"]
    # 100 images stand for 500, and the first one of a message costs more: within 5 %
    assert 8 * group["bytes"] / images.size == pytest.approx(promised, rel=0.05)
    assert group["bytes"] < 0.8 * images.size / 2  # half a byte would hold a value of 0..16, nearly
    back = [image.pixels for _, image in bbans.read_archive(tmp_path / "images.bbar", model=model)]
    assert np.array_equal(np.stack(back), images)
