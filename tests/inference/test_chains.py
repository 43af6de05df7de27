"""Training of latent chains: resumes where it stopped, stops when it should, averages weights, and
ends with a file that codes.
"""

import copy
import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from bbans.errors import InputError, ModelFormatError
from bbans.exact.torch_ops import TorchOps
from bbans.models import model_file
from bbans.models.bernoulli_vae import BernoulliVaeConfig
from bbans.models.categorical_vae import CategoricalVaeConfig
from bbans.models.pyramid import PyramidConfig
from bbans.models.registry import FAMILIES, family_name
from bbans.models.rich_vae import POSTERIORS, RichVaeConfig
from bbans.models.vae import VaeConfig
from bbans.models.vqvae import VqVaeConfig
from bbans.schemes import bits_back
from bbans.training.default_recipes import default_recipe
from bbans.training.estimators.control import Control
from bbans.training.latent import LINEAR, LatentRecipe, Samples, learning_rate
from bbans.training.latent import rates as rate_of
from bbans.training.latent_run import read_recipe, run
from bbans.training.latent_task import descend, train
from bbans.training.networks.families import float_network
from bbans.training.passes import Passes
from bbans.training.photographs import PhotoRecipe
from bbans.training.terms import ESTIMATORS, IWAE, LAX, MUPROP, PIWAE, RELAX, SCORE, VIMCO, Training
from tests.chains import check_chain
from tests.digits import digits
from tests.inference.reading import NothingRead
from tests.inference.stopping import Stop, stop_at

MODEL = VaeConfig(
    8, 8, levels=2, likelihood="bernoulli", components=0, latents=(4,), hidden=16, hidden_layers=1
)
RECIPE = LatentRecipe(
    MODEL,
    steps=40,
    batch=50,
    warmup_steps=5,
    kl_warmup_steps=10,
    learning_rate=5e-3,
    average=0.9,
    validate_every=10,
)
X, _ = digits(300, levels=2)
DATA = Samples(X[:200]), Samples(X[200:])


def test_a_resumed_run_equals_an_unbroken_one(tmp_path):
    whole, history = train(*DATA, RECIPE, tmp_path / "whole")

    with pytest.raises(Stop):
        train(*DATA, RECIPE, tmp_path / "broken", stop_at(30), checkpoint_seconds=0.0)
    resumed, again = train(*DATA, RECIPE, tmp_path / "broken")
    assert [row["step"] for row in again] == [10, 20, 30, 40]
    assert [row["rate"] for row in again] == pytest.approx(
        [row["rate"] for row in history], rel=1e-5
    )
    for a, b in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.allclose(a, b, rtol=1e-4, atol=1e-5)


def test_the_best_weights_are_kept_and_training_stops():
    """Steps that are far too large: the network of the best validation comes back, three
    validations after it.
    """
    recipe = replace(
        RECIPE,
        learning_rate=3.0,
        warmup_steps=1,
        average=0.0,
        clip_norm=1e9,
        decay=LINEAR,
        steps=400,
        patience=3,
        validate_every=5,
    )
    net, history = train(*DATA, recipe)
    rates = [row["rate"] for row in history]
    best = int(np.argmin(rates))
    assert len(history) == best + 4 < 80
    assert rate_of(net, DATA[1])["rate"] == rates[best]


def test_learning_rates():
    cosine = replace(RECIPE, steps=100, warmup_steps=10, learning_rate=1.0)
    rates = [learning_rate(cosine, step) for step in range(101)]
    assert (
        rates[0] == pytest.approx(0.1)
        and rates[50] == pytest.approx(0.5)
        and rates[100] == pytest.approx(0)
    )
    linear = [
        learning_rate(replace(cosine, decay=LINEAR, decay_fraction=0.25), step)
        for step in range(100)
    ]
    assert linear[10:75] == [1.0] * 65 and linear[99] == pytest.approx(1 / 25)


def test_run_makes_a_model_that_codes(tmp_path):
    x, labels = digits(300, levels=2)
    recipe = replace(RECIPE, model=replace(MODEL, classes=10))
    training, validation = (
        Samples(x[part], labels[part]) for part in (slice(200), slice(200, None))
    )
    path = tmp_path / "m.safetensors"
    path.write_bytes(run(training, validation, recipe, record={"licence": "CC0"}))
    model = model_file.load_file(path)
    assert model.record["licence"] == "CC0" and model.record["recipe"]["model"]["classes"] == 10
    assert model.record["exact_validation"]["rate"] == pytest.approx(
        model.record["history"][-1]["rate"], rel=0.02
    )
    chain = model.network(TorchOps()).given(labels[:20])
    check_chain(chain, x[:20].astype(np.int64), bits_back)


def test_the_default_recipe_follows_the_images():
    assert isinstance(default_recipe(512, 768, 3, 256), PhotoRecipe)
    likelihoods = [default_recipe(28, 28, 1, levels).model.likelihood for levels in (2, 17, 256)]
    assert likelihoods == ["bernoulli", "categorical", "logistic"]
    for shape in (
        (8, 8, 1, 17),
        (28, 28, 1, 2),
        (28, 28, 1, 256),
        (32, 32, 3, 256),
        (200, 40, 1, 16),
    ):
        recipe = default_recipe(*shape, items=1000)
        FAMILIES[family_name(recipe.model)].check(recipe.model)
        assert (
            recipe.model.head.dims == np.prod(shape[:3])
            and recipe.patience
            and recipe.steps == 3000
        )
    assert default_recipe(28, 28, 1, 256).steps > 3000


