"""Item 55: histograms of gradients of IWAE and the VAE, of p and of q: P(right sign) = Phi(SNR),
which goes to 1 and to 1 / 2.
"""

import numpy as np
import pytest
import torch

from tests.methods.gradients import DIMS, gradients

RUNS = 20_000
STANDARD_NORMAL = torch.distributions.Normal(0.0, 1.0)
BINS = 10  # of equal mass under the normal law
CHI_SQUARE_9 = 39.3  # passed once in 10^5 by 9 degrees of freedom


def histogram(values):
    """How many of the standardised values fall into each of the bins."""
    edges = STANDARD_NORMAL.icdf(torch.arange(1, BINS) / BINS)
    return torch.bincount(torch.bucketize(values, edges), minlength=BINS).numpy()


@pytest.fixture(scope="module")
def found():
    """Gradients `(RUNS, DIMS)` of p's parameters and of q's, by particles; one is the VAE."""
    return {k: gradients(RUNS, k) for k in (1, 64)}


def snr(gradient):
    """|mean| / sd of each parameter."""
    return gradient.mean(0).abs() / gradient.std(0)


def right_sign(gradient):
    """Share of the runs whose gradient has the sign of the mean one, of each parameter."""
    return ((gradient * gradient.mean(0).sign()) > 0).float().mean(0)


@pytest.mark.parametrize("k", [1, 64])
@pytest.mark.parametrize("part", [0, 1], ids=["p", "q"])
def test_the_histogram_is_a_normal_one(found, k, part):
    """Chi-square over ten bins of each parameter.

    Of a VAE gradients are linear in the noise; of 64 particles their mean is near enough.

    Twenty parameters, of which each raises a false alarm once in 10^5.
    """
    for gradient in found[k][part].T:
        counts = histogram((gradient - gradient.mean()) / gradient.std())
        assert ((counts - RUNS / BINS) ** 2).sum() / (RUNS / BINS) < CHI_SQUARE_9


@pytest.mark.parametrize("k", [1, 64])
@pytest.mark.parametrize("part", [0, 1], ids=["p", "q"])
def test_the_share_of_right_signs_is_that_of_the_ratio(found, k, part):
    """Phi(SNR) of each parameter, within 4.5 standard errors of a share: a false alarm in 10^5 a
    parameter.
    """
    gradient = found[k][part]
    assert torch.allclose(
        right_sign(gradient), STANDARD_NORMAL.cdf(snr(gradient)), atol=4.5 * 0.5 / np.sqrt(RUNS)
    )


def test_particles_sharpen_p_and_blur_q(found):
    """Mean shares over DIMS parameters: p 0.726 to 0.905, q 0.528 to 0.505, +- 0.001 over three
    seeds. A coin has 0.5.
    """
    shares = {
        k: [float(right_sign(gradient).mean()) for gradient in parts] for k, parts in found.items()
    }
    assert shares[1] == pytest.approx([0.726, 0.528], abs=0.004)
    assert shares[64] == pytest.approx([0.905, 0.505], abs=0.004)
    error = 0.5 / np.sqrt(RUNS * DIMS)
    assert shares[64][1] > 0.5 + 4 * error  # there is a signal still: the estimate is unbiased
