"""Latents, estimators, objectives and posteriors by name: what a run makes of them, and which do
not go together.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bbans.errors import InputError, NoCodecError
from bbans.evaluation.evaluate import evaluate
from bbans.models.model_file import load_file
from bbans.options import TrainOptions
from bbans.training import run as runs
from bbans.training.latent_run import read_recipe
from bbans.training.terms import STRAIGHT_THROUGH
from tests.digits import digits
from tests.inference.running import RECIPE, decision, noise, save


@pytest.mark.parametrize(
    ("latents", "family"), [("bernoulli", "bernoulli_vae"), ("categorical", "categorical_vae")]
)
def test_discrete_latents_by_name(here: Path, latents: str, family: str) -> None:
    """A model of the family, trained by the estimator asked for, that codes what it is given."""
    for estimator in (None, "vimco", "relax"):
        options = {"latents": latents, "estimator": estimator, "steps": 10}
        runs.train_model(
            here / "digits.npy", here / "m.safetensors", TrainOptions(**options), overwrite=True
        )  # type: ignore[arg-type]
        model = load_file(here / "m.safetensors")
        assert model.family == family and model.config.levels == 17
        assert model.record["recipe"]["training"]["estimator"] == (estimator or STRAIGHT_THROUGH)
        assert model.record["recipe"]["training"]["particles"] == (5 if estimator == "vimco" else 1)
    evaluated = evaluate(
        [(str(i), x.reshape(8, 8).astype(np.uint8)) for i, x in enumerate(digits(40)[0])],
        here / "m.safetensors",
        draws=4,
    )
    rates, nats = evaluated.rates(), evaluated.nats()
    assert abs(rates["net_over_ideal"]) < 0.005 + 4 * rates["net_over_ideal_error"]
    assert nats["net"] == pytest.approx(sum(evaluated.net_bits) * np.log(2) / 40)
    assert (
        f"{nats['net']:.2f} nats" in "".join(evaluated.lines())
        and evaluated.to_dict()["nats_per_image"] == nats
    )


def test_particles_of_estimators(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Draws of z an image: 5 of vimco unless a recipe or the command says how many, 1 of those that
    train no bound of several.
    """
    source, recipe = here / "digits.npy", here / "structured.toml"
    recipe.write_text(
        "family = 'structured'\n[model]\ncondition = 4\nlikelihood = "
        "'categorical'\n[training]\nestimator = 'concrete'\nparticles = 4\n"
    )

    for wrong in ({"particles": 1}, {"objective": "iwae", "particles": 3}):
        with pytest.raises(
            InputError, match="particles are 2 or more with vimco|by estimator 'vimco'"
        ):
            runs.train_model(
                source,
                here / "m.safetensors",
                TrainOptions(latents="bernoulli", estimator="vimco", **wrong),
            )  # type: ignore[arg-type]

    def particles(**options: Any) -> int:
        found = decision(monkeypatch, source, **options).training
        assert found.objective == "elbo" and found.groups == 1
        return found.particles

    assert particles(latents="bernoulli", estimator="vimco") == 5
    assert particles(latents="categorical", estimator="vimco", particles=3) == 3
    assert particles(latents="categorical", estimator="vimco", objective="elbo", particles=3) == 3
    assert particles(latents="bernoulli", estimator="relax") == 1
    assert [
        particles(recipe=recipe, estimator=name) for name in (None, "concrete", "vimco", "relax")
    ] == [4, 4, 4, 1]
    assert particles(recipe=recipe, particles=6) == 6
    with pytest.raises(InputError, match="several particles are for another objective"):
        particles(latents="bernoulli", estimator="relax", particles=3)


