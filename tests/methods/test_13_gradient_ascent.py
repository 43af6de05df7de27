"""Item 13: ascent along the exact gradient of the ELBO is monotone and ends at the optimum in
closed form.
"""

import numpy as np
import pytest

from tests.methods.mean_field import MEAN, PRECISION, gap, optimum


def test_ascent_is_monotone_and_converges():
    """Mean-field of a correlated Gaussian, by means and log sigmas from far off; steps below 2 /
    (largest curvature).
    """
    mean, log_sigma = np.array([3.0, -2.0]), np.array([1.0, -1.5])
    gaps = [gap(mean, log_sigma)]
    for _ in range(3000):
        mean = mean - 0.05 * PRECISION @ (mean - MEAN)
        log_sigma = log_sigma - 0.05 * (np.diag(PRECISION) * np.exp(2 * log_sigma) - 1)
        gaps.append(gap(mean, log_sigma))
    assert (np.diff(gaps) <= 1e-12).all()
    best_mean, best_sigma = optimum()
    assert np.allclose(mean, best_mean, atol=1e-6) and np.allclose(
        np.exp(log_sigma), best_sigma, atol=1e-6
    )
    assert gaps[-1] == pytest.approx(
        0.5 * (np.log(np.diag(PRECISION)).sum() - np.linalg.slogdet(PRECISION)[1]), abs=1e-9
    )


def test_the_gradient_is_that_of_the_gap():
    """Against differences."""
    mean, log_sigma, h = np.array([0.7, -0.4]), np.array([-0.3, 0.2]), 1e-6
    by_mean = [
        (gap(mean + h * e, log_sigma) - gap(mean - h * e, log_sigma)) / (2 * h) for e in np.eye(2)
    ]
    by_sigma = [
        (gap(mean, log_sigma + h * e) - gap(mean, log_sigma - h * e)) / (2 * h) for e in np.eye(2)
    ]
    assert np.allclose(by_mean, PRECISION @ (mean - MEAN), atol=1e-6)
    assert np.allclose(by_sigma, np.diag(PRECISION) * np.exp(2 * log_sigma) - 1, atol=1e-6)
