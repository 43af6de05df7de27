"""Item 11, Problem 8.1: joint less bits back = likelihood plus KL to the prior = optimum plus
overhead, to 1e-9 by enumeration.
"""

import numpy as np
import pytest

from bbans.schemes.bounds import ideal_bits
from tests.methods.toys import enumerated, kl_bits, mixture


@pytest.mark.parametrize("wrong", [False, True])
@pytest.mark.parametrize("chain_seed", range(5))
def test_three_forms_agree(chain_seed, wrong):
    chain = mixture(chain_seed, dims=2, wrong=wrong)
    prior, likelihood, q = enumerated(chain)
    joint = likelihood * prior
    entropy = -(q * np.log2(q)).sum(1)
    forms = [
        -(q * np.log2(joint)).sum(1) - entropy,
        -(q * np.log2(likelihood)).sum(1) + kl_bits(q, prior),
        chain.evidence + kl_bits(q, joint / joint.sum(1, keepdims=True)),
    ]
    assert np.abs(forms[0] - forms[1]).max() < 1e-9 and np.abs(forms[0] - forms[2]).max() < 1e-9


def test_the_evaluation_has_the_same_split():
    """Each term within 4.5 standard errors of its enumerated mean (75 comparisons: false alarms
    5e-4).
    """
    chain = mixture(1, dims=2, wrong=True)
    prior, likelihood, q = enumerated(chain)
    draws = 4000
    terms = ideal_bits(chain, chain.configurations(), draws)
    for found, bits in (
        (terms.prior, -np.log2(prior)),
        (terms.likelihood, -np.log2(likelihood)),
        (terms.posterior, np.log2(q)),
    ):
        mean = (q * bits).sum(1)
        error = np.sqrt((q * bits**2).sum(1) - mean**2) / np.sqrt(draws)
        assert (np.abs(found - mean) < 4.5 * error).all()
    assert np.allclose(terms.total, terms.prior + terms.likelihood + terms.posterior)