def test_estimators_and_latents_that_cannot_be(here: Path) -> None:
    def refused(message: str, **options: Any) -> None:
        with pytest.raises(InputError, match=message) as found:
            runs.train_model(here / "digits.npy", here / "m.safetensors", TrainOptions(**options))
        assert "\n" not in str(found.value) and not (here / "m.safetensors").exists()

    refused("bernoulli or categorical; found 'gaussian'", latents="gaussian")
    refused("an estimator is one of", latents="bernoulli", estimator="exact")
    refused("found no recipe", estimator="relax")
    refused("a recipe of the family vae", estimator="relax", recipe=here / "recipe.toml")
    refused("leave --latents out", latents="bernoulli", recipe=here / "recipe.toml")
    refused("take no labels", latents="categorical", labels=here / "labels.npy")
    (here / "bits.toml").write_text(
        "family = 'bernoulli_vae'\nsteps = 3\n[model]\nlatents = [9]\nlikelihood = 'categorical'\n"
    )
    runs.train_model(
        here / "digits.npy",
        here / "m.safetensors",
        TrainOptions(recipe=here / "bits.toml", estimator="rebar"),
    )
    assert load_file(here / "m.safetensors").record["recipe"]["training"]["estimator"] == "rebar"


def test_objectives_by_name(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, recipe = here / "digits.npy", here / "weighted.toml"
    recipe.write_text(RECIPE + "[training]\nobjective = 'miwae'\nparticles = 12\ngroups = 4\n")

    def training(**options: Any) -> tuple[str, int, int]:
        found = decision(monkeypatch, source, **options).training
        return found.objective, found.particles, found.groups

    assert training() == ("elbo", 1, 1)
    assert training(objective="iwae") == ("iwae", 8, 1)
    assert training(objective="iwae", particles=5) == ("iwae", 5, 1)
    assert training(objective="piwae") == ("piwae", 64, 8)
    assert training(objective="miwae", particles=10) == ("miwae", 10, 2)
    assert training(recipe=recipe) == ("miwae", 12, 4)
    assert training(recipe=recipe, objective="piwae") == ("piwae", 12, 4)
    assert training(recipe=recipe, particles=8) == ("miwae", 8, 4)
    assert training(recipe=recipe, objective="iwae") == ("iwae", 12, 1)
    assert training(recipe=recipe, objective="elbo") == ("elbo", 1, 1)
    assert training(objective="sivi") == training(recipe=recipe, objective="sivi") == ("sivi", 1, 1)
    for objective in (None, "elbo", "sivi"):
        with pytest.raises(InputError, match="name one with --objective"):
            training(objective=objective, particles=4)


def test_photographs_have_no_objective(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = save(tmp_path / "photos", noise((128, 130, 3), 1))
    with pytest.raises(
        InputError, match="objectives, particles and posteriors are for latent chains"
    ):
        decision(monkeypatch, folder, objective="iwae")


def test_objectives_and_estimators_exclude_each_other(here: Path) -> None:
    for options in (
        {"latents": "bernoulli", "objective": "iwae"},
        {"latents": "categorical", "estimator": "relax", "objective": "miwae", "particles": 6},
    ):
        with pytest.raises(
            InputError, match=f"objective '{options['objective']}' is for Gaussian latents"
        ):
            runs.train_model(here / "digits.npy", here / "m.safetensors", TrainOptions(**options))  # type: ignore[arg-type]
    with pytest.raises(
        InputError, match=r"an estimator is for --latents .*found a recipe of the family vae"
    ):
        runs.train_model(
            here / "digits.npy",
            here / "m.safetensors",
            TrainOptions(recipe=here / "recipe.toml", objective="iwae", estimator="relax"),
        )
    (here / "both.toml").write_text(
        "family = 'bernoulli_vae'\n[training]\nestimator = 'nvil'\nobjective = 'piwae'\nparticles "
        "= 4\n"
    )
    with pytest.raises(InputError, match=r"both\.toml: objective 'piwae' is for Gaussian latents"):
        read_recipe(here / "both.toml")
    assert not (here / "m.safetensors").exists()


def test_a_model_of_a_bound(here: Path) -> None:
    rows: list[dict[str, float]] = []
    options = {"recipe": here / "recipe.toml", "objective": "iwae", "particles": 3, "threads": 1}
    runs.train_model(
        here / "digits.npy", here / "model.safetensors", TrainOptions(**options), report=rows.append
    )  # type: ignore[arg-type]
    assert load_file(here / "model.safetensors").record["recipe"]["training"]["objective"] == "iwae"
    assert all(row["bound"] < row["rate"] for row in rows)


def test_the_surrogate_by_name(here: Path) -> None:
    """`sivi` is what a semi-implicit posterior is trained on anyway: the same weights to the bit.

    Any other posterior is refused.
    """
    options = {"recipe": here / "recipe.toml", "steps": 8, "threads": 1}
    found = []
    for objective in ("sivi", None):
        runs.train_model(
            here / "digits.npy",
            here / "m.safetensors",
            TrainOptions(objective=objective, posterior="semi-implicit", **options),
            overwrite=True,
        )  # type: ignore[arg-type]
        found.append(load_file(here / "m.safetensors"))
    assert (
        found[0].id == found[1].id
        and found[0].record["history"][-1]["rate"] == found[1].record["history"][-1]["rate"]
    )
    assert [model.record["recipe"]["training"]["objective"] for model in found] == ["sivi", "elbo"]
    assert "bound" not in found[0].record["history"][-1]
    for posterior in (None, "gaussian", "mixture", "flow", "coupling"):
        with pytest.raises(
            InputError, match=r"objective 'sivi' is the surrogate .* name --posterior semi-implicit"
        ):
            runs.train_model(
                here / "digits.npy",
                here / "other.safetensors",
                TrainOptions(objective="sivi", posterior=posterior, **options),
            )  # type: ignore[arg-type]
    with pytest.raises(InputError, match="objective 'sivi' is for Gaussian latents"):
        runs.train_model(
            here / "digits.npy",
            here / "other.safetensors",
            TrainOptions(objective="sivi", latents="bernoulli"),
        )
    (here / "parts.toml").write_text(
        "family = 'rich_vae'\n[model]\nposterior = 'semi-implicit'\n[training]\nobjective = "
        "'sivi'\nparticles = 4\n"
    )
    with pytest.raises(InputError, match="`parts` of the model"):
        runs.train_model(
            here / "digits.npy",
            here / "other.safetensors",
            TrainOptions(recipe=here / "parts.toml"),
        )
    assert not (here / "other.safetensors").exists()


def test_posteriors_by_name(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = here / "digits.npy"

    def model(**options: Any) -> Any:
        return decision(monkeypatch, source, **options).model

    assert model(posterior="gaussian") == model()
    found = model(posterior="semi-implicit", recipe=here / "recipe.toml")
    assert (found.posterior, found.hidden, found.latents, found.levels) == (
        "semi-implicit",
        8,
        (2,),
        17,
    )
    assert model(posterior="mixture").posterior == "mixture"
    (here / "flow.toml").write_text(
        RECIPE.replace("vae", "rich_vae").replace("[record]", "posterior = 'flow'\n[record]")
    )
    assert model(recipe=here / "flow.toml").posterior == "flow"
    assert model(recipe=here / "flow.toml", posterior="coupling").posterior == "coupling"
    assert model(recipe=here / "flow.toml", posterior="gaussian") == model(
        recipe=here / "recipe.toml"
    )
    (here / "pyramid.toml").write_text(
        "family = 'pyramid'\n[model]\nlikelihood = 'categorical'\ncomponents = 0"
    )
    for options, words in (
        ({"posterior": "planar"}, "trains but does not code"),
        ({"posterior": "best"}, "one of gaussian, mixture"),
        ({"posterior": "flow", "labels": here / "labels.npy"}, "without labels"),
        ({"posterior": "flow", "recipe": here / "pyramid.toml"}, "family vae or rich_vae"),
        (
            {"posterior": "mixture", "latents": "bernoulli"},
            "of the family bernoulli_vae are discrete",
        ),
        (
            {"posterior": "gaussian", "latents": "categorical"},
            "of the family categorical_vae are discrete",
        ),
    ):
        with pytest.raises(InputError, match=words):
            model(**options)
    (here / "planar.toml").write_text("family = 'rich_vae'\n[model]\nposterior = 'planar'")
    with pytest.raises(NoCodecError, match="trains but does not code"):
        model(recipe=here / "planar.toml")


def test_minutes_are_for_photographs(here: Path) -> None:
    with pytest.raises(InputError, match="minutes is for photograph models"):
        runs.train_model(
            here / "digits.npy",
            here / "m.safetensors",
            TrainOptions(recipe=here / "recipe.toml", minutes=1.0),
        )
