"""Bounds of K log-weights as objectives: their order, what their gradients reach, and runs that
they train.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch

from bbans.errors import InputError
from bbans.training import objectives
from bbans.training.diagnostics import effective_samples, normalised_weights
from bbans.training.latent import LatentRecipe, Samples
from bbans.training.latent_run import read_recipe
from bbans.training.latent_task import train
from bbans.training.networks.families import float_network
from bbans.training.objectives import ciwae, elbo, iwae, miwae, piwae
from bbans.training.terms import CIWAE, IWAE, MIWAE, PIWAE, Draws, Training
from tests.chains import CONFIGS
from tests.digits import digits
from tests.methods.trained import VAE

G = torch.Generator().manual_seed(0)
LOG_W = (
    torch.randn(4, 6, 9, generator=G, dtype=torch.float64) * 3 - 1000
)  # far beyond what 2^log_w could hold


def test_order_and_values():
    flat = LOG_W.flatten(0, 1)
    bounds = [elbo(flat), ciwae(flat, 0.3), iwae(flat)]
    assert all(b.shape == (9,) for b in bounds) and miwae(LOG_W).shape == (9,)
    assert (bounds[0] < bounds[1]).all() and (bounds[1] < bounds[2]).all()
    assert (bounds[0] < miwae(LOG_W)).all() and (miwae(LOG_W) < bounds[2]).all()
    assert torch.allclose(bounds[2], torch.log2(torch.exp2(flat + 1000).mean(0)) - 1000, rtol=1e-12)
    assert torch.allclose(iwae(LOG_W[0, :1]), elbo(LOG_W[0, :1]), rtol=1e-12) and torch.allclose(
        miwae(flat[:, None]), elbo(flat)
    )
    assert torch.equal(ciwae(flat, 0.0), iwae(flat)) and torch.equal(ciwae(flat, 1.0), elbo(flat))
    assert torch.equal(piwae(LOG_W).model, iwae(flat)) and torch.equal(
        piwae(LOG_W).posterior, miwae(LOG_W)
    )


def test_weights_and_effective_samples():
    flat = LOG_W.flatten(0, 1)
    assert torch.allclose(normalised_weights(flat).sum(0), torch.ones(9, dtype=torch.float64))
    found = effective_samples(flat)
    assert found.min() > 1 and found.max() < 24
    assert torch.allclose(effective_samples(torch.full((5, 2), -700.0)), torch.tensor(5.0))


def networks(objective, particles, groups=1, name="binary"):
    training = Training(objective=objective, particles=particles, groups=groups)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return float_network(CONFIGS[name], training), training


@pytest.fixture
def float64():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def drawn(net, particles, seed=3):
    x = torch.randint(0, 2, (7, 20), generator=torch.Generator().manual_seed(1))
    return objectives.weights(
        net, x, None, Draws(torch.Generator().manual_seed(seed), 7), particles
    )


def many(net, count, seed=3):
    """log2 w of `count` draws of each of 7 items, `(count, 7)`: copies of the items instead of
    particles, which is faster.
    """
    x = torch.randint(0, 2, (7, 20), generator=torch.Generator().manual_seed(1)).repeat(count, 1)
    with torch.no_grad():
        found = objectives.weights(
            net, x, None, Draws(torch.Generator().manual_seed(seed), len(x)), 1
        )
    return found.logs().reshape(count, 7)


@pytest.mark.parametrize("name", ["binary", "three layers", "pyramid"])
def test_log_weights_estimate_the_elbo(name):
    """The mean of log2 w against the network's own ELBO, whose top KL divergence is exact: 4.5
    standard errors, 7 items.
    """
    net, _ = networks(IWAE, 2, name=name)
    exact = networks("elbo", 1, name=name)[0]
    assert net.sampled and not exact.sampled
    log_w, expected = many(net, 3000), many(exact, 3000, 4)
    error = torch.sqrt((log_w.var(0) + expected.var(0)) / 3000)
    assert ((log_w.mean(0) - expected.mean(0)).abs() < 4.5 * error).all()
    assert not torch.allclose(log_w.mean(0), expected.mean(0), atol=1e-6)


def test_the_sample_is_in_the_weight():
    """E w = p(x) whatever q is: means of w with two different q agree, 7 comparisons at 4.5
    standard errors.
    """
    net, _ = networks(IWAE, 2)
    found = []
    for bias in (0.0, 0.3):
        with torch.no_grad():
            net.net("posterior1").output_bias(1).fill_(bias)
        found.append(many(net, 20_000))
    error = torch.sqrt(sum(1 / effective_samples(log_w) for log_w in found)) / np.log(2)
    assert error.max() < 0.1 and ((iwae(found[0]) - iwae(found[1])).abs() < 4.5 * error).all()
    assert ((elbo(found[0]) - elbo(found[1])).abs() > 0.3).all()


def gradients(net, pair):
    net.zero_grad()
    objectives.backward(net, pair, 1.0)
    return {name: p.grad.clone() for name, p in net.named_parameters() if p.grad is not None}


@pytest.mark.parametrize(
    "name",
    [
        "binary",
        "three layers",
        "convolutional",
        "pyramid",
        "autoregressive flow",
        "coupling flow",
        "semi-implicit",
    ],
)
def test_the_encoder_runs_once(name, float64):
    """Log-weights and gradients are those of an encoder that runs for every draw, in float64 to
    1e-6 of the largest; dropped items too.
    """
    config, K = CONFIGS[name], 5
    net = networks(IWAE, K, name=name)[0]
    x = torch.randint(
        0, config.levels, (7, config.head.dims), generator=torch.Generator().manual_seed(1)
    )
    drop = torch.tensor([True, *[False] * 6])
    calls = []
    net.net("posterior1").register_forward_hook(lambda *_: calls.append(1))

    def gradients_of(log_w):
        net.zero_grad()
        iwae(log_w).mean().backward()
        return torch.cat([p.grad.flatten() for p in net.parameters() if p.grad is not None])

    once = objectives.weights(
        net, x, None, Draws(torch.Generator().manual_seed(3), 7), K, drop
    ).logs()
    shared = name not in ("autoregressive flow", "semi-implicit")
    assert (len(calls) == 1) == shared
    source = Draws(torch.Generator().manual_seed(3), 7)
    terms = [net.terms(x, None, source, drop) for _ in range(K)]
    each = -torch.stack([t.likelihood + t.divergence.sum(1) for t in terms])
    assert torch.allclose(once, each, rtol=1e-12)
    found, expected = gradients_of(once), gradients_of(each)
    assert (
        found.isfinite().all()
        and float((found - expected).abs().max()) < 1e-6 * float(expected.abs().max()) > 0
    )


def test_piwae_divides_its_gradients():
    net, training = networks(PIWAE, 12, 4)
    found = gradients(net, objectives.bounds(training, drawn(net, 12).logs()))
    tight = gradients(
        net, objectives.bounds(replace(training, objective=IWAE), drawn(net, 12).logs())
    )
    grouped = gradients(
        net, objectives.bounds(replace(training, objective=MIWAE), drawn(net, 12).logs())
    )
    assert found.keys() == tight.keys() and any("posterior" in name for name in found)
    for name, gradient in found.items():
        right, wrong = (grouped, tight) if "posterior" in name else (tight, grouped)
        assert torch.allclose(gradient, right[name], rtol=1e-4, atol=1e-6)
        assert not torch.allclose(gradient, wrong[name], rtol=1e-3, atol=1e-6), name


@pytest.mark.parametrize("objective", [IWAE, MIWAE, CIWAE, PIWAE])
def test_runs(objective, tmp_path):
    x, _ = digits(300, levels=17)
    recipe = LatentRecipe(
        VAE, steps=30, batch=50, warmup_steps=5, learning_rate=3e-3, average=0.5, validate_every=10
    )
    recipe = replace(recipe, training=Training(objective=objective, particles=4, groups=2))
    net, history = train(Samples(x[:250]), Samples(x[250:]), recipe, tmp_path / "state")
    assert history[-1]["bound"] < history[0]["bound"]
    assert (
        history[-1]["bound"] < history[-1]["rate"] + 1e-3
    )  # of other draws, but lower by more than their noise
    again, repeated = train(Samples(x[:250]), Samples(x[250:]), recipe, tmp_path / "state")
    assert [row["bound"] for row in repeated] == [row["bound"] for row in history]
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), again.parameters(), strict=True))


def test_one_particle_is_the_elbo_in_expectation():
    """IWAE of one particle trains like the ELBO: rates after 60 steps within 2 %."""
    x, _ = digits(300, levels=17)
    recipe = LatentRecipe(
        VAE, steps=60, batch=50, warmup_steps=5, learning_rate=3e-3, average=0.5, validate_every=60
    )
    rates = []
    for training in (Training(), Training(objective=IWAE)):
        _, history = train(Samples(x[:250]), Samples(x[250:]), replace(recipe, training=training))
        rates.append(history[-1]["rate"])
    assert rates[0] == pytest.approx(rates[1], rel=0.02) and rates[0] != rates[1]


@pytest.mark.parametrize(
    ("training", "config", "free_bits", "message"),
    [
        (Training(objective="tight"), "binary", 0.0, "one of elbo, iwae"),
        (Training(objective=MIWAE, particles=7, groups=2), "binary", 0.0, "multiple of groups"),
        (Training(objective=CIWAE, particles=2, elbo_share=1.5), "binary", 0.0, "elbo_share"),
        (Training(particles=2), "binary", 0.0, "larger batch"),
        (Training(objective=IWAE, particles=2), "bits", 0.0, "Gaussian latents"),
        (Training(objective=IWAE, particles=2), "codes", 0.0, "Gaussian latents"),
        (Training(objective=IWAE, particles=2), "binary", 0.1, "free_bits"),
    ],
)
def test_what_is_refused(training, config, free_bits, message):
    data = Samples(np.zeros((4, 20), np.uint8))
    with pytest.raises(InputError, match=message):
        train(
            data,
            data,
            LatentRecipe(CONFIGS[config], steps=1, free_bits=free_bits, training=training),
        )


def test_a_recipe_names_it(tmp_path):
    path = tmp_path / "r.toml"
    path.write_text('family = "vae"\n[training]\nobjective = "miwae"\nparticles = 8\ngroups = 2\n')
    assert read_recipe(path).training == Training(objective=MIWAE, particles=8, groups=2)
