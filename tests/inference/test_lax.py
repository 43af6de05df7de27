"""LAX as what a Gaussian VAE's q is trained by: unbiased in every parameter, beside an integral,
and a run that lowers the rate.
"""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

import bbans
from bbans.errors import InputError
from bbans.models.bernoulli_vae import BernoulliVaeConfig
from bbans.models.conv_vae import ConvVaeConfig
from bbans.models.pyramid import PyramidConfig
from bbans.models.rich_vae import RichVaeConfig
from bbans.models.vae import VaeConfig
from bbans.options import TrainOptions
from bbans.training import continuous, discrete
from bbans.training.estimators.control import Control
from bbans.training.latent import LatentRecipe, Samples
from bbans.training.latent_run import read_recipe
from bbans.training.latent_task import train
from bbans.training.networks.families import export, float_network
from bbans.training.networks.heads import standard_divergence
from bbans.training.run import train_model
from bbans.training.terms import IWAE, LAX, Draws, Training
from tests.digits import digits
from tests.inference.stopping import Stop, stop_at

SMALL = VaeConfig(
    1, 3, levels=2, likelihood="bernoulli", components=0, latents=(1,), hidden=4, hidden_layers=1
)
X, BETA, BATCH, BATCHES = torch.tensor([[0, 1, 1]]), 0.7, 1000, 60


