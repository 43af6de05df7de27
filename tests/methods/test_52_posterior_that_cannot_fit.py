"""Item 52: with p fixed, the bound decides what a q that cannot fit becomes: narrow under the ELBO,
over-dispersed under L_K.
"""

import pytest
import torch

from tests.methods.overdispersed import CORRELATION, log_weights, optimum


def test_a_diagonal_posterior_of_a_correlated_one():
    """ELBO: s^2 = 1 - 0.9^2, the conditional variance; IWAE of 16: about the marginal variance,
    1.
    """
    assert optimum("elbo") == pytest.approx((1 - CORRELATION**2) ** 0.5, abs=0.01)
    assert 1.0 < optimum("iwae") < 1.25


def test_each_is_best_at_its_own():
    """Rates of the two optima under both bounds, on other noise: the ELBO's q loses under L_16 and
    the other way round.
    """
    rate = {}
    for name in ("elbo", "iwae"):
        log_w = log_weights(torch.tensor(optimum(name), dtype=torch.float64).log(), 20_000, 1)
        rate[name] = (
            float(log_w.mean()),
            float((torch.logsumexp(log_w * 0.6931471805599453, 0) / 0.6931471805599453 - 4).mean()),
        )
    assert rate["elbo"][0] > rate["iwae"][0] + 0.05 and rate["iwae"][1] > rate["elbo"][1] + 0.01


def test_they_coincide_where_it_fits():
    """q = p(z | x) makes every weight p(x): all bounds are log p(x), and no bound improves by
    moving.
    """
    e = torch.randn(16, 40_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for scale, least in ((1.0, 0.0), (1.2, 5e-4)):
        z = scale * e
        log_w = (-0.5 * z**2 + 0.5 * e**2 + torch.tensor(scale).log()) / 0.6931471805599453
        gap = -(torch.logsumexp(log_w * 0.6931471805599453, 0) / 0.6931471805599453 - 4)
        assert float(gap.abs().max()) < 1e-12 if least == 0 else float(gap.mean()) > least
        assert (float(-log_w.mean()) > 1e-2) == (least > 0)
