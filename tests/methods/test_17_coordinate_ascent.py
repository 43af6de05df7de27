"""Item 17: CAVI on a conjugate model gives phi*(x) in closed form, in integers, so that a decoder
computes it as well.
"""

import numpy as np
import pytest

from bbans.coding.rans import pseudo_random_message
from bbans.models.negative_binomial import mean_field
from bbans.schemes import bits_back
from bbans.schemes.bounds import ideal_bits
from bbans.schemes.sampling import sample_items
from tests.laws import check_codec
from tests.methods.analytic_posteriors import FINE, MEAN_FIELD, Correlated
from tests.methods.mean_field import MEAN, PRECISION, gap, optimum

CHAIN = Correlated(MEAN_FIELD)
X = sample_items(CHAIN, 100, 3)


def test_every_sweep_improves():
    """The distance from the optimum's means, on which alone the ELBO depends, falls by (n / (n +
    1))^2 a sweep, below 1e-6 in 60.
    """
    means = np.stack(CHAIN.cavi(X, 60)) / 2.0**FINE
    n, total = CHAIN.copies, (X - 512).sum(1) / 32
    off = means - (total / (1 + 2 * n))[None, :, None]
    precision = np.eye(2) + n
    losses = np.einsum("tbi,ij,tbj->tb", off, precision, off) / 2
    assert (np.diff(losses, axis=0) <= 2.0 ** (4 - FINE)).all()
    assert losses[0].max() > 0.1 and losses[-1].max() < 1e-6
    moved = np.abs(off[:6, :, 1]).max(1)
    assert np.allclose(moved[2:] / moved[1:-1], (n / (n + 1)) ** 2, atol=1e-3)


def test_stochastic_gradients_are_slower():
    """Reparameterised gradients of one draw, step 1 / (t + 10): after 1000 steps the gap is a
    thousand times that of 60 sweeps.
    """
    rng = np.random.default_rng(0)
    mean, log_sigma = np.array([3.0, -2.0]), np.log(optimum()[1])
    for t in range(1000):
        z = mean + np.exp(log_sigma) * rng.normal(size=2)
        mean = mean - PRECISION @ (z - MEAN) / (t + 10)
    assert gap(mean, log_sigma) - gap(*optimum_logs()) > 1e-3 * 1e-3
    exact = np.zeros(2)
    for _ in range(60):
        for i in (0, 1):
            exact[i] = MEAN[i] - PRECISION[i, 1 - i] / PRECISION[i, i] * (
                exact[1 - i] - MEAN[1 - i]
            )
    assert gap(exact, log_sigma) - gap(*optimum_logs()) < 1e-6


def optimum_logs():
    mean, sigma = optimum()
    return mean, np.log(sigma)


def test_the_coder_pays_the_gap():
    """Net - (-log2 p(x)) = (sum log Lambda_ii - log det Lambda) / 2, 0.596 bit, within 5 standard
    errors of 64 draws.
    """
    check_codec(bits_back.codec(CHAIN, len(X)), pseudo_random_message((8,), 2000, 0), X)
    paid = ideal_bits(CHAIN, X, 64).total - CHAIN.evidence_bits(X)
    assert CHAIN.gap_bits() == pytest.approx(0.5963, abs=1e-4)
    assert paid.mean() == pytest.approx(CHAIN.gap_bits(), abs=5 * paid.std() / np.sqrt(len(X)))


def test_counts():
    """The same for the negative binomial, whose factors are no Gaussians: monotone, and converged
    well before 60 sweeps.
    """
    gaps = mean_field()[2]
    assert (np.diff(gaps) <= 1e-12).all() and gaps[-2] - gaps[-1] < 1e-9
