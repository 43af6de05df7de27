"""Files outlive the release that made them: the model that a file names is found where it is kept,
or the error says what to do.
"""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import bbans
from bbans.errors import ModelNotFoundError
from bbans.models import model_file
from bbans_cli.main import main
from tests.tiny import smooth_image, tiny_model

PHOTO = smooth_image(129, 130)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """A file made with a model that is no longer shipped."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BBANS_MODEL_PATH", raising=False)
    Path("old.bbans").write_bytes(bbans.compress(PHOTO, model=tiny_model(), model_only=True))
    return tmp_path


@pytest.fixture
def kept(tmp_path) -> Path:
    """The retired model, in a folder of its own."""
    model, path = tiny_model(), tmp_path / "retired" / "photo-2019.safetensors"
    path.parent.mkdir()
    path.write_bytes(model_file.serialise(model.config, model.layers, {"retired": True}))
    return path


def restored() -> np.ndarray:
    with Image.open("old.png") as image:
        return np.asarray(image)


def test_the_file_names_its_model(kept):
    assert (
        bbans.info(Path("old.bbans").read_bytes(), account=False).model_id == tiny_model().id.hex()
    )
    assert model_file.load_file(kept).id == tiny_model().id  # neither name nor record is part of it


def test_found_on_the_search_path(kept, monkeypatch):
    monkeypatch.setenv("BBANS_MODEL_PATH", f"/no/such/folder:{kept.parent}")
    assert main(["decompress", "old.bbans"]) == 0
    assert np.array_equal(restored(), PHOTO)
    assert main(["verify", "old.bbans"]) == main(["info", "old.bbans"]) == 0


def test_found_by_its_file(kept):
    assert main(["decompress", "old.bbans", "--model", str(kept)]) == 0
    assert np.array_equal(restored(), PHOTO)
    assert np.array_equal(bbans.decompress(Path("old.bbans").read_bytes(), model=kept), PHOTO)


def test_the_right_one_is_found_whatever_model_is_asked_for(kept, monkeypatch):
    """An option that names another model than the file is no reason to decode with the wrong
    one.
    """
    monkeypatch.setenv("BBANS_MODEL_PATH", str(kept.parent))
    assert main(["decompress", "old.bbans", "--model", "photo-1"]) == 0
    assert np.array_equal(restored(), PHOTO)


@pytest.mark.parametrize(
    "command",
    [
        ["decompress"],
        ["verify"],
        ["info", "--account"],
        ["decompress", "--keep-going"],
        ["decompress", "--model", "photo-1"],
    ],
)
def test_otherwise_the_error_says_what_to_do(command, capfd):
    assert main([*command, "old.bbans"]) == 6
    out, err = capfd.readouterr()
    assert out == "" and len(err.splitlines()) == 1 and not Path("old.png").exists()
    assert tiny_model().id.hex() in err and "--model" in err and "BBANS_MODEL_PATH" in err
    assert main(["info", "old.bbans"]) == 0


def test_another_model_of_the_same_shape_is_not_taken(tmp_path, monkeypatch):
    other = tiny_model(1)
    (tmp_path / "retired").mkdir()
    path = tmp_path / "retired" / "tiny.safetensors"
    path.write_bytes(model_file.serialise(other.config, other.layers, {}))
    monkeypatch.setenv("BBANS_MODEL_PATH", str(path.parent))
    with pytest.raises(ModelNotFoundError):
        bbans.decompress(Path("old.bbans").read_bytes())
    with pytest.raises(ModelNotFoundError):
        bbans.decompress(Path("old.bbans").read_bytes(), model=path)


def test_a_bad_file_in_the_folder_does_not_hide_the_model(kept, monkeypatch):
    (kept.parent / "a.safetensors").write_bytes(b"no model")
    monkeypatch.setenv("BBANS_MODEL_PATH", str(kept.parent))
    assert np.array_equal(bbans.decompress(Path("old.bbans").read_bytes()), PHOTO)


def test_a_bad_file_is_mentioned_when_the_model_is_not_found(tmp_path, monkeypatch):
    (tmp_path / "a.safetensors").write_bytes(b"no model")
    monkeypatch.setenv("BBANS_MODEL_PATH", str(tmp_path))
    with pytest.raises(ModelNotFoundError, match=r"a\.safetensors is no model file.*--model"):
        bbans.decompress(Path("old.bbans").read_bytes())
