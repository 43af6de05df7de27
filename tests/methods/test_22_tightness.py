"""Item 22: log p(x) - ELBO = KL(q || p(z | x)) >= 0, exactly, and 0 only where q is the
posterior.
"""

import numpy as np
import pytest

from tests.methods.toys import enumerated, kl_bits, markov, mixture, tilted


@pytest.mark.parametrize("seed", range(5))
def test_the_gap_is_the_divergence(seed):
    for chain in (
        mixture(seed, dims=2),
        mixture(seed, dims=2, wrong=True),
        tilted(mixture(seed, dims=2)),
    ):
        prior, likelihood, q = enumerated(chain)
        joint = likelihood * prior
        minus_elbo = (q * (np.log2(q) - np.log2(joint))).sum(1)
        posterior = joint / joint.sum(1, keepdims=True)
        gap = minus_elbo - chain.evidence
        assert np.abs(gap - kl_bits(q, posterior)).max() < 1e-9
        assert gap.min() > -1e-12


def test_tight_only_at_the_posterior():
    chain = mixture(dims=2)
    exact = mixture(dims=2)
    for other in (tilted(chain), mixture(dims=2, wrong=True)):
        for model, low, high in ((exact, 0, 1e-9), (other, 1e-3, np.inf)):
            prior, likelihood, q = enumerated(model)
            gap = (q * (np.log2(q) - np.log2(likelihood * prior))).sum(1) - model.evidence
            assert (gap >= low - 1e-12).all() and (gap < high).all()


def test_a_hierarchy_enumerated():
    """Two layers: -log2 w summed over all (z_1, z_2) under q, against the evidence plus KL, through
    the conditionals' own bits.
    """
    for chain, gap_low, gap_high in ((markov(2), -1e-9, 1e-6), (tilted(markov(2)), 1e-3, 5.0)):
        k = chain.states(1)
        z1, z2 = (part.reshape(-1, 1) for part in np.mgrid[:k, :k])
        for x, evidence in zip(chain.configurations(), chain.evidence, strict=True):
            rows = np.repeat(x[None], k * k, 0)
            log_q = -chain.posterior(1, rows).bits(z1) - chain.posterior(2, z1).bits(z2)
            joint = (
                chain.likelihood(0, z1).bits(rows)
                + chain.likelihood(1, z2).bits(z1)
                + chain.prior(k * k).bits(z2)
            )
            q = np.exp2(log_q)
            assert q.sum() == pytest.approx(1, abs=1e-12)
            assert np.exp2(-joint).sum() == pytest.approx(np.exp2(-evidence), rel=1e-12)
            assert gap_low < (q * (joint + log_q)).sum() - evidence < gap_high
