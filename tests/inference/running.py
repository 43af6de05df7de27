"""Small runs of training, and what a run decides before it trains."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bbans.options import TrainOptions
from bbans.training import run as runs
from bbans.training.latent import LatentRecipe, Samples

RECIPE = """family = 'vae'
steps = 6
batch = 10
validate_every = 2
[model]
hidden = 8
hidden_layers = 1
latents = [2]
likelihood = 'categorical'
components = 0
[record]
licence = 'CC0'
"""


def save(folder: Path, arrays: list[np.ndarray], mode: str | None = None) -> Path:
    folder.mkdir()
    for i, array in enumerate(arrays):
        image = Image.fromarray(array)
        (image if mode is None else image.convert(mode)).save(folder / f"{i:03}.png")
    return folder


def noise(shape: tuple[int, ...], count: int = 40, top: int = 256) -> list[np.ndarray]:
    return list(np.random.default_rng(0).integers(0, top, (count, *shape), np.uint8))


class Chosen(Exception):
    """What a run was about to train."""


def decision(monkeypatch: pytest.MonkeyPatch, source: Path, **options: Any) -> Any:
    """The recipe of a latent chain, or "photo"."""

    def chain(
        training: Samples, validation: Samples, recipe: LatentRecipe, *rest: Any, **others: Any
    ) -> None:
        raise Chosen(recipe)

    def photo(*arguments: Any, **others: Any) -> None:
        raise Chosen("photo")

    monkeypatch.setattr(runs, "train", chain)
    monkeypatch.setattr(runs.photo_run, "run", photo)
    with pytest.raises(Chosen) as found:
        runs.train_model(source, source.parent / "never.safetensors", TrainOptions(**options))
    return found.value.args[0]
