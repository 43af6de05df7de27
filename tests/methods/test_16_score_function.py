"""Item 16, Problem 8.3: f(b) d/d phi log q(b) is unbiased for bits, categories and a Gaussian, by
enumeration and quadrature.
"""

import numpy as np
import torch

from bbans.training.estimators.score import score, score_surrogate
from bbans.training.networks.discrete_latents import CATEGORIES
from tests.three_bits import LOGITS, Preset, enumerated, exact_gradient, f


def test_bits():
    """f need not be differentiable: also a step of the bits, whose gradient nothing but f's values
    can give.
    """
    for function in (f, lambda b: (b.sum(-1) > 1.5).double()):
        found = enumerated(lambda l, n, function=function: score(function, l, n))
        assert torch.allclose(found.mean, exact_gradient(function), atol=1e-14)
        assert exact_gradient(function).abs().max() > 0.1


def test_categories():
    """Two variables of 3 states, `(B, 2, 3)`: nine states."""
    logits = torch.stack([LOGITS, -LOGITS]).requires_grad_()
    p = torch.softmax(logits, -1)
    eye = torch.eye(3, dtype=torch.float64)
    values = torch.tensor([[1.0, 4.0, 2.0], [0.5, 3.0, 7.0], [2.0, 2.5, 0.0]], dtype=torch.float64)

    def function(b):
        return torch.einsum("bi,ij,bj->b", b[:, 0], values, b[:, 1])

    (exact,) = torch.autograd.grad(torch.einsum("i,ij,j->", p[0], values, p[1]), logits)
    states = torch.cartesian_prod(torch.arange(3), torch.arange(3))
    u = 0.5 + 0.4999999999 * eye[states]  # the state's Gumbel variable is 22 larger than the others
    found = score(function, logits.detach().expand(9, 2, 3), Preset([u]), CATEGORIES)
    weights = p[0, states[:, 0]] * p[1, states[:, 1]]
    assert torch.equal(found.value, values[states[:, 0], states[:, 1]])
    assert torch.allclose(
        (weights.detach()[:, None, None] * found.gradient).sum(0), exact, atol=1e-14
    )


def test_a_gaussian():
    """E[z^3] = m^3 + 3 m s^2 by 8 nodes of Gauss and Hermite, which integrate the estimator's
    polynomial exactly.
    """
    nodes, weights = (torch.from_numpy(part) for part in np.polynomial.hermite_e.hermegauss(8))
    m, log_s = (torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (0.7, -0.3))
    s = torch.exp(log_s)
    z = (m + s * nodes).detach()
    log_q = -0.5 * ((z - m) / s) ** 2 - log_s
    scaled = weights / weights.sum() * len(z)
    for baseline in (0.0, 2.0):
        loss = score_surrogate(scaled * (z**3 - baseline), log_q)
        found = torch.autograd.grad(loss, (m, log_s), retain_graph=True)
        assert torch.allclose(
            torch.stack(found),
            torch.stack([3 * m**2 + 3 * s**2, 6 * m * s**2]).detach(),
            atol=1e-12,
        )
