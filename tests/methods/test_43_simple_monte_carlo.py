"""Item 43: (1 / K) sum p(x | z_k), z ~ p(z), is unbiased for p(x) and far noisier than importance
sampling with a fitting q.
"""

import numpy as np

from tests.methods.toys import enumerated, mixture, standard_errors, tilted


def test_unbiased_and_noisy():
    """25 means of 4000 estimates, each within 4.5 standard errors: false alarms 2e-4."""
    chain = tilted(mixture(0, k=6, dims=2), most=2)
    prior, likelihood, q = enumerated(chain)
    evidence = np.exp2(-chain.evidence)
    rng = np.random.default_rng(0)
    for x in range(25):
        simple = likelihood[x, rng.choice(6, (4000, 3), p=prior / prior.sum())].mean(1)
        assert standard_errors(simple, evidence[x]) < 4.5
    of_prior = (prior * likelihood**2).sum(1) - evidence**2
    of_q = ((prior * likelihood) ** 2 / q).sum(1) - evidence**2
    assert np.median(of_prior / of_q) > 5 and (of_prior > of_q).all()
