"""Item 82. KL = log K: under a uniform prior the codes cost codes log2 K bits, to the bit."""

import numpy as np

from bbans.coding.rans import base_message
from bbans.schemes import deterministic
from bbans.schemes.bounds import push_measured
from tests.methods.trained import trained


def test_prior_bits_are_exact():
    _, chain, _, test = trained("codes")
    _, account = push_measured(
        deterministic.codec, chain, base_message((16,)), test.x.astype(np.int64)
    )
    assert account.prior == 100 * 4 * 4 and account.posterior == 0
