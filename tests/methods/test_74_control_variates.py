"""Item 74: g - a (c - E[c]) is unbiased for every c and a; its variance falls with c's correlation,
to 1 - rho^2 at the best a.
"""

import pytest
import torch

from bbans.training.estimators.score import best_coefficient, control_variate, score
from tests.three_bits import enumerated, exact_gradient, f


@pytest.mark.parametrize("mixing", [0.0, 0.5, 0.9])
def test_unbiased_and_of_less_variance(mixing):
    """c is f mixed with an unrelated function of the bits."""
    other = torch.tensor([2.0, 5.0, 1.0, 4.0, 3.0, 0.0, 2.0, 6.0], dtype=torch.float64)
    place = torch.tensor([4.0, 2.0, 1.0], dtype=torch.float64)

    def control(b):
        return mixing * f(b) + (1 - mixing) * other[(b @ place).long()]

    def corrected(coefficient):
        return enumerated(
            lambda l, n: control_variate(
                f, control, exact_gradient(control), l, n, coefficient=coefficient
            )
        )

    plain, known = (enumerated(lambda l, n, c=c: score(c, l, n)) for c in (f, control))
    both = enumerated(lambda l, n: score(lambda b: f(b) + control(b), l, n))
    covariance = (both.variance - plain.variance - known.variance) / 2
    rho2 = covariance**2 / plain.variance / known.variance
    for coefficient in (0.5, 1.0, covariance / known.variance):
        assert torch.allclose(corrected(coefficient).mean, exact_gradient(), atol=1e-13)
    best = corrected(covariance / known.variance).variance
    assert torch.allclose(best, (1 - rho2) * plain.variance, rtol=1e-10)
    assert (best < corrected(0.5).variance + 1e-12).all()
    assert best.sum() < (1 - mixing**2) * plain.variance.sum()


def test_the_best_coefficient_from_a_batch():
    """Of exact multiples it is the multiple; a unit of unrelated noise moves it by 1 /
    sqrt(draws).
    """
    generator = torch.Generator().manual_seed(0)
    known = torch.randn(10_000, 3, generator=generator, dtype=torch.float64)
    multiple = torch.tensor([0.5, -2.0, 3.0], dtype=torch.float64)
    assert torch.allclose(best_coefficient(known * multiple + 1, known), multiple, atol=1e-12)
    noise = torch.randn(10_000, 3, generator=generator, dtype=torch.float64)
    assert (best_coefficient(known * multiple + noise, known) - multiple).abs().max() < 5 / 100
