"""Item 1: p(x) = sum_z p(z) prod_i p(x_i | z); ancestral samples follow the enumerated joint and
marginal.
"""

import numpy as np

from bbans.schemes.sampling import sample_distribution
from tests.methods.toys import chi_square, enumerated, mixture

N = 30_000


def test_ancestral_samples_follow_the_enumerated_model():
    """Chi-square at a false-alarm rate of 1e-4: 19 and 4 degrees of freedom."""
    chain = mixture()
    z = sample_distribution(chain.prior(N), (1,))
    x = sample_distribution(chain.likelihood(0, z), (2,))
    prior, likelihood, _ = enumerated(chain)
    joint = likelihood.T * prior[:, None]
    counts = np.bincount(z[:, 0] * 5 + x[:, 0], minlength=20)
    assert chi_square(counts, joint.reshape(-1)) < 50.8
    assert chi_square(counts.reshape(4, 5).sum(0), np.exp2(-chain.evidence)) < 23.5
    assert chi_square(counts.reshape(4, 5).sum(0), np.full(5, 0.2)) > 100  # and the test can tell


def test_the_evidence_is_the_sum_over_latents():
    chain = mixture(dims=3)
    prior, likelihood, _ = enumerated(chain)
    assert np.abs(np.exp2(-chain.evidence) / (likelihood @ prior) - 1).max() < 1e-12
    assert abs(np.exp2(-chain.evidence).sum() - 1) < 1e-12
