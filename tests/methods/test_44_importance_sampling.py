"""Item 44: I = (1 / K) sum w_k has E I = p(x) and E log I <= log p(x), by enumeration of every
draw.
"""

import itertools

import numpy as np
import pytest

from tests.methods.toys import enumerated, importance_bound, mixture


@pytest.mark.parametrize("particles", [1, 2, 3, 4])
def test_by_enumeration(particles):
    chain = mixture(0, dims=2, wrong=True)
    prior, likelihood, q = enumerated(chain)
    w = likelihood * prior / q
    draws = np.array(list(itertools.product(range(4), repeat=particles)))
    p = q[:, draws].prod(2)
    estimate = w[:, draws].mean(2)
    assert (p * estimate).sum(1) == pytest.approx(np.exp2(-chain.evidence), rel=1e-12)
    bound = -(p * np.log2(estimate)).sum(1)
    assert (bound > chain.evidence + 1e-3).all()
    assert bound == pytest.approx(importance_bound(np.log2(w), q, particles), rel=1e-12)
