"""Training lowers the rate, resumes where it stopped, and ends with a model that codes."""

import itertools
import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

import bbans
from bbans.errors import InputError, OutputExistsError
from bbans.options import TrainOptions
from bbans.training import loop, photo_run
from bbans.training.networks import float_weights
from bbans.training.networks.photo import PhotoNet
from bbans.training.photo_task import train
from bbans.training.photographs import (
    Batches,
    PhotoRecipe,
    compiled,
    descend,
    kl_weight,
    learning_rate,
    losses,
    optimiser_of,
)
from tests.inference.reading import NothingRead, Waited
from tests.inference.stopping import Stop, stop_at
from tests.tiny import CONFIG, smooth_image

RECIPE = PhotoRecipe(
    model=CONFIG,
    steps=40,
    batch=4,
    crop=32,
    levels=2,
    warmup_steps=5,
    kl_warmup_steps=20,
    holdout_every=10,
    learning_rate=5e-3,
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
        f"steps = {steps}\nbatch = 2\ncrop = 32\nlevels = 2\nwarmup_steps = 2\nkl_warmup_steps = "
        f"4\nholdout_every = 6\n{extra}\n"
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
    assert all(
        torch.equal(a, b) for a, b in zip(first.parameters(), kept.parameters(), strict=True)
    )
    fresh, _ = train(IMAGES, [], still, tmp_path / "c", lambda row: None)
    assert not all(
        torch.equal(a, b) for a, b in zip(first.parameters(), fresh.parameters(), strict=True)
    )


def test_learning_rate_warms_up_holds_and_falls_to_zero():
    recipe = replace(RECIPE, steps=100, decay_fraction=0.25, warmup_steps=10, learning_rate=1.0)
    rates = [learning_rate(recipe, step) for step in range(100)]
    assert (
        rates[0] == pytest.approx(0.1)
        and rates[10:75] == [1.0] * 65
        and rates[99] == pytest.approx(1 / 25)
    )


def test_a_budget_moves_the_schedule():
    recipe = replace(
        RECIPE,
        steps=100,
        decay_fraction=0.25,
        warmup_steps=10,
        learning_rate=1.0,
        kl_warmup_steps=40,
    )
    assert (
        learning_rate(recipe, 0, 0.0) == pytest.approx(0.1)
        and learning_rate(recipe, 5000, 0.75) == 1.0
    )
    assert (
        learning_rate(recipe, 5000, 0.9) == pytest.approx(0.4)
        and learning_rate(recipe, 5000, 1.0) == 0
    )
    assert [kl_weight(recipe, 5000, passed) for passed in (0.1, 0.2, 0.9)] == pytest.approx(
        [0.25, 0.5, 1]
    )
    assert (
        kl_weight(recipe, 3) == pytest.approx(0.1)
        and kl_weight(replace(recipe, kl_warmup_steps=0), 0, 0.0) == 1
    )


def test_a_run_ends_with_its_budget_and_resumes_with_the_rest(tmp_path, monkeypatch):
    """A clock that a batch moves by a second: 4 of 10 are the allowance of the first call, the
    second makes the other 6.
    """
    clock = itertools.count()
    now = [0.0]
    monkeypatch.setattr(loop.time, "monotonic", lambda: now[0])
    draw = Batches.draw

    def drawn(*arguments):
        now[0] = float(next(clock) + 1)
        return draw(*arguments)

    monkeypatch.setattr(Batches, "draw", drawn)
    recipe = replace(RECIPE, warmup_steps=1, decay_fraction=0.5)
    options = {"seconds": 10.0, "report_seconds": 3.0}
    _, first = train(IMAGES, [], recipe, tmp_path / "c", lambda row: None, allowance=4.0, **options)
    assert [(row["step"], row["seconds"]) for row in first] == [(3, 3.0), (4, 4.0)]
    _, history = train(IMAGES, [], recipe, tmp_path / "c", lambda row: None, **options)
    assert history[:2] == first and [(row["step"], row["seconds"]) for row in history[2:]] == [
        (7, 7.0),
        (10, 10.0),
    ]
    assert [row["learning_rate"] / recipe.learning_rate for row in history] == pytest.approx(
        [1, 1, 0.8, 0.2]
    )
    _, again = train(IMAGES, [], recipe, tmp_path / "c", lambda row: None, **options)
    assert again == history


def test_a_batch_that_is_no_number_leaves_training_as_it_is():
    torch.manual_seed(0)
    net = PhotoNet(CONFIG)
    optimiser = optimiser_of(net, RECIPE)
    batches = Batches(IMAGES, RECIPE, torch.device("cpu"))

    def rates(steps, poison=False):
        for step in steps:
            x, *rest = batches.draw(net, step)
            x = x * float("nan") if poison else x
            yield float(descend(net, optimiser, RECIPE, (x, *rest), 1.0, losses))

    before = list(rates(range(12)))
    assert math.isnan(next(rates([12], poison=True)))
    kept = [
        *net.parameters(),
        *(part for state in optimiser.state.values() for part in state.values()),
    ]
    assert all(bool(torch.isfinite(part).all()) for part in kept)
    assert np.mean(list(rates(range(13, 25)))) < np.mean(before)


@pytest.mark.parametrize("latents", [True, False])
def test_no_step_waits_for_the_device(latents):
    recipe = replace(RECIPE, model=replace(CONFIG, latents=latents))
    net = PhotoNet(recipe.model)
    optimiser, batches = optimiser_of(net, recipe), Batches(IMAGES, recipe, torch.device("cpu"))
    with NothingRead():
        for step in range(2):
            descend(net, optimiser, recipe, batches.draw(net, step), 0.5, losses)


def test_what_waits_for_the_device_is_seen():
    x = torch.ones(3)
    waits = (
        lambda: x.sum().item(),
        lambda: x[x > 0],
        lambda: float(x[0]),
        lambda: x.new_tensor([1.0]),
        lambda: x.tolist(),
    )
    for wait in waits:
        with pytest.raises(Waited), NothingRead():
            wait()


@pytest.mark.parametrize("whole", [False, True])
def test_a_compiler_that_fails_is_done_without(tmp_path, whole):
    recipe = replace(RECIPE, steps=1, levels=1)
    plain, _ = train(IMAGES, [], recipe, tmp_path / "a", lambda row: None)

    def broken(graph, inputs):
        raise OSError("no compiler here")

    with pytest.warns(RuntimeWarning, match="no compiler here"):
        net, _ = train(
            IMAGES, [], recipe, tmp_path / "b", lambda row: None, function=compiled(broken, whole)
        )
    assert all(torch.equal(a, b) for a, b in zip(plain.parameters(), net.parameters(), strict=True))


@pytest.mark.filterwarnings(
    "ignore:The .grad attribute of a Tensor:UserWarning"
)  # of torch, as it compiles
def test_what_is_compiled_gives_the_same_losses():
    """The whole graph in one piece, and the likelihood alone: the backend runs what was
    captured.
    """
    torch.manual_seed(0)
    net, recipe, captured = PhotoNet(CONFIG), replace(RECIPE, levels=1), []
    batch = Batches(IMAGES, recipe, torch.device("cpu")).draw(net, 0)

    def backend(graph, inputs):
        captured.append(graph)
        return graph.forward

    plain = losses(net, *batch, torch.full((), 0.5))
    for count, whole in enumerate((False, True), 1):
        found = compiled(backend, whole)(net, *batch, torch.full((), 0.5))
        assert (
            all(torch.equal(a, b) for a, b in zip(plain, found, strict=True))
            and len(captured) >= count
        )


def test_a_compact_checkpoint_goes_on(tmp_path):
    recipe = replace(RECIPE, steps=5, holdout_every=5)
    for compact in (False, True):
        train(IMAGES, [], recipe, tmp_path / str(compact), lambda row: None, compact=compact)
    states = [
        torch.load(tmp_path / name, weights_only=True)["optimiser"]["state"][0]
        for name in ("False", "True")
    ]
    assert [state["exp_avg"].dtype for state in states] == [torch.float32, torch.bfloat16]
    whole, short = ((tmp_path / name).stat().st_size for name in ("False", "True"))
    assert short < whole
    _, history = train(IMAGES, [], replace(recipe, steps=10), tmp_path / "True", lambda row: None)
    assert [row["step"] for row in history] == [5, 10] and history[1]["train_bpsp"] < history[0][
        "train_bpsp"
    ]


def test_run_makes_a_model_that_codes(tmp_path, folder):
    output = tmp_path / "mine.safetensors"
    rows = []
    photo_run.run(
        folder, output, TrainOptions(recipe=write_recipe(tmp_path / "r.toml")), report=rows.append
    )
    assert [row["step"] for row in rows] == [6, 12]
    model = bbans.load_model(output)
    record = json.loads(output.with_suffix(".json").read_text())
    assert model.record["recipe"]["steps"] == record["recipe"]["steps"] == 12
    image = smooth_image(50, 33, 99)
    data = bbans.compress(image, model=model)
    assert np.array_equal(bbans.decompress(data, model=output), image)
    with pytest.raises(OutputExistsError):
        photo_run.run(folder, output, TrainOptions(recipe=write_recipe(tmp_path / "r.toml")))


def test_run_takes_minutes(tmp_path, folder):
    """Two seconds of a recipe of a hundred thousand steps."""
    rows, recipe = [], write_recipe(tmp_path / "r.toml", steps=100_000)
    photo_run.run(
        folder,
        tmp_path / "m.safetensors",
        TrainOptions(recipe=recipe, minutes=2 / 60),
        report=rows.append,
    )
    assert len(rows) == 1 and 2 <= rows[0]["seconds"] < 30 and rows[0]["learning_rate"] < 5e-3
    assert bbans.load_model(tmp_path / "m.safetensors").record["minutes"] == 2 / 60


def test_a_recipe_starts_from_float_weights_and_describes_its_model(tmp_path, folder):
    first = write_recipe(tmp_path / "r.toml", extra="seed = 3")
    photo_run.run(
        folder,
        tmp_path / "a.safetensors",
        TrainOptions(recipe=first, float_weights=tmp_path / "float.safetensors"),
    )
    extra = 'init = "float.safetensors"\nlearning_rate = 0.0'
    second = write_recipe(tmp_path / "on.toml", steps=1, extra=extra)
    second.write_text(second.read_text() + "[record]\nlicence = 'CC0'\n")
    photo_run.run(folder, tmp_path / "b.safetensors", TrainOptions(recipe=second))
    a, b = (bbans.load_model(tmp_path / f"{name}.safetensors") for name in "ab")
    assert (
        a.id == b.id
        and b.record["licence"] == "CC0"
        and b.record["recipe"]["init"] == "float.safetensors"
    )
    (tmp_path / "float.safetensors").write_bytes(b"none")
    with pytest.raises(InputError, match="float weights"):
        photo_run.run(folder, tmp_path / "c.safetensors", TrainOptions(recipe=second))


def test_float_weights_must_fit(tmp_path, repository):
    path = repository / "recipes" / "photo.float.safetensors"
    config = photo_run.read_recipe(repository / "recipes" / "photo-finish.toml").model
    assert sum(w.numel() for w in float_weights.read(path, config).values()) > 300_000
    with pytest.raises(InputError, match="do not fit"):
        float_weights.read(path, replace(config, mixtures=3))
    with pytest.raises(InputError, match="cannot be read"):
        float_weights.read(tmp_path / "missing.safetensors", config)


@pytest.mark.parametrize(
    "text",
    ["surprise = 1", "steps = 'many'", "steps = 0", "crop = 36", "[model]\nwidth = 3", "steps ="],
)
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
    full, ablation = (
        photo_run.read_recipe(repository / "recipes" / f"{name}.toml")
        for name in ("photo", "photo-no-latents")
    )
    assert full.model.latents and not ablation.model.latents
    assert replace(ablation, model=replace(ablation.model, latents=True)) == full


def test_too_small_images_are_refused(tmp_path):
    Image.fromarray(smooth_image(8, 8)).save(tmp_path / "a.png")
    with pytest.raises(InputError, match="no image of 128 x 128"):
        photo_run.run(tmp_path, tmp_path / "m.safetensors")
