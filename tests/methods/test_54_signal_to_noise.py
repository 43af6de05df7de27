"""Item 54: SNR of gradients, sqrt(M K) for p and sqrt(M / K) for q: more particles make the
gradient by q's parameters worse.
"""

import numpy as np
import pytest
import torch

from bbans.training.diagnostics import signal_to_noise
from tests.methods.gradients import DIMS, gradients, setting

RUNS = {1: 20_000, 4: 30_000, 16: 50_000, 64: 50_000}


def slope(counts, values):
    return float(np.polyfit(np.log(counts), np.log(values), 1)[0])


def test_the_gradient_is_that_of_the_bound():
    """Autodiff of log (1 / K) sum w at one draw."""
    mu, x, mean = setting()
    mu, mean = mu.clone().requires_grad_(), mean.clone().requires_grad_()
    e = torch.randn(1, 1, 8, DIMS, generator=torch.Generator().manual_seed(1))
    z = mean + (2 / 3) ** 0.5 * e
    log_w = -0.5 * (((z - mu) ** 2).sum(3) + ((x - z) ** 2).sum(3) - (e**2).sum(3))
    expected = torch.autograd.grad(torch.logsumexp(log_w, 2).sum(), (mu, mean))
    for found, gradient in zip(gradients(1, 8), expected, strict=True):
        assert torch.allclose(found[0], gradient, atol=1e-5)


def test_particles():
    """K = 1 to 64: slopes +0.5 and -0.5 within 0.1.

    The floor is removed: at K = 64 the estimate's own error is 5 %.

    Over nine seeds the slopes are 0.466 +- 0.001 and -0.478 +- 0.018: 0.1 is four such deviations
    away, a false alarm in 10^4.
    """
    of_p, of_q = zip(
        *((signal_to_noise(g) for g in gradients(runs, k)) for k, runs in RUNS.items()), strict=True
    )
    assert slope(list(RUNS), of_p) == pytest.approx(0.5, abs=0.1)
    assert slope(list(RUNS), of_q) == pytest.approx(-0.5, abs=0.1)


def test_groups():
    """M = 1 to 16 of K = 4: both slopes are +0.5, over five seeds 0.500 +- 0.001 and 0.500 +-
    0.007.
    """
    counts = (1, 4, 16)
    of_p, of_q = zip(
        *((signal_to_noise(g) for g in gradients(30_000, 4, m)) for m in counts), strict=True
    )
    assert slope(counts, of_p) == pytest.approx(0.5, abs=0.1)
    assert slope(counts, of_q) == pytest.approx(0.5, abs=0.1)


def test_the_floor():
    """Gradients of no signal: the plain ratio stays near 1 / sqrt(R), this one does not."""
    noise = torch.randn(400, 2000, generator=torch.Generator().manual_seed(0))
    plain = float((noise.mean(0) ** 2).sum().sqrt() / noise.var(0).sum().sqrt())
    assert plain == pytest.approx(0.05, rel=0.1)
    assert signal_to_noise(noise) < 0.02
