"""Item 21: grad log p(x) = grad p(x) / p(x) = E_{p(z | x)}[grad log p(x, z)], Fisher's identity, on
a model that can be enumerated.
"""

import math

import numpy as np
import pytest
import torch

from bbans.distributions.categorical import weights
from bbans.models.analytic import finite_mixture

RNG = np.random.default_rng(0)
PRIOR, LIKELIHOOD = RNG.integers(-40, 1, 4), RNG.integers(-40, 1, (4, 2, 5))  # logits in 1/16 log2


def log_joint(a, b, x):
    """log p(x, z) of each z, from logits in nats."""
    log_x = torch.log_softmax(b, 2)
    return torch.log_softmax(a, 0) + log_x[:, 0, x[0]] + log_x[:, 1, x[1]]


def test_fisher_identity():
    unit = math.log(2) / 16
    a, b = (
        torch.tensor(part * unit, dtype=torch.float64, requires_grad=True)
        for part in (PRIOR, LIKELIHOOD)
    )
    chain = finite_mixture(
        weights(LIKELIHOOD.reshape(8, 5)).reshape(4, 2, 5), weights(PRIOR[None])[0]
    )
    for i, x in enumerate(chain.configurations()):
        joint = log_joint(a, b, x)
        evidence = torch.logsumexp(joint, 0)
        direct = torch.autograd.grad(evidence, (a, b), retain_graph=True)
        p = joint.exp().sum()
        ratio = [g / p.detach() for g in torch.autograd.grad(p, (a, b), retain_graph=True)]
        posterior = (joint - evidence).detach().exp()
        fisher = torch.autograd.grad((posterior * joint).sum(), (a, b), retain_graph=True)
        coded = torch.tensor(np.diff(chain.inference[0][i]) / 2**24)  # what the chain codes z with
        by_chain = torch.autograd.grad((coded * joint).sum(), (a, b))
        for one, two, three, four in zip(direct, ratio, fisher, by_chain, strict=True):
            assert (one - two).abs().max() < 1e-12 and (one - three).abs().max() < 1e-12
            assert (one - four).abs().max() < 3e-4  # the table of 2^(-j / 16) has 14 bits
        assert -float(evidence.detach()) / math.log(2) == pytest.approx(chain.evidence[i], abs=1e-3)
