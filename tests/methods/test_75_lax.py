"""Item 75: LAX, [f - c(z)] d log q(z) + d c(z), is unbiased for any c, here by quadrature over z; a
c near f lowers its variance.
"""

import torch

from bbans.training.estimators.relax import lax
from bbans.training.networks.discrete_latents import BITS
from tests.three_bits import exact_gradient, f, integrated, network


def test_unbiased_for_arbitrary_controls():
    """12 nodes a piece are exact to 1e-9: a bias of 5 % is 1e-2."""
    for seed in range(3):
        control, _ = network(seed)
        found = integrated(lambda l, n, c=control: lax(f, c, l, n), 1, 12)
        assert torch.allclose(found.mean, exact_gradient(), atol=1e-9)


def test_a_good_control_lowers_the_variance():
    none, good = (
        integrated(lambda l, n, c=c: lax(f, c, l, n), 1, 16)
        for c in (lambda z: 0 * z.sum(1), lambda z: f(BITS.soft(z, 0.5)))
    )
    assert torch.allclose(none.mean, exact_gradient(), atol=1e-9) and torch.allclose(
        good.mean, exact_gradient(), atol=1e-6
    )
    assert good.variance.sum() < 0.2 * none.variance.sum()
