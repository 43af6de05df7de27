"""Item 6: pop z by the prior, pop x by the likelihood, push z by q: x and the side information come
back, to the bit.
"""

import numpy as np
import pytest

from bbans.coding.rans import pseudo_random_message
from bbans.schemes import bit_swap, bits_back
from tests.laws import check_bits_back, check_codec
from tests.meter import Meter
from tests.methods.toys import markov


@pytest.mark.parametrize("scheme", [bits_back, bit_swap])
@pytest.mark.parametrize("depth", [1, 2, 4])
@pytest.mark.parametrize("lanes", [1, 8, 100])
@pytest.mark.parametrize("wrong", [False, True])
def test_side_information_comes_back(scheme, depth, lanes, wrong):
    chain = markov(depth, wrong=wrong)
    x = np.random.default_rng(depth).integers(0, 5, (30, 2))
    codec = scheme.codec(chain, len(x))
    side = pseudo_random_message((lanes,), 200, 1)
    check_codec(codec, side, x)
    check_bits_back(codec, side)


@pytest.mark.parametrize("scheme", [bits_back, bit_swap])
def test_the_decoder_measures_what_the_encoder_did(scheme):
    chain = markov(3, wrong=True)
    x = chain.configurations()
    written, read = Meter(), Meter()
    (message,) = scheme.codec(chain, len(x), written.add_bits).push(
        pseudo_random_message((4,), 200, 1), x
    )
    scheme.codec(chain, len(x), read.add_bits).pop(message)
    assert read.terms == pytest.approx(dict(written.terms))
