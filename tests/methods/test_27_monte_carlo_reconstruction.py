"""Item 27: the reconstruction term as a mean over N samples has variance proportional to 1 / N and
no bias at N = 1.
"""

import numpy as np

from bbans.schemes.bounds import ideal_bits
from tests.methods.toys import enumerated, mixture

REPEATS = 2000


def test_variance_falls_as_one_over_n():
    """A variance of 2000 estimates is within 4 * sqrt(2 / 2000) (more for heavy tails: 20 %) at a
    false-alarm rate below 1e-3.
    """
    chain = mixture(4, dims=2, wrong=True)
    prior, likelihood, q = enumerated(chain)
    x = chain.configurations()[7]
    mean = float((q[7] * -np.log2(likelihood[7])).sum())
    variance = float((q[7] * np.log2(likelihood[7]) ** 2).sum()) - mean**2
    for n in (1, 4, 16, 64):
        estimates = ideal_bits(chain, np.repeat(x[None], REPEATS, 0), draws=n, seed=n).likelihood
        assert abs(estimates.var() * n / variance - 1) < 0.2, n
        assert abs(estimates.mean() - mean) < 4 * np.sqrt(variance / n / REPEATS), n