def test_recipes_in_files(tmp_path, repository):
    for name, levels in (("mnist-binary", 2), ("mnist-binary-2", 2), ("mnist", 256)):
        recipe = read_recipe(repository / "recipes" / f"{name}.toml")
        assert recipe.model.levels == levels and sum(recipe.model.latents) in (50, 60)
    path = tmp_path / "r.toml"
    path.write_text(
        "family = 'bernoulli_vae'\nsteps = 7\n[model]\nlatents = [30, 20]\n[training]\nestimator "
        "= 'score'\n"
    )
    recipe = read_recipe(path)
    assert (recipe.steps, recipe.model.latents, recipe.training.estimator) == (7, (30, 20), SCORE)
    assert json.dumps(recipe.model.latents) == "[30, 20]"


@pytest.mark.parametrize("levels", [2, 32, 256, 65536])
def test_default_models_have_bounded_networks(levels):
    """Dense networks of 127 x 127 x 3 samples had over 200 million weights; a labelled VAE of 1024
    samples of 32 levels has 14.
    """
    shapes = [
        (28, 28, 1),
        (32, 32, 1),
        (32, 32, 3),
        (33, 31, 1),
        (64, 65, 4),
        (127, 127, 3),
        (127, 129, 4),
        (16, 4096, 1),
        (65536, 1, 1),
    ]
    for shape in shapes:
        dense = np.prod(shape) <= 1024
        for classes, family in ((0, "pyramid"), (10, "vae" if dense else "conv_vae")):
            model = default_recipe(*shape, levels, classes=classes).model
            assert family_name(model) == family
            FAMILIES[family].check(model)
            with torch.random.fork_rng():
                weights = sum(parameter.numel() for parameter in float_network(model).parameters())
            assert weights < {"pyramid": 3e6, "vae": 14e6, "conv_vae": 2e6}[family], (shape, family)


BAD = ["steps = 3", "family = 'photo'", "family ="]
BAD_SETTINGS = [
    "steps = 0",
    "decay = 'step'",
    "[model]\nlatents = 3",
    "[training]\nestimator = 'exact'",
    "surprise = 1",
]


@pytest.mark.parametrize(
    "text", [*BAD, *(f"family = 'vae'\n{setting}" for setting in BAD_SETTINGS)]
)
def test_bad_recipes_are_refused(tmp_path, text):
    path = tmp_path / "r.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=r"r\.toml"):
        read_recipe(path)
    path.write_text("family = 'vae'\n[model]\nlatents = [0]")
    with pytest.raises(ModelFormatError):
        read_recipe(path)


BITS = BernoulliVaeConfig(8, 8, 1, 2, "bernoulli", 0, latents=(4, 3))
STATES = CategoricalVaeConfig(8, 8, 1, 2, "bernoulli", 0, latents=(4,), states=3)
EVERY = {
    "vae": RECIPE,
    "labels and dropped latents": replace(
        RECIPE, model=replace(MODEL, classes=10), latent_dropout=0.2
    ),
    "two layers of grey levels": replace(
        RECIPE, model=VaeConfig(8, 8, latents=(4, 2), hidden=16, hidden_layers=1)
    ),
    "iwae": replace(RECIPE, training=Training(objective=IWAE, particles=2)),
    "piwae": replace(RECIPE, training=Training(objective=PIWAE, particles=4, groups=2)),
    "lax": replace(RECIPE, training=Training(LAX)),
    "pyramid": replace(
        RECIPE,
        model=PyramidConfig(8, 8, 1, 2, "bernoulli", 0, latents=(3,)),
        training=Training(dropout=0.1),
    ),
    "vqvae": replace(
        RECIPE, model=VqVaeConfig(8, 8, 1, 2, "bernoulli", 0, codes=4, codebook=8, dims=2)
    ),
    **{
        kind: replace(
            RECIPE, model=RichVaeConfig(8, 8, 1, 2, "bernoulli", 0, latents=(3,), posterior=kind)
        )
        for kind in POSTERIORS
    },
    **{
        name: replace(RECIPE, model=BITS, training=Training(name, particles=1 + (name == VIMCO)))
        for name in ESTIMATORS
        if name != LAX
    },
    **{
        f"{name} of categories": replace(RECIPE, model=STATES, training=Training(name))
        for name in (MUPROP, RELAX)
    },
}


@pytest.mark.parametrize("name", EVERY)
def test_no_step_waits_for_the_device(name):
    """One step first: a device gets what does not change then, once."""
    recipe = EVERY[name]
    labels = digits(300, levels=2)[1][:200] if getattr(recipe.model, "classes", 0) else None
    net = float_network(recipe.model, recipe.training)
    control = Control(net, recipe.training)
    optimiser = torch.optim.AdamW(
        [{"params": net.parameters()}, *control.groups()], recipe.learning_rate
    )
    batches, averaged = Passes(X[:200], labels, 0, 20, torch.device("cpu")), copy.deepcopy(net)
    descend(net, control, averaged, optimiser, batches, recipe, 0)
    with NothingRead():
        rate = descend(net, control, averaged, optimiser, batches, recipe, 1)
    assert 0 < float(rate) < 20
