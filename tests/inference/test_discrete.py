"""Estimators wired into the training of discrete chains: gradients of all parameters against
enumeration, and what a run keeps.
"""

import itertools
import math
from dataclasses import replace

import pytest
import torch

from bbans.errors import InputError
from bbans.models.bernoulli_vae import BernoulliVaeConfig
from bbans.models.categorical_vae import CategoricalVaeConfig
from bbans.models.pyramid import PyramidConfig
from bbans.models.rich_vae import RichVaeConfig
from bbans.models.structured import StructuredConfig
from bbans.models.vae import VaeConfig
from bbans.training import discrete, discrete_bounds
from bbans.training.estimators.control import Control
from bbans.training.latent import LatentRecipe, Samples
from bbans.training.latent_run import conditioned, read_recipe
from bbans.training.latent_task import train
from bbans.training.networks.bernoulli_vae import Inferred
from bbans.training.networks.families import export, float_network
from bbans.training.terms import (
    CIWAE,
    CONCRETE,
    IWAE,
    MUPROP,
    NVIL,
    PIWAE,
    REBAR,
    RELAX,
    SCORE,
    STRAIGHT_THROUGH,
    VIMCO,
    Draws,
    Training,
)
from tests.digits import digits
from tests.inference.stopping import Stop, stop_at

CONFIGS = {
    "bits": BernoulliVaeConfig(1, 3, latents=(3,)),
    "two layers of bits": BernoulliVaeConfig(1, 3, latents=(2, 2), hidden=4, hidden_layers=1),
    "categories": CategoricalVaeConfig(1, 3, latents=(2,), states=3),
    "structured": StructuredConfig(2, 3, condition=1, latents=(2, 2)),
    "two layers of categories": CategoricalVaeConfig(1, 3, latents=(2, 1), states=3),
}
X, TOLD = torch.tensor([[0, 1, 1]]), torch.tensor([[1, 0, 1]])
BATCH, BATCHES = 500, 60
# as many draws, where 5 % would drown in noise
TIMES = {(name, NVIL): 2 for name in ("bits", "two layers of categories")} | {("bits", MUPROP): 2}
TIMES |= {
    ("bits", RELAX): 4,
    ("categories", RELAX): 3,
    ("structured", RELAX): 6,
    ("two layers of categories", RELAX): 2,
}
BETA = 0.7


def small(config, training=None):
    """An untrained network in float64 whose weights are large enough for its latents to matter, and
    its control.
    """
    training = training or Training()
    with torch.random.fork_rng():
        torch.manual_seed(5)
        net = float_network(config, training).double()
        control = Control(net, training).double()
        with torch.no_grad():
            for parameter in net.parameters():
                parameter.copy_(0.8 * torch.randn_like(parameter))
            for name, parameter in control.named_parameters():
                parameter.add_(
                    0.1 * torch.randn_like(parameter)
                    + (3.0 if "baselines" in name and "2.bias" in name else 0.0)
                )
    return net, control


