"""Item 31. -log p(x | z) = |x - g|^2 / (2 d^2) + D/2 log 2 pi d^2: squared error up to scale, but
the rate depends on d.
"""

import numpy as np
import torch

from bbans.distributions import gaussian
from bbans.distributions.tables import SCALES

RMSE = 6.0


def rates():
    """Bits a pixel of the discretised Gaussian around a mean image, for every scale index; and the
    empirical error.
    """
    rng = np.random.default_rng(0)
    mean = rng.uniform(90, 160, 4000)
    x = np.rint(mean + rng.normal(0, RMSE, 4000)).astype(np.int64)
    location = np.rint(32 * mean).astype(np.int64)
    bits = [
        22 - np.log2(gaussian.interval(location, np.full(4000, s), x)[1]).mean()
        for s in range(SCALES)
    ]
    return np.array(bits), np.sqrt(((x - mean) ** 2).mean())


def test_the_rate_is_least_at_the_empirical_error():
    """Scales lie 2^(1/16) apart; the least rate is that of a Gaussian's differential entropy."""
    bits, error = rates()
    best = bits.argmin()
    assert abs(best / 16 - 4 - np.log2(error)) <= 1 / 16
    assert abs(bits[best] - 0.5 * np.log2(2 * np.pi * np.e * error**2)) < 0.01
    one = 160  # the largest scale, 64 grey levels, a quarter of what d = 1 is to pixels of 0 to 1
    assert bits[one] > bits[best] + 2


def test_gradients_are_those_of_squared_error():
    x, g = (
        torch.rand(5, dtype=torch.float64),
        torch.rand(5, dtype=torch.float64, requires_grad=True),
    )
    for d in (0.1, 1.0):
        loss = -torch.distributions.Normal(g, d).log_prob(x).sum()
        (gradient,) = torch.autograd.grad(loss, g)
        assert torch.allclose(gradient, (g - x) / d**2, rtol=1e-12)
