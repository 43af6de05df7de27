"""Item 23, Jensen: KL(q || p) = E_q[-log2(p / q)] >= -log2 E_q[p / q] = 0, for any two
distributions that can be coded.
"""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bbans.distributions import categorical
from tests.methods.toys import kl_bits

LOGITS = st.integers(1, 40).flatmap(
    lambda k: st.tuples(*[st.lists(st.integers(-500, 500), min_size=k, max_size=k)] * 2)
)


@given(LOGITS)
def test_kl_of_random_distributions(logits):
    q, p = np.diff(categorical.from_weights(categorical.weights(np.array(logits))), axis=1) / 2**24
    assert q.sum() == p.sum() == 1
    kl = kl_bits(q, p)
    assert kl > -1e-12
    # Pinsker: equality only where both are the same
    assert kl * np.log(2) >= 0.5 * np.abs(q - p).sum() ** 2 - 1e-12


@given(LOGITS, st.integers(1, 20))
def test_jensen_for_a_bound_of_k_samples(logits, k):
    """E[-log2 mean of k weights] lies between 0 and KL: k = 1 is the ELBO's gap; weights w = p / q
    drawn from q.
    """
    q, p = np.diff(categorical.from_weights(categorical.weights(np.array(logits))), axis=1) / 2**24
    w = p / q
    z = np.random.default_rng(0).choice(len(q), (50, k), p=q)
    assert (-np.log2(w[z].mean(1)) <= -np.log2(w[z]).mean(1) + 1e-9).all()
