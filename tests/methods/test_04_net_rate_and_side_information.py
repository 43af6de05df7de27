"""Item 4: with the exact posterior the net length of x does not depend on the side information s;
with another q it does.
"""

import numpy as np

from bbans.coding.rans import pseudo_random_message
from bbans.schemes import bits_back
from bbans.schemes.bounds import push_measured
from tests.methods.toys import mixture


def nets(chain, x):
    """Net bits, and information alone, of one x over 100 different s."""
    accounts = [
        push_measured(bits_back.codec, chain, pseudo_random_message((1,), 40, s), x)[1]
        for s in range(100)
    ]
    return np.array([a.net for a in accounts]), np.array([a.net - a.coder for a in accounts])


def test_independent_of_the_side_information():
    chain = mixture(dims=2)
    for x in chain.configurations()[::6]:
        net, information = nets(chain, x[None])
        assert np.ptp(information) < 1e-4  # q is rounded to 24 bits
        assert (
            np.ptp(net) < 0.05
        )  # the coder's own rounding: 2^(24 - 29) an interval at most, four intervals
        assert abs(net.mean() - chain.evidence_bits(x[None])[0]) < 0.005


def test_another_q_makes_it_depend():
    chain = mixture(dims=2, wrong=True)
    for x in chain.configurations()[::6]:
        assert np.ptp(nets(chain, x[None])[1]) > 0.3
