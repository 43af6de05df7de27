"""Item 50: L sum grad log q(z_k) + grad L, L = log (1 / K) sum w_k, is unbiased for the gradient of
L_K, and its variance grows with K.
"""

from itertools import pairwise, product

import pytest
import torch

from tests.methods.enumerated_gradient import JOINT, PHI, bound_gradient


def estimates(particles):
    """Probabilities of all draws of K particles, and the estimator at each, `(3^K, 3)`."""
    z = torch.tensor(list(product(range(3), repeat=particles)))
    q = torch.softmax(PHI, 0)
    score = torch.eye(3, dtype=torch.float64) - q  # row z: d log q(z) / d phi
    w = (JOINT / q)[z]
    learned = torch.log(w.mean(1))[:, None] * score[z].sum(1)
    inner = -((w / w.sum(1, keepdim=True))[:, :, None] * score[z]).sum(1)
    return q[z].prod(1), learned + inner


@pytest.mark.parametrize("particles", [1, 2, 4, 6])
def test_unbiased(particles):
    weight, found = estimates(particles)
    assert torch.allclose((weight[:, None] * found).sum(0), bound_gradient(particles), atol=1e-12)


def test_its_variance_grows():
    """Every particle is blamed for all of them."""
    spread = []
    for particles in (1, 2, 4, 6):
        weight, found = estimates(particles)
        spread.append(float((weight[:, None] * (found - bound_gradient(particles)) ** 2).sum()))
    assert all(a < b for a, b in pairwise(spread)) and spread[3] > 2 * spread[0]
