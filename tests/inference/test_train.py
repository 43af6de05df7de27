"""Training lowers the rate, resumes where it stopped, and ends with a model that codes."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

import bbans
from bbans.errors import InputError, OutputExistsError
from bbans.inference import photo_run
from bbans.inference.train import PHOTO_YCC, YCBCR, Recipe, draw_batch, halve_chroma, learning_rate, subpixels, to_grey, train
from bbans.models import float_weights
from tests.inference.stopping import Stop, stop_at
from tests.tiny import CONFIG, smooth_image

RECIPE = Recipe(
    model=CONFIG, steps=40, batch=4, crop=32, levels=2, warmup_steps=5, kl_warmup_steps=20, holdout_every=10, learning_rate=5e-3
)
IMAGES = [smooth_image(48, 64, seed) for seed in range(6)]


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "images"
    path.mkdir()
    for seed in range(24):
        Image.fromarray(smooth_image(40, 56, seed)).save(path / f"{seed}.png")
    return path


def write_recipe(path, steps=12, extra=""):
    path.write_text(
        f"steps = {steps}\nbatch = 2\ncrop = 32\nlevels = 2\nwarmup_steps = 2\nkl_warmup_steps = 4\nholdout_every = 6\n{extra}\n"
        "[model]\nchannels = 8\nmixtures = 2\nlatent_channels = 3\nhidden = 8\nlevel_biases = 2\n"
    )
    return path


def test_training_lowers_the_rate(tmp_path):
    _, history = train(IMAGES, [], RECIPE, tmp_path / "c", lambda row: None)
    rates = [row["train_bpsp"] for row in history]
    assert [row["step"] for row in history] == [10, 20, 30, 40]
    assert rates[-1] < rates[0] - 0.3


def test_a_resumed_run_equals_an_unbroken_one(tmp_path):
    whole, _ = train(IMAGES, [], RECIPE, tmp_path / "whole", lambda row: None)

    with pytest.raises(Stop):
        train(IMAGES, [], RECIPE, tmp_path / "broken", stop_at(20), checkpoint_seconds=0.0)
    resumed, history = train(IMAGES, [], RECIPE, tmp_path / "broken", lambda row: None)
    assert [row["step"] for row in history] == [10, 20, 30, 40]
    for a, b in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.allclose(a, b, rtol=1e-4, atol=1e-5)


def test_training_goes_on_from_given_weights(tmp_path):
    first, _ = train(IMAGES, [], RECIPE, tmp_path / "a", lambda row: None)
    still = replace(RECIPE, steps=1, learning_rate=0.0, seed=7)
    kept, _ = train(IMAGES, [], still, tmp_path / "b", lambda row: None, initial=first.state_dict())
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), kept.parameters(), strict=True))
    fresh, _ = train(IMAGES, [], still, tmp_path / "c", lambda row: None)
    assert not all(torch.equal(a, b) for a, b in zip(first.parameters(), fresh.parameters(), strict=True))


def test_learning_rate_warms_up_holds_and_falls_to_zero():
    recipe = replace(RECIPE, steps=100, decay_fraction=0.25, warmup_steps=10, learning_rate=1.0)
    rates = [learning_rate(recipe, step) for step in range(100)]
    assert rates[0] == pytest.approx(0.1) and rates[10:75] == [1.0] * 65 and rates[99] == pytest.approx(1 / 25)


def test_batches_are_a_function_of_seed_and_step():
    weights = np.full(6, 1 / 6)
    a, grey = draw_batch(IMAGES, weights, RECIPE, 3)
    b, _ = draw_batch(IMAGES, weights, RECIPE, 3)
    c, _ = draw_batch(IMAGES, weights, RECIPE, 4)
    assert torch.equal(a, b) and not torch.equal(a, c)
    assert a.shape == (4, 3, 32, 32) and a.min() >= 0 and a.max() <= 255
    assert subpixels(a, torch.tensor([True, False, False, True])) == 32 * 32 * 8


def test_grey_is_rounded_luma():
    x = torch.tensor([255.0, 0.0, 10.0])[:, None, None]
    assert (to_grey(x) == round(255 * 0.299 + 1.14)).all() and to_grey(x).shape == (3, 1, 1)


@pytest.mark.parametrize("cosited", [True, False])
@pytest.mark.parametrize("space", [YCBCR, PHOTO_YCC])
def test_halved_chroma_keeps_grey_and_luma(space, cosited):
    x, _ = draw_batch(IMAGES, np.full(6, 1 / 6), replace(RECIPE, grey_fraction=0.0, chroma_fraction=0.0), 0)
    y = halve_chroma(x, torch.tensor(space), cosited, "bilinear")
    assert y.shape == x.shape and torch.equal(y, y.round()) and y.min() >= 0 and y.max() <= 255
    luma, before = ((v * x.new_tensor(space[0])[:, None, None]).sum(1) for v in (y, x))
    assert (luma - before).abs()[(y > 0).all(1) & (y < 255).all(1)].max() < 1.2  # the luma step and the rounding of RGB
    grey = to_grey(x)
    assert (halve_chroma(grey, torch.tensor(space), cosited, "bilinear") - grey).abs().max() <= 1


def test_run_makes_a_model_that_codes(tmp_path, folder):
    output = tmp_path / "mine.safetensors"
    rows = []
    photo_run.run(folder, output, recipe=write_recipe(tmp_path / "r.toml"), report=rows.append)
    assert [row["step"] for row in rows] == [6, 12]
    model = bbans.load_model(output)
    record = json.loads(output.with_suffix(".json").read_text())
    assert model.record["recipe"]["steps"] == record["recipe"]["steps"] == 12
    image = smooth_image(50, 33, 99)
    data = bbans.compress(image, model=model)
    assert np.array_equal(bbans.decompress(data, model=output), image)
    with pytest.raises(OutputExistsError):
        photo_run.run(folder, output, recipe=write_recipe(tmp_path / "r.toml"))


def test_a_recipe_starts_from_float_weights_and_describes_its_model(tmp_path, folder):
    first = write_recipe(tmp_path / "r.toml", extra="seed = 3")
    photo_run.run(folder, tmp_path / "a.safetensors", recipe=first, float_weights=tmp_path / "float.safetensors")
    extra = 'init = "float.safetensors"\nlearning_rate = 0.0'
    second = write_recipe(tmp_path / "on.toml", steps=1, extra=extra)
    second.write_text(second.read_text() + "[record]\nlicence = 'CC0'\n")
    photo_run.run(folder, tmp_path / "b.safetensors", recipe=second)
    a, b = (bbans.load_model(tmp_path / f"{name}.safetensors") for name in "ab")
    assert a.id == b.id and b.record["licence"] == "CC0" and b.record["recipe"]["init"] == "float.safetensors"
    (tmp_path / "float.safetensors").write_bytes(b"none")
    with pytest.raises(InputError, match="float weights"):
        photo_run.run(folder, tmp_path / "c.safetensors", recipe=second)


def test_float_weights_must_fit(tmp_path, repository):
    path = repository / "recipes" / "photo.float.safetensors"
    config = photo_run.read_recipe(repository / "recipes" / "photo-finish.toml").model
    assert sum(w.numel() for w in float_weights.read(path, config).values()) > 300_000
    with pytest.raises(InputError, match="do not fit"):
        float_weights.read(path, replace(config, mixtures=3))
    with pytest.raises(InputError, match="cannot be read"):
        float_weights.read(tmp_path / "missing.safetensors", config)


@pytest.mark.parametrize("text", ["surprise = 1", "steps = 'many'", "steps = 0", "crop = 36", "[model]\nwidth = 3", "steps ="])
def test_bad_recipes_are_refused(tmp_path, text):
    path = tmp_path / "r.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=r"r\.toml"):
        photo_run.read_recipe(path)


def test_a_record_is_text(tmp_path):
    path = tmp_path / "r.toml"
    path.write_text("[record]\nlicence = 3\n")
    with pytest.raises(InputError, match="text only"):
        photo_run.read_record(path)
    assert photo_run.read_record(None) == {}


def test_shipped_recipes_are_valid_and_differ_only_in_latents(repository):
    full, ablation = (photo_run.read_recipe(repository / "recipes" / f"{name}.toml") for name in ("photo", "photo-no-latents"))
    assert full.model.latents and not ablation.model.latents
    assert replace(ablation, model=replace(ablation.model, latents=True)) == full


def test_too_small_images_are_refused(tmp_path):
    Image.fromarray(smooth_image(8, 8)).save(tmp_path / "a.png")
    with pytest.raises(InputError, match="no image of 128 x 128"):
        photo_run.run(tmp_path, tmp_path / "m.safetensors")
