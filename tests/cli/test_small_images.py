"""`bbans compress --model mine.safetensors *.png` with a latent chain: each image a file, images of
another shape refused one by one.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from bbans import images
from bbans.models import model_file
from tests.chains import chain_model
from tests.cli.conftest import Run


def test_small_images_through_a_model_of_ones_own(here: Path, run: Callable[..., Run]) -> None:
    model = chain_model("pyramid")
    Path("mine.safetensors").write_bytes(model_file.serialise(model.config, model.layers, {}))
    pixels = np.random.default_rng(0).integers(0, 2, (3, 4, 5), np.uint8)
    for name, x in zip("abc", pixels, strict=True):
        with Path(f"{name}.png").open("wb") as file:
            images.write_image(images.make_image(x, (), 1), file)
    with Path("other.png").open("wb") as file:
        images.write_image(images.make_image(pixels[0].T.copy(), (), 1), file)
    found = run(
        "compress", "--model", "mine.safetensors", "a.png", "other.png", "b.png", "c.png", "-q"
    )
    assert found.code == 3 and found.err.count("\n") == 1
    assert "other.png" in found.err and "5 x 4 pixels, 1 channels and values to 1" in found.err
    for name, x in zip("abc", pixels, strict=True):
        Path(f"{name}.png").unlink()
        assert run("decompress", "--model", "mine.safetensors", f"{name}.bbans", "-q") == Run(
            0, b"", ""
        )
        assert np.array_equal(images.read_image(Path(f"{name}.png")).pixels, x)
    assert not Path("other.bbans").exists()
