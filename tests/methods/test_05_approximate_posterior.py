"""Item 5: R(x | s) = -log2 p(z, x) + log2 q(z) at the z that s decides: what the meter shows, for
every message.
"""

import numpy as np
import pytest

from bbans.coding.rans import pseudo_random_message
from bbans.schemes import bit_swap, bits_back
from tests.laws import check_bits
from tests.meter import Meter
from tests.methods.toys import enumerated, mixture


@pytest.mark.parametrize("scheme", [bits_back, bit_swap])
def test_meter_equals_the_formula(scheme):
    chain = mixture(dims=2, wrong=True)
    prior, likelihood, q = enumerated(chain)
    rng = np.random.default_rng(0)
    for s in range(200):
        x = rng.integers(0, 5, (1, 2))
        side = pseudo_random_message((1,), 10, s)
        (z,) = chain.posterior(1, x).pop(side)[1][0]
        (i,) = chain.index(x)
        meter = Meter()
        (message,) = scheme.codec(chain, 1, meter.add_bits).push(side, x)
        assert meter.terms["prior"] == pytest.approx(-np.log2(prior[z]), abs=1e-9)
        assert meter.terms["likelihood"] == pytest.approx(-np.log2(likelihood[i, z]), abs=1e-9)
        assert meter.terms["posterior"] == pytest.approx(np.log2(q[i, z]), abs=1e-9)
        check_bits(side, message, meter.total, 24, 4)
