"""Item 60: ESS = (sum w)^2 / sum w^2: K for the posterior itself, 1 where one weight has all; how well a q's particles share the work."""

import math

import pytest
import torch

from bbans.inference.diagnostics import effective_samples
from tests.seeds.overdispersed import PARTICLES, log_weights, optimum


def test_its_ends():
    assert torch.allclose(effective_samples(torch.full((7, 3), -900.0)), torch.full((3,), 7.0))
    one = torch.full((7, 3), -2000.0)
    one[2] = -900.0
    assert torch.allclose(effective_samples(one), torch.ones(3))
    assert float(effective_samples(torch.tensor([[0.0], [1.0], [1.0]]))[0]) == pytest.approx(25 / 9)


def test_wider_posteriors_share_the_work():
    """Of one correlated Gaussian: q trained on the ELBO misses what it has least of, and IWAE's q has more effective samples."""
    medians = {}
    for name in ("elbo", "miwae", "iwae"):
        log_w = log_weights(torch.tensor(math.log(optimum(name)), dtype=torch.float64), 20_000, 3)
        medians[name] = float(effective_samples(log_w).mean()) / PARTICLES
    assert 0 < medians["elbo"] < 1 and 0 < medians["iwae"] < 1