@pytest.fixture
def double():
    """Networks read samples in float64."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def small():
    """An untrained network in float64 whose latent matters, and its control with weights of its
    own.
    """
    with torch.random.fork_rng():
        torch.manual_seed(12)
        net = float_network(SMALL, Training(LAX))
        control = Control(net, Training(LAX)).double()
        with torch.no_grad():
            for parameter in net.parameters():
                parameter.copy_(0.8 * torch.randn_like(parameter))
            for parameter in control.parameters():
                parameter.add_(0.3 * torch.randn_like(parameter))
    return net, control


def flat(gradients, parameters):
    return torch.cat(
        [
            torch.zeros_like(p).flatten() if g is None else g.flatten()
            for g, p in zip(gradients, parameters, strict=True)
        ]
    )


def exact_gradient(net, points=20_001):
    """d/d parameters of E_q[-log2 p(x | z)] + beta KL, by a sum over points up to 8 sigmas away."""
    e = torch.linspace(-8.0, 8.0, points)
    weights = torch.exp(-(e**2) / 2) / math.sqrt(2 * math.pi) * (16 / (points - 1))
    mean, log2_sigma = net.posterior(1, X.double())
    expected = (
        weights * net.likelihood(X.repeat(points, 1), mean + torch.exp2(log2_sigma) * e[:, None])
    ).sum()
    parameters = list(net.parameters())
    return flat(
        torch.autograd.grad(
            expected + BETA * standard_divergence(mean, log2_sigma).sum(),
            parameters,
            allow_unused=True,
        ),
        parameters,
    )


def estimated(net, control, seed):
    """A batch's gradient by every parameter, and LAX's part of it."""
    source = Draws(torch.Generator().manual_seed(seed), BATCH)
    terms = discrete.terms(
        net, control, Training(LAX), X.repeat(BATCH, 1), None, source, None, BETA
    )
    loss, parameters = (
        terms.likelihood.mean() + BETA * terms.divergence.sum(1).mean() + terms.surrogate,
        list(net.parameters()),
    )
    part = torch.autograd.grad(terms.surrogate, parameters, retain_graph=True, allow_unused=True)
    return flat(torch.autograd.grad(loss, parameters, allow_unused=True), parameters), flat(
        part, parameters
    )


@pytest.mark.usefixtures("double")
def test_unbiased_in_every_parameter():
    """Of 60,000 draws, over some 50 parameters: 5 standard errors of 60 batches, false alarms below
    0.001 (t, 59). 5 % of the estimator's part are 6 or more of some parameter: they would be found
    out.
    """
    net, control = small()
    expected = exact_gradient(net)
    assert torch.allclose(expected, exact_gradient(net, 40_001), atol=5e-5)
    found, parts = (
        torch.stack(rows)
        for rows in zip(*(estimated(net, control, seed) for seed in range(BATCHES)), strict=True)
    )
    error = found.std(0) / math.sqrt(BATCHES)
    assert ((found.mean(0) - expected).abs() <= 5 * error + 5e-5).all()
    assert (0.05 * parts.mean(0).abs() / error.clamp(min=1e-12)).max() > 6


@pytest.mark.usefixtures("double")
def test_the_control_learns_to_lower_the_variance():
    """After 60 steps on a fixed network, beside that of the running mean alone."""
    net, control = small()
    with torch.no_grad():
        for parameter in control.frees[0][2].parameters():
            parameter.zero_()
    for seed in range(20):  # the running mean arrives
        estimated(net, control, seed)
    before = torch.stack([estimated(net, control, seed)[1] for seed in range(20)]).var(0).sum()
    optimiser = torch.optim.Adam(control.parameters(), 2e-2)
    for seed in range(60):
        estimated(net, control, 1000 + seed)
        optimiser.step()
    after = torch.stack([estimated(net, control, seed)[1] for seed in range(20)]).var(0).sum()
    assert after < 0.3 * before


MODEL = VaeConfig(8, 8, levels=2, likelihood="bernoulli", components=0, latents=(8,), hidden=64)
RECIPE = LatentRecipe(
    MODEL,
    steps=400,
    batch=50,
    warmup_steps=5,
    learning_rate=5e-3,
    average=0.95,
    validate_every=50,
    training=Training(LAX),
)
IMAGES, _ = digits(600, levels=2)
DATA = Samples(IMAGES[150:]), Samples(IMAGES[:150])


@pytest.mark.parametrize(
    "model",
    [
        MODEL,
        ConvVaeConfig(
            8, 8, 1, 2, "bernoulli", 0, latents=(8,), maps=8, halvings=1, blocks=1, hidden=32
        ),
    ],
)
def test_a_short_training_lowers_the_rate(model):
    """By more than latents that say nothing can: some are in use, and what they say is paid for."""
    net, history = train(*DATA, replace(RECIPE, model=model))
    silent = history[0]["rate"]
    assert history[-1]["rate"] < 0.95 * silent and history[-1]["active"] >= 2
    assert history[-1]["prior"] - history[-1]["posterior"] > 0.02  # KL, bits per dimension
    assert not any("frees" in name for name in export(net))


def test_a_resumed_run_has_the_control_of_an_unbroken_one(tmp_path):
    recipe = replace(RECIPE, steps=30, validate_every=10, latent_dropout=0.2, kl_warmup_steps=20)
    whole, _ = train(*DATA, recipe, tmp_path / "whole")
    with pytest.raises(Stop):
        train(*DATA, recipe, tmp_path / "broken", stop_at(20), checkpoint_seconds=0.0)
    resumed, _ = train(*DATA, recipe, tmp_path / "broken")
    states = [
        torch.load(tmp_path / name, weights_only=True)["control"] for name in ("whole", "broken")
    ]
    for a, b in [
        *zip(whole.parameters(), resumed.parameters(), strict=True),
        *((states[0][key], states[1][key]) for key in states[0]),
    ]:
        assert torch.allclose(a, b, rtol=1e-5, atol=1e-6)
    assert states[0]["moments"][0, 2] == 30 and states[0]["frees.0.2.weight"].any()


@pytest.mark.usefixtures("double")
def test_dropped_latents_are_told_nothing():
    """Items whose latents are unused cost no divergence, and their f is no signal."""
    net, control = small()
    drop = torch.arange(BATCH) % 2 == 0
    found = continuous.terms(
        net, control, X.repeat(BATCH, 1), Draws(torch.Generator().manual_seed(0), BATCH), drop
    )
    assert not found.divergence[drop].any() and found.divergence[~drop].all()
    assert torch.equal(
        found.likelihood[drop], net.likelihood(X, torch.zeros(1, 1)).expand(BATCH // 2)
    )
    none = continuous.terms(
        net,
        control,
        X.repeat(BATCH, 1),
        Draws(torch.Generator().manual_seed(0), BATCH),
        torch.ones(BATCH, dtype=torch.bool),
    )
    slopes = torch.autograd.grad(
        none.surrogate, [p for name, p in net.named_parameters() if "posterior" in name]
    )
    assert not any(slope.any() for slope in slopes)


BAD = {
    "one layer of Gaussian latents.*found the family bernoulli_vae": (
        BernoulliVaeConfig(8, 8, latents=(12,)),
        Training(LAX),
    ),
    "found the family pyramid": (PyramidConfig(8, 8), Training(LAX)),
    "found the family rich_vae": (RichVaeConfig(8, 8), Training(LAX)),
    "one layer of": (replace(MODEL, latents=(8, 4)), Training(LAX)),
    "without labels": (replace(MODEL, classes=10), Training(LAX)),
    "trains the ELBO; found objective 'iwae'": (MODEL, Training(LAX, objective=IWAE, particles=4)),
}


@pytest.mark.parametrize("said", BAD)
def test_other_models_and_objectives_are_refused(said):
    model, training = BAD[said]
    with pytest.raises(InputError, match=said):
        train(*DATA, replace(RECIPE, model=model, training=training))


def test_from_images_to_a_model_file(tmp_path):
    """Without a recipe, where the default is a dense VAE, and with one."""
    images, output = tmp_path / "i.npy", tmp_path / "m.safetensors"
    np.save(images, IMAGES.reshape(-1, 8, 8).astype(bool))
    train_model(images, output, TrainOptions(estimator="lax", steps=40))
    model = bbans.load_model(output)
    assert model.family == "vae" and model.record["recipe"]["training"]["estimator"] == "lax"
    recipe = tmp_path / "r.toml"
    recipe.write_text(
        "family = 'vae'\nsteps = 20\n[model]\nlatents = [8]\nhidden = 16\n[training]\nestimator = "
        "'lax'\n"
    )
    assert read_recipe(recipe).training == Training(LAX)
    with pytest.raises(InputError, match="found the family bernoulli_vae"):
        train_model(
            images, output, TrainOptions(latents="bernoulli", estimator="lax"), overwrite=True
        )
    (tmp_path / "photos").mkdir()
    recipe.write_text("steps = 20\n")
    with pytest.raises(InputError, match="so are estimators; these are photographs"):
        train_model(
            tmp_path / "photos",
            output,
            TrainOptions(recipe=recipe, estimator="lax"),
            overwrite=True,
        )