@pytest.fixture
def double():
    """Networks read samples in float64."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def states(net, layer):
    """Every value of a layer, `(S, D)` or `(S, D, K)`."""
    dims, config = net.config.latents[layer - 1], net.config
    if not isinstance(config, CategoricalVaeConfig):
        return torch.tensor(list(itertools.product((0.0, 1.0), repeat=dims)), dtype=torch.float64)
    eye = torch.eye(config.states, dtype=torch.float64)
    return torch.stack(
        [eye[list(chosen)] for chosen in itertools.product(range(config.states), repeat=dims)]
    )


def configurations(net):
    """Every z with its logits, and q(z | x), of the item X."""
    chosen = list(
        itertools.product(*(range(len(states(net, layer))) for layer in range(1, net.depth + 1)))
    )
    columns = torch.tensor(chosen).T
    samples = [states(net, layer)[column] for layer, column in enumerate(columns, 1)]
    x = X.repeat(len(chosen), 1)
    z = net.infer(net.seen(x, TOLD.repeat(len(x), 1)), lambda logits, layer: samples[layer - 1])
    log_q = -math.log(2) * sum(
        net.latent.bits(q, b).sum(1) for q, b in zip(z.logits, samples, strict=True)
    )
    return x, z, torch.exp(log_q)


def exact_loss(net, beta=BETA):
    """likelihood + beta KL in bits, by enumeration."""
    x, z, q = configurations(net)
    information = sum(
        net.latent.bits(logits, b).sum(1) for logits, b in zip(z.logits, z.samples, strict=True)
    )
    prior = sum(net.prior(layer, z, sampled=True).sum(1) for layer in range(1, net.depth + 1))
    return (q * (net.likelihood(x, z) + beta * (prior - information))).sum()


def flat(gradients, net):
    """Gradients by all parameters as one vector; none is 0."""
    parts = zip(gradients, net.parameters(), strict=True)
    return torch.cat(
        [torch.zeros_like(p).flatten() if g is None else g.flatten() for g, p in parts]
    )


def estimated(net, control, training, seed, batch=BATCH):
    """The gradient of the loss by every parameter as one batch has it, and which part of it is the
    estimator's.
    """
    source = Draws(torch.Generator().manual_seed(seed), batch)
    terms = discrete.terms(
        net, control, training, X.repeat(batch, 1), TOLD.repeat(batch, 1), source, None, BETA
    )
    loss = terms.likelihood.mean() + BETA * terms.divergence.sum(1).mean() + terms.surrogate
    parameters = list(net.parameters())
    part = torch.autograd.grad(terms.surrogate, parameters, retain_graph=True, allow_unused=True)
    return flat(torch.autograd.grad(loss, parameters, allow_unused=True), net), flat(part, net)


def of_q(net):
    """Which parameters are those of q."""
    return (
        torch.cat(
            [
                torch.full_like(p, float(key.startswith("nets.posterior"))).flatten()
                for key, p in net.named_parameters()
            ]
        )
        > 0
    )


def estimates(net, control, training, batch=BATCH):
    """Both of `estimated`, of every batch."""
    found, parts = zip(
        *(estimated(net, control, training, seed, batch) for seed in range(BATCHES)), strict=True
    )
    return torch.stack(found), torch.stack(parts)


def check_unbiased(net, control, training, batch, expected):
    """Within 5 standard errors of what is expected; 5 % of the estimator's part are 6 or more of
    some parameter: they would be found out.

    The rest of the gradient, of entropies, the divergence on top and p, is exact or that of a
    sample, and no estimator can bias it.
    """
    found, parts = estimates(net, control, training, batch)
    error = found.std(0) / math.sqrt(BATCHES)
    assert ((found.mean(0) - expected).abs() <= 5 * error + 1e-9).all()
    assert (0.05 * parts.mean(0).abs() / error.clamp(min=1e-12)).max() > 6


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("estimator", [SCORE, NVIL, MUPROP, REBAR, RELAX])
def test_unbiased_in_every_parameter(name, estimator):
    """Of 30,000 draws, or to 180,000, over some 20 to 100 parameters: 5 standard errors of 60
    batches, false alarms below 0.002 (t, 59).
    """
    training = Training(estimator)
    net, control = small(CONFIGS[name], training)
    expected = flat(torch.autograd.grad(exact_loss(net), list(net.parameters())), net)
    check_unbiased(net, control, training, BATCH * TIMES.get((name, estimator), 1), expected)


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("name", ["bits", "two layers of bits", "categories", "structured"])
def test_vimco_is_unbiased(name):
    """Of the bound of two samples, enumerated over pairs of configurations; as above."""
    training = Training(VIMCO, particles=2)
    net, control = small(CONFIGS[name], training)
    x, z, q = configurations(net)
    information = sum(
        net.latent.bits(logits, b).sum(1) for logits, b in zip(z.logits, z.samples, strict=True)
    )
    prior = sum(net.prior(layer, z, sampled=True).sum(1) for layer in range(1, net.depth + 1))
    w = torch.exp2(-net.likelihood(x, z) - BETA * (prior - information))
    bound = -(q[:, None] * q * torch.log2((w[:, None] + w) / 2)).sum()
    expected = flat(torch.autograd.grad(bound, list(net.parameters())), net)
    check_unbiased(net, control, training, 2 * BATCH, expected)


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("name", CONFIGS)
def test_the_parts_make_the_bound(name):
    """The rate that a network reports is the enumerated one: 40,000 draws, 5 standard errors."""
    net, _ = small(CONFIGS[name])
    with torch.no_grad():
        terms = net.terms(
            X.repeat(40_000, 1), TOLD.repeat(40_000, 1), torch.Generator().manual_seed(1)
        )
        bits = terms.likelihood + terms.divergence.sum(1)
        assert abs(bits.mean() - exact_loss(net, 1.0)) <= 5 * bits.std() / 200


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("name", ["bits", "two layers of categories"])
def test_relaxed_bounds_approach_the_bound(name):
    """The relaxed bound departs from the discrete one by less, the lower the temperature; it is no
    rate.
    """
    net, _ = small(CONFIGS[name])
    with torch.no_grad():
        exact = float(exact_loss(net, 1.0))
        x = X.repeat(40_000, 1)
        gaps = []
        for temperature in (1.0, 0.3, 0.03):
            terms = discrete_bounds.relaxed(
                net, x, x, Draws(torch.Generator().manual_seed(1), len(x)), temperature
            )
            gaps.append(abs(float((terms.likelihood + terms.divergence.sum(1)).mean()) - exact))
    assert gaps[0] > 2 * gaps[1] > 4 * gaps[2]


@pytest.mark.usefixtures("double")
def test_a_control_lowers_the_variance_of_its_estimate():
    """REBAR's temperature and scale and RELAX's network after 120 steps on a fixed network."""
    for estimator in (REBAR, RELAX):
        training = Training(estimator, temperature=4.0)
        net, control = small(CONFIGS["bits"], training)
        before = estimates(net, control, training)[0][:, of_q(net)].var(0).sum()
        optimiser = torch.optim.Adam(control.parameters(), 2e-2)
        for seed in range(120):
            optimiser.zero_grad()
            estimated(net, control, training, 1000 + seed, 100)
            optimiser.step()
        after = estimates(net, control, training)[0][:, of_q(net)].var(0).sum()
        assert after < 0.7 * before, (estimator, before, after)


MODEL = BernoulliVaeConfig(8, 8, latents=(12,))
RECIPE = LatentRecipe(
    MODEL, steps=60, batch=50, warmup_steps=5, learning_rate=1e-2, average=0.9, validate_every=6
)
IMAGES, _ = digits(300, levels=2)
DATA = Samples(IMAGES[:200]), Samples(IMAGES[200:])
MODELS = {
    "one layer": MODEL,
    "two layers": replace(MODEL, latents=(12, 8)),
    "not linear": replace(MODEL, hidden=24, hidden_layers=2),
    "categories": CategoricalVaeConfig(8, 8, latents=(6,), states=4),
    "structured": StructuredConfig(8, 8, condition=4, latents=(12, 8)),
}


@pytest.mark.parametrize(
    "estimator", [STRAIGHT_THROUGH, SCORE, NVIL, MUPROP, VIMCO, CONCRETE, REBAR, RELAX]
)
@pytest.mark.parametrize("name", MODELS)
def test_all_models_learn_by_all_estimators(name, estimator):
    recipe = replace(
        RECIPE,
        model=MODELS[name],
        training=Training(estimator, particles=3 if estimator == VIMCO else 1),
    )
    net, history = train(*(conditioned(recipe.model, part) for part in DATA), recipe)
    assert history[-1]["rate"] < 0.9 * history[0]["rate"]
    beside = {VIMCO: {"bound"}, CONCRETE: {"relaxed"}}.get(estimator, set())
    assert {"bound", "relaxed"} & set(history[-1]) == beside
    assert not any("baseline" in name or "temperature" in name for name in export(net))
    if estimator == VIMCO:
        assert history[-1]["bound"] < history[-1]["rate"]


@pytest.mark.parametrize("estimator", [NVIL, MUPROP, RELAX])
def test_a_resumed_run_has_the_control_of_an_unbroken_one(estimator, tmp_path):
    recipe = replace(
        RECIPE,
        steps=30,
        validate_every=10,
        training=Training(estimator),
        latent_dropout=0.2,
        kl_warmup_steps=20,
    )
    whole, history = train(*DATA, recipe, tmp_path / "whole")

    with pytest.raises(Stop):
        train(*DATA, recipe, tmp_path / "broken", stop_at(20), checkpoint_seconds=0.0)
    resumed, again = train(*DATA, recipe, tmp_path / "broken")
    assert [row["rate"] for row in again] == pytest.approx(
        [row["rate"] for row in history], rel=1e-6
    )
    for a, b in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.allclose(a, b, rtol=1e-5, atol=1e-6)
    states = [
        torch.load(tmp_path / name, weights_only=True)["control"] for name in ("whole", "broken")
    ]
    assert all(
        torch.allclose(states[0][key], states[1][key], rtol=1e-4, atol=1e-5) for key in states[0]
    )
    with torch.random.fork_rng():
        fresh = Control(whole, recipe.training).state_dict()
    assert any(
        not torch.equal(fresh[key], states[0][key]) for key in fresh if "0.weight" not in key
    )


BAD = {
    "is one of": (MODEL, Training("exact")),
    "found the family vae": (VaeConfig(8, 8), Training(RELAX)),
    "found the family pyramid": (PyramidConfig(8, 8), Training(VIMCO, particles=2)),
    "2 or more": (MODEL, Training(VIMCO)),
    "1 with other": (MODEL, Training(RELAX, particles=2)),
    "above 0": (MODEL, Training(CONCRETE, temperature=0.0)),
    "'iwae' is for Gaussian latents; the family bernoulli_vae": (
        MODEL,
        Training(objective=IWAE, particles=4),
    ),
    "estimator 'vimco': name that, .*found the estimator 'relax'": (
        MODEL,
        Training(RELAX, objective=PIWAE, particles=4, groups=2),
    ),
    "'ciwae' is for Gaussian latents; the family structured": (
        MODELS["structured"],
        Training(objective=CIWAE, particles=4),
    ),
    "estimator 'relax' is for latents of bits": (
        VaeConfig(8, 8),
        Training(RELAX, objective=IWAE, particles=4),
    ),
    "estimator 'vimco' is for latents of bits": (
        RichVaeConfig(8, 8),
        Training(VIMCO, objective=IWAE, particles=4),
    ),
}


@pytest.mark.parametrize("said", BAD)
def test_combinations_that_cannot_be_are_refused(said):
    model, training = BAD[said]
    with pytest.raises(InputError, match=said):
        discrete.check(training, model)
    with pytest.raises(InputError, match=said):
        train(*DATA, replace(RECIPE, model=model, training=training))


def test_free_bits_and_recipes_in_files(tmp_path):
    with pytest.raises(InputError, match="free_bits"):
        train(*DATA, replace(RECIPE, free_bits=0.1, training=Training(RELAX)))
    path = tmp_path / "r.toml"
    path.write_text(
        "family = 'categorical_vae'\n[model]\nlatents = [6]\nstates = 4\n[training]\nestimator = "
        "'rebar'\ntemperature = 0.3\n"
    )
    recipe = read_recipe(path)
    assert recipe.model == CategoricalVaeConfig(
        latents=(6,), states=4
    ) and recipe.training == Training(REBAR, temperature=0.3)
    path.write_text("family = 'vae'\n[training]\nestimator = 'relax'\n")
    with pytest.raises(InputError, match=r"r\.toml.*bits or categories"):
        read_recipe(path)


@pytest.mark.usefixtures("double")
def test_a_signal_leaves_out_only_what_does_not_depend_on_its_layer():
    """f differs between values of z_l by what the bound does."""
    net, _ = small(CONFIGS["two layers of bits"])
    x, z, _ = configurations(net)
    whole = net.bound(x, z)
    bits = (whole.likelihood + BETA * whole.divergence.sum(1)).view(4, 4)  # by z_1, z_2
    first, second = (net.signal(x, layer, Inferred(*z), BETA).view(4, 4) for layer in (1, 2))
    assert torch.allclose((bits - bits[:1]), (first - first[:1]))
    information = BETA * net.prior(2, z).sum(1).view(
        4, 4
    )  # the top layer's expected prior does not depend on z_2
    assert torch.allclose(bits - bits[:, :1], second - second[:, :1]) and torch.allclose(
        information, information[:, :1]
    )
