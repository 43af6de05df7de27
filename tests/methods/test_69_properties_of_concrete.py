"""Item 69: x rounds to state k with probability a_k / sum a; it is one-hot at temperature 0;
log-convex if temperature <= 1 / (n - 1).
"""

import itertools
import math

import pytest
import torch

from bbans.training.networks.discrete_latents import CATEGORIES

N = 4
LOGITS = torch.tensor([0.3, -1.0, 1.2, 0.0], dtype=torch.float64)


def draws(number, seed=0):
    u = torch.rand(number, N, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return CATEGORIES.continuous(LOGITS.expand(number, N), u)


def log_density(x, temperature):
    """Maddison et al. 2017, equation 10, relative to Lebesgue measure on the first n - 1
    entries.
    """
    l = torch.log_softmax(LOGITS, 0)
    total = torch.logsumexp(l - temperature * x.log(), -1)
    return (
        math.lgamma(N)
        + (N - 1) * math.log(temperature)
        + (l - (temperature + 1) * x.log()).sum(-1)
        - N * total
    )


@pytest.mark.parametrize("temperature", [0.1, 1.0, 5.0])
def test_rounding(temperature):
    """Rounding gives the Gumbel-max sample itself, whose law item 67 tests."""
    z = draws(20_000)
    assert torch.equal(CATEGORIES.soft(z, temperature).argmax(1), CATEGORIES.hard(z).argmax(1))


def test_zero_temperature():
    """max |x - b| <= (n - 1) exp(-gap / temperature), of z's two largest: at 0.001 all but some 1 %
    of draws are one-hot to 1e-4.
    """
    z = draws(20_000)
    away = [
        (CATEGORIES.soft(z, t) - CATEGORIES.hard(z)).abs().amax(1) for t in (1.0, 0.1, 0.01, 0.001)
    ]
    means = [float(a.mean()) for a in away]
    assert (
        all(later < 0.3 * sooner for sooner, later in itertools.pairwise(means))
        and means[-1] < 0.001
    )
    assert ((away[-1] < 1e-4).double().mean()) > 0.98


@pytest.mark.parametrize("temperature", [0.2, 1 / 3])
def test_the_density_is_log_convex(temperature):
    """Of a segment's middle, on 20,000 segments; at temperature 1, which is too high, some fail."""
    generator = torch.Generator().manual_seed(1)
    x, y = (
        torch.softmax(2 * torch.randn(20_000, N, generator=generator, dtype=torch.float64), 1)
        for _ in range(2)
    )

    def excess(t):
        return log_density((x + y) / 2, t) - (log_density(x, t) + log_density(y, t)) / 2

    assert excess(temperature).max() < 1e-12
    assert excess(1.0).max() > 0.1


def test_the_density_is_that_of_the_samples():
    """Mass of x_1 < 1/2, x_2 < 1/4, x_3 < 1/4 by the midpoint rule against draws: 5 standard
    errors, false alarms 6e-7.
    """
    edge = (torch.arange(120, dtype=torch.float64) + 0.5) / 120
    x = torch.cartesian_prod(edge / 2, edge / 4, edge / 4)
    inside = x.sum(1) < 1
    x = torch.cat([x, 1 - x.sum(1, keepdim=True)], 1)[inside]
    expected = float(torch.exp(log_density(x, 1.0)).sum()) / 32 / 120**3
    soft = CATEGORIES.soft(draws(200_000), 1.0)
    share = float(((soft[:, 0] < 0.5) & (soft[:, 1] < 0.25) & (soft[:, 2] < 0.25)).double().mean())
    assert 0.05 < expected < 0.95
    assert abs(share - expected) < 5 * math.sqrt(expected * (1 - expected) / 200_000)
