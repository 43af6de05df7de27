"""Item 46: L_(K+1) >= L_K, and both tend to log2 p(x); by enumeration of up to six weights and by
5000 draws.
"""

import numpy as np

from bbans.schemes.bounds import importance_weighted_bits
from tests.methods.toys import enumerated, importance_bound, mixture, tilted


def test_by_enumeration():
    for chain in (mixture(0, dims=2, wrong=True), tilted(mixture(1, dims=2))):
        prior, likelihood, q = enumerated(chain)
        log_w = np.log2(likelihood * prior) - np.log2(q)
        bounds = np.array(
            [importance_bound(log_w, q, particles) for particles in (1, 2, 3, 4, 5, 6, 60)]
        )
        assert (np.diff(bounds, axis=0) < 0).all() and (bounds > chain.evidence).all()
        gaps = bounds - chain.evidence
        assert (gaps[-1] < gaps[0] / 3).all() and gaps[-1].mean() < gaps[0].mean() / 12


def test_many_draws():
    chain = tilted(mixture(1, dims=2))
    assert (
        np.abs(importance_weighted_bits(chain, chain.configurations(), 5000) - chain.evidence).max()
        < 0.05
    )
