"""Item 24: grad_theta log p(x, z) at a z drawn from q is an unbiased estimate of grad_theta
ELBO.
"""

import numpy as np

from bbans.distributions.categorical import from_weights, weights
from bbans.models.analytic import finite_mixture
from bbans.schemes.sampling import sample_distribution
from tests.methods.toys import enumerated

DRAWS = 20_000
RNG = np.random.default_rng(3)
PRIOR, LIKELIHOOD = RNG.integers(-40, 1, 4), RNG.integers(-40, 1, (4, 1, 5))
Q = RNG.integers(1, 9, (5, 4))


def minus_elbo(prior):
    """Bits of every x, by enumeration, with prior logits in 1/16 log2, q fixed."""
    chain = finite_mixture(weights(LIKELIHOOD[:, 0])[:, None], weights(prior[None])[0], Q)
    p_z, p_x, q = enumerated(chain)
    return (q * (np.log2(q) - np.log2(p_x * p_z))).sum(1)


def test_unbiased_estimates_of_the_gradient():
    """By the prior's logits, in bits for a log2: softmax less one-hot z. 20 comparisons at 4.5
    standard errors: false alarms 1.4e-4.
    """
    chain = finite_mixture(weights(LIKELIHOOD[:, 0])[:, None], weights(PRIOR[None])[0], Q)
    p_z, _, q = enumerated(chain)
    for x in range(5):
        z = sample_distribution(chain.posterior(1, np.full((DRAWS, 1), x)), (x, 1))
        estimates = p_z - np.eye(4)[z[:, 0]]
        exact = p_z - q[x]
        error = estimates.std(0) / np.sqrt(DRAWS)
        assert (np.abs(estimates.mean(0) - exact) < 4.5 * error).all()
        for k in range(4):  # a step of one logit, 1/16 log2, to each side
            step = np.eye(4, dtype=int)[k]
            slope = (minus_elbo(PRIOR + step)[x] - minus_elbo(PRIOR - step)[x]) / (2 / 16)
            assert abs(slope - exact[k]) < 2e-3
    assert np.array_equal(chain.inference[0], from_weights(Q))
