"""Item 12: Q = diagonal Gaussians: draws have the mean and the variance asked for, dimensions are
independent, bits add up.
"""

import numpy as np
import pytest

from bbans.distributions import gaussian_bins
from bbans.schemes.sampling import sample_distribution

N = 20_000


@pytest.mark.parametrize("precision", [8, 10, 12])
def test_moments_of_draws(precision):
    """4.5 standard errors, 5 comparisons a precision: false alarms 3e-5.

    Rounding of u to its bins adds below 0.3 % of sigma.
    """
    mean, sigma = np.array([[-96, 40]]), np.array([[32, 24]])  # sigma 2^-2 and 2^-3
    z = sample_distribution(
        gaussian_bins.gaussian(np.repeat(mean, N, 0), np.repeat(sigma, N, 0), precision),
        (precision,),
    )
    u = gaussian_bins.value(precision, z) / 128
    sd = 2.0 ** (sigma[0] / 8 - 6)
    slack = 4.5 / np.sqrt(N)
    assert (np.abs(u.mean(0) - mean[0] / 128) < sd * (slack + 0.02)).all()
    assert (np.abs(u.var(0) / sd**2 - 1) < slack * np.sqrt(2) + 0.02).all()
    assert abs(np.corrcoef(u.T)[0, 1]) < slack


def test_bits_add_over_dimensions():
    rng = np.random.default_rng(0)
    mean, sigma, z = (
        rng.integers(-200, 200, (50, 4)),
        rng.integers(10, 56, (50, 4)),
        rng.integers(0, 1024, (50, 4)),
    )
    whole = gaussian_bins.gaussian(mean, sigma, 10).bits(z)
    parts = [
        gaussian_bins.gaussian(mean[:, d : d + 1], sigma[:, d : d + 1], 10).bits(z[:, d : d + 1])
        for d in range(4)
    ]
    assert np.allclose(whole, np.sum(parts, 0), atol=1e-9)
