"""Item 56: E gradient by phi = -grad Var[w] / (2 K Z^2) + O(1 / K^2), by enumeration."""

from itertools import pairwise

from tests.methods.enumerated_gradient import EVIDENCE, bound_gradient, variance_gradient


def test_the_ratio_tends_to_one():
    errors = []
    for particles in (50, 100, 200):
        expected = -variance_gradient() / (2 * particles * EVIDENCE**2)
        errors.append(float((bound_gradient(particles) - expected).norm() / expected.norm()))
    assert errors[-1] < 0.01
    for before, after in pairwise(errors):
        assert 1.8 < before / after < 2.2
