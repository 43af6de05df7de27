"""Item 64: L + B_K, B_K = E KL(q(z | psi) || mean_k q(z | psi_k)), rises with K from L to the ELBO
of the implicit posterior.
"""

import numpy as np
import pytest

from bbans.coding.rans import pseudo_random_message
from bbans.schemes import bits_back
from bbans.schemes.bounds import push_measured
from tests.methods.semi_implicit import PSI, VALUES, SemiImplicit, implicit, surrogate


def test_rates_fall_to_the_limit():
    """By enumeration, K = 0 to 4; the gap to the limit falls as 1 / (K + 1) in the end."""
    rates = np.array([surrogate(draws).mean() for draws in (1, 2, 3, 4, 5)])
    limit = implicit().mean()
    assert (np.diff(rates) < 0).all() and rates[-1] > limit
    assert (rates[-1] - limit) / (rates[0] - limit) < 0.35


def test_the_regulariser_is_nought_only_where_it_must():
    """B_0 = 0, and B_K = 0 for a point mass psi; else it is positive, for every x."""
    assert (surrogate(1) - surrogate(3) > 1e-3).all()
    one = np.eye(PSI)[1]
    assert np.allclose(surrogate(1, one), surrogate(4, one))


@pytest.mark.parametrize("draws", [1, 3])
def test_measured_rates_are_those(draws):
    """6000 messages at once, 4 standard errors at most (a message varies by less than 4 bits)."""
    x = np.repeat(np.arange(VALUES), 1000)[:, None]
    _, account = push_measured(
        bits_back.codec, SemiImplicit(draws), pseudo_random_message((64,), 20_000, 1), x
    )
    assert account.net / len(x) == pytest.approx(
        surrogate(draws).mean(), abs=4 * 4 / np.sqrt(len(x))
    )
