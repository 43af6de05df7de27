"""What `bbans train` decides from the images, and that seeds, checkpoints, early stopping, labels
and logs do what they say.
"""

from __future__ import annotations

import gzip
import struct
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from bbans.errors import InputError, OutputExistsError
from bbans.images import read_labels
from bbans.models.heads import BERNOULLI, CATEGORICAL, LOGISTIC
from bbans.models.model_file import load_file
from bbans.options import TrainOptions
from bbans.training import run as runs
from bbans.training.default_recipes import default_recipe
from bbans.training.latent import Samples
from bbans.training.latent_task import train
from bbans.training.photographs import PhotoRecipe
from bbans.training.small_images import gather, levels, split
from tests.digits import digits
from tests.inference.running import RECIPE, decision, noise, save


def test_few_values_get_a_weight_each(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = decision(monkeypatch, here / "digits.npy")
    assert (
        recipe == default_recipe(8, 8, 1, 17, 80)
        and recipe.model.likelihood == CATEGORICAL
        and recipe.patience > 0
    )


def test_bits_get_bernoulli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.save(tmp_path / "bits.npy", digits(50, levels=2)[0].reshape(-1, 8, 8).astype(bool))
    np.save(tmp_path / "bytes.npy", digits(50, levels=2)[0].reshape(-1, 8, 8))
    np.save(tmp_path / "packed.npy", np.packbits(digits(50, levels=2)[0], axis=1))
    for name, shape in (("bits.npy", None), ("bytes.npy", None), ("packed.npy", (8, 8))):
        recipe = decision(monkeypatch, tmp_path / name, shape=shape)
        assert (
            recipe.model.height,
            recipe.model.width,
            recipe.model.levels,
            recipe.model.likelihood,
        ) == (8, 8, 2, BERNOULLI)


def test_colour_gets_mixtures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = decision(monkeypatch, save(tmp_path / "rgb", noise((6, 9, 3))))
    model = recipe.model
    assert (model.height, model.width, model.channels, model.levels, model.likelihood) == (
        6,
        9,
        3,
        256,
        LOGISTIC,
    )


def test_photographs_are_not_read_to_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = save(
        tmp_path / "photos", [np.zeros((128, 200), np.uint8), np.zeros((300, 128), np.uint8)]
    )
    (folder / "zzz.png").write_bytes(b"\x89PNG\r\n\x1a\n, and no image")
    assert decision(monkeypatch, folder) == "photo"
    mixed = save(
        tmp_path / "mixed",
        [np.zeros((9, 9), np.uint8), np.zeros((8, 9), np.uint8), np.zeros((128, 128), np.uint8)],
    )
    assert decision(monkeypatch, mixed) == "photo"
    (tmp_path / "any.toml").write_text("steps = 3\n")
    small = save(tmp_path / "small", noise((8, 8)))
    assert decision(monkeypatch, small, recipe=tmp_path / "any.toml") == "photo"
    assert isinstance(default_recipe(128, 128, 3, 256), PhotoRecipe)


def test_one_long_side_makes_no_photograph(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert decision(monkeypatch, save(tmp_path / "strips", noise((127, 300)))).model.width == 300


def test_a_recipe_says_the_family_and_the_images_the_sizes(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = decision(
        monkeypatch,
        here / "digits.npy",
        recipe=here / "recipe.toml",
        seed=5,
        steps=60,
        labels=here / "labels.npy",
    )
    assert (recipe.seed, recipe.steps, recipe.validate_every) == (5, 60, 20)
    model = recipe.model
    assert (
        model.height,
        model.width,
        model.channels,
        model.levels,
        model.classes,
        model.hidden,
    ) == (8, 8, 1, 17, 10, 8)
    large = here / "large"
    save(large, noise((128, 128)))
    (here / "vq.toml").write_text("family = 'vqvae'\n[model]\nhidden = 8\n")
    assert decision(monkeypatch, large, recipe=here / "vq.toml").model.height == 128


@pytest.mark.parametrize(
    ("largest", "depth", "expected"),
    [
        (0, 8, 2),
        (1, 1, 2),
        (2, 2, 3),
        (16, 8, 17),
        (31, 8, 32),
        (32, 8, 256),
        (255, 8, 256),
        (99, 16, 256),
        (4095, 16, 4096),
        (4096, 16, 8192),
    ],
)
def test_levels_are_those_seen_where_they_are_few(largest: int, depth: int, expected: int) -> None:
    assert levels(largest, depth) == expected
    assert largest < expected <= 2**depth


def test_a_tenth_is_for_validation_by_content(here: Path) -> None:
    images = gather(here / "digits.npy", labels=here / "labels.npy")
    assert images is not None
    training, validation = split(images)
    x, labels = digits(80)
    label_of = {row.tobytes(): label for row, label in zip(x, labels, strict=True)}
    for part in (training, validation):
        assert (
            part.labels is not None
            and [label_of[row.tobytes()] for row in part.x] == part.labels.tolist()
        )
    backwards = replace(images, x=images.x[::-1], labels=None)
    assert {row.tobytes() for row in split(backwards)[1].x} == {
        row.tobytes() for row in validation.x
    }
    assert (
        len(training.x) + len(validation.x) == 80 and 1 <= len(validation.x) <= 20
    )  # beyond 20: 1e-4 of hashes


def test_the_model_file_holds_recipe_licence_and_history(here: Path) -> None:
    rows: list[dict[str, float]] = []
    runs.train_model(
        here / "digits.npy",
        here / "m.safetensors",
        TrainOptions(recipe=here / "recipe.toml"),
        report=rows.append,
    )
    record = load_file(here / "m.safetensors").record
    assert (
        record["licence"] == "CC0"
        and record["recipe"]["batch"] == 10
        and [row["step"] for row in record["history"]] == [2, 4, 6]
    )
    assert record["images"]["training"] + record["images"]["validation"] == 80
    for row in rows:
        assert row["rate"] == pytest.approx(
            row["prior"] + row["likelihood"] - row["posterior"], abs=1e-12
        )
    assert record["exact_validation"]["rate"] == pytest.approx(
        min(row["rate"] for row in rows), rel=0.05
    )
    assert sorted(path.name for path in here.iterdir()) == [
        "digits.npy",
        "labels.npy",
        "m.safetensors",
        "recipe.toml",
    ]
    with pytest.raises(OutputExistsError):
        runs.train_model(
            here / "digits.npy", here / "m.safetensors", TrainOptions(recipe=here / "recipe.toml")
        )


def test_seeds(here: Path) -> None:
    ids = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        threads = torch.get_num_threads()
        runs.train_model(
            here / "digits.npy",
            here / f"{name}.safetensors",
            TrainOptions(recipe=here / "recipe.toml", seed=seed, threads=1),
        )
        assert torch.get_num_threads() == threads
        ids.append(load_file(here / f"{name}.safetensors").id)
    assert ids[0] == ids[1] != ids[2]


class Killed(Exception):
    """An end that nobody planned."""


def test_a_killed_run_goes_on_where_it_was(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    x = digits(80)[0]
    training, validation = Samples(x[:70]), Samples(x[70:])
    recipe = runs._settings(
        gather(here / "digits.npy"), TrainOptions(recipe=here / "recipe.toml", steps=40)
    )  # type: ignore[arg-type]
    whole, expected = train(training, validation, recipe, here / "whole")

    def kill(row: dict[str, float]) -> None:
        if row["step"] > 25:
            raise Killed

    with pytest.raises(Killed):
        train(training, validation, recipe, here / "c", kill, checkpoint_seconds=0.0)
    resumed, history = train(training, validation, recipe, here / "c")
    for key, weight in whole.state_dict().items():
        assert torch.equal(weight, resumed.state_dict()[key])
    assert [{**row, "seconds": 0} for row in history] == [{**row, "seconds": 0} for row in expected]


def test_checkpoints_of_other_runs_are_refused(here: Path) -> None:
    options: dict[str, Any] = {
        "recipe": here / "recipe.toml",
        "checkpoint": here / "c",
    }
    runs.train_model(
        here / "digits.npy", here / "m.safetensors", TrainOptions(**options), overwrite=True
    )
    assert (here / "c").exists()
    with pytest.raises(InputError, match="another recipe or other images"):
        runs.train_model(
            here / "digits.npy",
            here / "m.safetensors",
            TrainOptions(seed=9, **options),
            overwrite=True,
        )
    np.save(here / "others.npy", digits(80, seed=1)[0].reshape(-1, 8, 8))
    with pytest.raises(InputError, match="another recipe or other images"):
        runs.train_model(
            here / "others.npy", here / "m.safetensors", TrainOptions(**options), overwrite=True
        )
    (here / "c").write_bytes(b"junk")
    with pytest.raises(InputError, match="no state of a training run"):
        runs.train_model(
            here / "digits.npy", here / "m.safetensors", TrainOptions(**options), overwrite=True
        )


def test_training_stops_when_the_validation_rate_does_not_fall(here: Path) -> None:
    x = digits(80)[0]
    recipe = runs._settings(gather(here / "digits.npy"), TrainOptions(recipe=here / "recipe.toml"))  # type: ignore[arg-type]
    recipe = replace(
        recipe,
        steps=500,
        learning_rate=0.5,
        warmup_steps=1,
        validate_every=5,
        patience=3,
        average=0.0,
    )
    net, history = train(Samples(x[:70]), Samples(x[70:]), recipe, here / "c")
    rates = [row["rate"] for row in history]
    best = int(np.argmin(rates))
    assert len(rates) == best + 1 + 3 and history[-1]["step"] < 500
    _, again = train(Samples(x[:70]), Samples(x[70:]), recipe, here / "c")
    assert again == history  # a stopped run stays stopped


def test_labels_make_a_conditional_model(here: Path) -> None:
    runs.train_model(
        here / "digits.npy",
        here / "m.safetensors",
        TrainOptions(recipe=here / "recipe.toml", labels=here / "labels.npy"),
    )
    assert load_file(here / "m.safetensors").config.classes == 10


def test_labels_in_idx(tmp_path: Path) -> None:
    data = struct.pack(">2xBBI", 8, 1, 4) + bytes([3, 0, 9, 1])
    (tmp_path / "plain").write_bytes(data)
    (tmp_path / "packed.gz").write_bytes(gzip.compress(data))
    for name in ("plain", "packed.gz"):
        assert read_labels(tmp_path / name, 4).tolist() == [3, 0, 9, 1]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros(79, int), "80 labels were expected, one an image, found 79"),
        (np.zeros(80), "one integer an image"),
        (np.zeros((80, 1), int), "one integer an image"),
        (np.full(80, -1), "labels from 0 on"),
    ],
)
def test_labels_that_do_not_fit(here: Path, labels: np.ndarray, message: str) -> None:
    np.save(here / "bad.npy", labels)
    with pytest.raises(InputError, match=message):
        runs.train_model(
            here / "digits.npy", here / "m.safetensors", TrainOptions(labels=here / "bad.npy")
        )


def test_recipes_that_do_not_fit(here: Path) -> None:
    def refused(message: str, text: str, **options: Any) -> None:
        (here / "r.toml").write_text(text)
        with pytest.raises(InputError, match=message) as found:
            runs.train_model(
                here / "digits.npy",
                here / "m.safetensors",
                TrainOptions(recipe=here / "r.toml", **options),
            )
        assert "\n" not in str(found.value)

    refused("is for images", RECIPE.replace("hidden = 8", "hidden = 8\nheight = 9"))
    refused("is for images", RECIPE.replace("hidden = 8", "hidden = 8\nlevels = 16"))
    refused("give them with --labels", RECIPE.replace("hidden = 8", "hidden = 8\nclasses = 10"))
    refused(
        "the recipe's model takes 4",
        RECIPE.replace("hidden = 8", "hidden = 8\nclasses = 4"),
        labels=here / "labels.npy",
    )
    refused("the recipe's model takes 0", "family = 'vqvae'\n", labels=here / "labels.npy")
    refused("not one of", "family = 'flow'\n")
    refused("float weights", RECIPE, float_weights=here / "f")
    refused("photographs are read from a folder", "family = 'photo'\n")


def test_images_that_do_not_fit(tmp_path: Path) -> None:
    def refused(source: Path, message: str, **options: Any) -> None:
        with pytest.raises(InputError, match=message) as found:
            runs.train_model(source, tmp_path / "m.safetensors", TrainOptions(**options))
        assert "\n" not in str(found.value) and not (tmp_path / "m.safetensors").exists()

    refused(
        save(tmp_path / "mixed", noise((8, 8)) + noise((8, 9))),
        r"000.png is \(8, 8\) of 8 bits, 040.png is \(8, 9\)",
    )
    refused(save(tmp_path / "few", noise((8, 8), 31)), "32 images or more .* found 31")
    refused(save(tmp_path / "same", [np.zeros((8, 8), np.uint8)] * 40), "too few different images")
    refused(save(tmp_path / "palettes", noise((8, 8)), "P"), "palettes")
    refused(save(tmp_path / "strips", noise((2, 40000), 32)), "too large for one latent chain")
    np.save(tmp_path / "photos.npy", np.zeros((2, 128, 128), np.uint8))
    refused(tmp_path / "photos.npy", "photographs are read from a folder")
    photos = save(tmp_path / "photos", noise((128, 128), 2))
    refused(photos, "a shape and labels are for latent chains", shape=(128, 128))
    refused(tmp_path / "nothing", "images were expected")


def test_photographs_train_in_one_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(InputError, match="start without torchrun"):
        runs._check_photographs(tmp_path, TrainOptions())


def test_unreadable_files_are_skipped_and_counted_but_not_with_labels(here: Path) -> None:
    folder = save(here / "images", [x.reshape(8, 8) for x in digits(40)[0]])
    (folder / "zzz.png").write_bytes(b"\x89PNG\r\n\x1a\n, and no image")
    found = gather(folder)
    assert found is not None and len(found.x) == 40 and found.skipped == 1
    np.save(here / "41.npy", np.zeros(41, int))
    with pytest.raises(InputError, match="zzz"):
        gather(folder, labels=here / "41.npy")


def test_tensorboard_gets_rate_terms_and_learning_rate(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: dict[tuple[str, int], float] = {}
    closed = []

    class SummaryWriter:
        def __init__(self, folder: str) -> None:
            assert folder == str(here / "logs")

        def add_scalar(self, name: str, value: float, step: int) -> None:
            written[name, step] = value

        def flush(self) -> None:
            pass

        def close(self) -> None:
            closed.append(True)

    stub = ModuleType("torch.utils.tensorboard")
    stub.SummaryWriter = SummaryWriter  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", stub)
    rows: list[dict[str, float]] = []
    options: dict[str, Any] = {
        "recipe": here / "recipe.toml",
        "tensorboard": here / "logs",
    }
    runs.train_model(
        here / "digits.npy", here / "m.safetensors", TrainOptions(**options), report=rows.append
    )
    names = ("rate", "train_rate", "prior", "likelihood", "posterior", "learning_rate", "active")
    assert (
        written == {(name, int(row["step"])): row[name] for row in rows for name in names}
        and len(rows) == 3
        and closed == [True]
    )


def test_tensorboard_that_is_missing_is_named(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(InputError, match=r'pip install "bbans\[train\]"'):
        runs.train_model(
            here / "digits.npy", here / "m.safetensors", TrainOptions(tensorboard=here / "logs")
        )
