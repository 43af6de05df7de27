"""Item 83. net = -log2 p(x | z_q) + codes log2 K, and log p(x) is the log of the sum that this is
one term of.
"""

import itertools

import numpy as np
import pytest

from bbans.coding.rans import base_message
from bbans.schemes import deterministic
from bbans.schemes.bounds import ideal_bits, push_measured
from tests.chains import CONFIGS, exact, fresh, samples
from tests.methods.trained import trained


def test_the_net_rate_is_the_bound():
    """The coder's own overhead: 2^-7 bits for each of 6400 pixels and 400 codes at the most, 0.2 %
    here.
    """
    _, chain, _, test = trained("codes")
    x = test.x.astype(np.int64)
    expected = chain.likelihood(0, chain.codes(x)).bits(x).sum() + 100 * 4 * 4
    _, account = push_measured(deterministic.codec, chain, base_message((1,)), x)
    assert account.net == pytest.approx(expected, rel=2e-3)
    assert ideal_bits(chain, x, 1).total.sum() == pytest.approx(expected, rel=1e-12)


def test_one_term_is_no_more_than_the_sum():
    config = CONFIGS["codes"]
    _, layers = fresh(config)
    chain, x = (
        exact(config, layers),
        np.random.default_rng(0).integers(100, 150, samples(config, 4).shape),
    )
    every = np.array(list(itertools.product(range(8), repeat=3)))
    terms = [9 + chain.likelihood(0, np.tile(k, (4, 1))).bits(x) for k in every]
    evidence = -np.logaddexp2.reduce(-np.array(terms), 0)
    bound = ideal_bits(chain, x, 1).total
    assert (bound >= evidence).all() and (bound <= evidence + 9 + np.ptp(terms, axis=0)).all()
