"""Item 60: ESS = (sum w)^2 / sum w^2: K for the posterior itself, 1 where one weight has all; how
well a q's particles share the work.
"""

import math
from itertools import pairwise

import pytest
import torch

from bbans.training.diagnostics import effective_samples
from tests.methods.overdispersed import PARTICLES, log_weights, optimum


def test_its_ends():
    assert torch.allclose(effective_samples(torch.full((7, 3), -900.0)), torch.full((3,), 7.0))
    one = torch.full((7, 3), -2000.0)
    one[2] = -900.0
    assert torch.allclose(effective_samples(one), torch.ones(3))
    assert float(effective_samples(torch.tensor([[0.0], [1.0], [1.0]]))[0]) == pytest.approx(25 / 9)


def test_the_order_of_objectives():
    """Medians of ESS / K of one correlated Gaussian, each q at its own optimum: VAE > CIWAE > MIWAE
    = PIWAE > IWAE, by 0.015 or more.

    The tighter the bound, the wider its q, and the fewer particles carry the sum (figure 7 of
    Rainforth et al. 2018). The error of a median of 20,000 is below 0.003.
    """
    medians = []
    for name in ("elbo", "ciwae", "miwae", "iwae"):
        log_w = log_weights(torch.tensor(math.log(optimum(name)), dtype=torch.float64), 20_000, 3)
        medians.append(float(effective_samples(log_w).median()) / PARTICLES)
    assert all(a > b + 0.015 for a, b in pairwise(medians))
