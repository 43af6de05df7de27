"""Item 70: of Concrete and of straight-through Concrete the bias grows with the temperature and the
variance falls, by quadrature.
"""

import itertools

import pytest
import torch

from tests.methods.relaxed import concrete, straight_through
from tests.three_bits import enumerated, exact_gradient, f, integrated

TEMPERATURES = (0.125, 0.25, 0.5, 1.0, 2.0)


@pytest.mark.parametrize("estimator", [concrete, straight_through])
def test_temperature_trades_bias_for_variance(estimator):
    """Each step of the ladder changes both by a tenth at least, which the error of quadrature
    (1e-3) cannot.
    """
    found = [integrated(lambda l, n, t=t: estimator(f, l, n, t), 1, 20) for t in TEMPERATURES]
    bias = [float((m.mean - exact_gradient()).norm()) for m in found]
    variance = [float(m.variance.sum()) for m in found]
    assert all(later > 1.1 * sooner for sooner, later in itertools.pairwise(bias))
    assert all(later < 0.9 * sooner for sooner, later in itertools.pairwise(variance))
    assert bias[0] < 0.1 * exact_gradient().norm() < 0.3 * exact_gradient().norm() < bias[-1]


def test_straight_through_is_biased_unless_f_is_linear():
    w = torch.tensor([1.0, -0.5, 0.3], dtype=torch.float64)
    linear = enumerated(lambda l, n: straight_through(lambda b: b @ w, l, n))
    assert (
        torch.allclose(linear.mean, exact_gradient(lambda b: b @ w), atol=1e-15)
        and linear.variance.max() < 1e-30
    )
    curved = enumerated(lambda l, n: straight_through(f, l, n))
    assert (curved.mean - exact_gradient()).norm() > 0.2 * exact_gradient().norm()
