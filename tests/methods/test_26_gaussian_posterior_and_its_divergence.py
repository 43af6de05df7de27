"""Item 26: net - likelihood bits -> KL(q || N(0, 1)) = 1/2 sum (mu^2 + s^2 - log s^2 - 1) as the
bins become fine.

Bins of equal mass come in 2^4 to 2^12. The gap falls as the square of their width, down to what the
floor of one does: it moves 2^(P - 24) of the mass of q, and a unit of mass changes the divergence
by about P bits.
"""

import numpy as np
import pytest

from bbans.distributions import gaussian_bins

PRECISIONS = (4, 6, 8, 10, 12)


def divergence(mean, sigma):
    m, s = mean / 128, 2.0 ** (sigma / 8 - 6)
    return 0.5 * (m**2 + s**2 - np.log(s**2) - 1) / np.log(2)


def coded(mean, sigma, precision):
    """E_q[prior bits - posterior bits], by summing over all bins."""
    z = np.arange(1 << precision)[:, None]
    bits = gaussian_bins.gaussian(np.full_like(z, mean), np.full_like(z, sigma), precision).bits(z)
    q = np.exp2(-bits)
    assert q.sum() == pytest.approx(1, abs=1e-9)
    assert (gaussian_bins.standard_normal((len(z), 1), precision).bits(z) == precision).all()
    return float((q * (precision - bits)).sum())


@pytest.mark.parametrize(("mean", "sigma"), [(30, 24), (-80, 20), (60, 40), (0, 32)])
def test_the_gap_closes(mean, sigma):
    gaps = [abs(coded(mean, sigma, p) - divergence(mean, sigma)) for p in PRECISIONS]
    assert gaps[0] > 4 * gaps[1] > 16 * gaps[2]
    for p, gap in zip(PRECISIONS, gaps, strict=True):
        assert gap < 2 * gaps[0] * 4.0 ** (4 - p) + (p + 6) * 2.0 ** (p - 24)


@pytest.mark.parametrize("precision", [8, 10, 12])
def test_additive_over_dimensions_and_zero_at_the_prior(precision):
    assert abs(coded(0, 48, precision)) < 5e-5
    z = np.random.default_rng(0).integers(0, 1 << precision, (20, 3))
    mean, sigma = np.tile([[10, -40, 0]], (20, 1)), np.tile([[20, 30, 48]], (20, 1))
    both = gaussian_bins.gaussian(mean, sigma, precision).bits(z)
    alone = sum(
        gaussian_bins.gaussian(mean[:, [d]], sigma[:, [d]], precision).bits(z[:, [d]])
        for d in range(3)
    )
    assert np.allclose(both, alone)
