"""Item 62: noise as latents makes a semi-implicit posterior code: net = -log2 p(x, z) + log2 (1 /
(K + 1)) sum_k q(z | psi_k).
"""

import numpy as np
import pytest

from bbans.coding.rans import message_equal, pseudo_random_message
from bbans.schemes import bits_back
from bbans.schemes.bounds import initial_bits, push_measured
from tests.methods.semi_implicit import VALUES, SemiImplicit, of_states


@pytest.mark.parametrize("draws", [1, 2, 4, 7])
def test_each_message(draws):
    """K = 0, 1, 3, 6: against floats that share nothing with the coder's integer logarithms; noise
    costs what it gives back.
    """
    chain, (joint, q) = SemiImplicit(draws), of_states()
    for seed in range(60):
        x, side = np.array([[seed % VALUES]]), pseudo_random_message((1,), 60, seed)
        z = chain.posterior(1, x).pop(side)[1][0]
        message, account = push_measured(bits_back.codec, chain, side, x)
        expected = np.log2(q[x[0, 0], z[1:], z[0]].mean()) - np.log2(joint[x[0, 0], z[0]])
        assert account.net - account.coder == pytest.approx(expected, abs=1e-3)
        back, found = bits_back.codec(chain, 1).pop(message)
        assert np.array_equal(found, x) and message_equal(back, side)


def test_initial_bits_grow_with_the_draws():
    """Two bits a draw of four states, for each item."""
    x = np.arange(VALUES)[:, None]
    few, many = (initial_bits(bits_back.codec, SemiImplicit(draws), x) for draws in (2, 8))
    assert many - few == pytest.approx(6 * 2 * VALUES, rel=0.2)
