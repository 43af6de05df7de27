"""Item 48: log p(x) - L_K = KL(Q_IS || P_IS) on the space of all particles, 0 only where q is the
posterior; the coder's overhead.
"""

import itertools

import numpy as np
import pytest

from tests.methods.toys import enumerated, importance_bound, kl_bits, mixture


@pytest.mark.parametrize("particles", [1, 2, 3])
def test_both_sides_by_enumeration(particles):
    draws = np.array(list(itertools.product(range(4), repeat=particles)))
    for wrong in (True, False):
        chain = mixture(0, dims=2, wrong=wrong)
        prior, likelihood, q = enumerated(chain)
        joint = likelihood * prior
        posterior = joint / joint.sum(1, keepdims=True)
        proposal = q[:, draws].prod(2)
        target = (posterior / q)[:, draws].mean(2) * proposal
        assert target.sum(1) == pytest.approx(1, abs=1e-12)
        overhead = importance_bound(np.log2(joint) - np.log2(q), q, particles) - chain.evidence
        assert overhead == pytest.approx(kl_bits(proposal, target), abs=1e-10)
        assert overhead.min() > 1e-3 if wrong else np.abs(overhead).max() < 1e-9
