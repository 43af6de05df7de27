"""71: one discrete latent is coded exactly, so the discrete ELBO is the rate; the relaxed one is
another number.
"""

import math

import numpy as np
import torch

from bbans.models.categorical_vae import CategoricalVaeConfig
from bbans.schemes import bits_back
from bbans.schemes.bounds import ideal_bits, net_bits
from bbans.training.latent import LatentRecipe, Samples
from bbans.training.latent_task import train
from bbans.training.networks.families import export
from bbans.training.terms import CONCRETE, Training
from tests.chains import exact
from tests.digits import digits

CONFIG = CategoricalVaeConfig(8, 8, latents=(1,), states=16)


def test_the_rate_is_the_discrete_bound():
    x, _ = digits(600, levels=2)
    recipe = LatentRecipe(
        CONFIG,
        steps=200,
        batch=50,
        learning_rate=1e-2,
        warmup_steps=5,
        average=0.9,
        validate_every=50,
        training=Training(CONCRETE),
    )
    with torch.random.fork_rng():
        net, history = train(Samples(x[200:]), Samples(x[:200]), recipe)
    assert all("relaxed" in row for row in history) and history[-1]["rate"] < history[0]["rate"]
    chain, test = exact(CONFIG, export(net)), x[:200].astype(np.int64)
    ideal = ideal_bits(chain, test, 32).total
    net_found = np.array(
        net_bits(bits_back.codec, ((chain, test[i : i + 1]) for i in range(200)), 0)
    )
    differences = net_found - ideal
    assert abs(differences.mean()) <= 0.005 * ideal.mean() + 4 * differences.std(
        ddof=1
    ) / math.sqrt(200)

    states = np.arange(16)[:, None]  # exactly: E_q of the three terms over the sixteen states
    q = np.exp2(-np.stack([chain.posterior(1, test).bits(np.full((200, 1), k)) for k in range(16)]))
    terms = [
        chain.likelihood(0, np.full((200, 1), k)).bits(test)
        + chain.prior(200).bits(np.full((200, 1), k))
        for k in range(16)
    ]
    bound = (q * (np.stack(terms) + np.log2(q))).sum(0)
    assert len(states) == len(q) and np.allclose(q.sum(0), 1)
    error = (ideal - bound).std(ddof=1) / math.sqrt(200)
    assert abs((ideal - bound).mean()) <= 4 * error + 1e-9
    evidence = -np.log2(np.exp2(-np.stack(terms)).sum(0))
    assert (bound >= evidence - 1e-9).all()


def test_the_decoder_takes_relaxed_latents():
    """p(x, z) at points of the simplex lies on a smooth path between its values at the states."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        from bbans.training.networks.families import float_network

        net = float_network(CONFIG)
    x = torch.from_numpy(digits(1, levels=2)[0].astype(np.int64)).repeat(101, 1)
    t = torch.linspace(0, 1, 101)[:, None, None]
    ends = torch.eye(16)[:2]
    z = net.infer(x, lambda logits, layer: t * ends[0] + (1 - t) * ends[1])
    bits = net.likelihood(x, z).detach()
    first, last = (
        net.likelihood(x[:1], net.infer(x[:1], lambda logits, layer, e=e: e[None, None])).item()
        for e in (ends[1], ends[0])
    )
    assert math.isclose(bits[0], first, rel_tol=1e-5) and math.isclose(bits[-1], last, rel_tol=1e-5)
    assert bits.diff().abs().max() < 0.05 * (bits.max() - bits.min()) + 0.05
