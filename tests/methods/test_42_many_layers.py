"""Item 42: initial bits of BB-ANS grow with the number of layers, those of Bit-Swap do not, and the
net rate is the same.
"""

import pytest

from bbans.coding.rans import pseudo_random_message
from bbans.errors import UnderflowError
from bbans.schemes import bit_swap, bits_back
from bbans.schemes.bounds import ideal_bits, initial_bits, push_measured
from bbans.schemes.sampling import sample_items
from tests.methods.toys import markov, standard_errors, tilted

DEPTHS = (1, 2, 4, 8)
ITEMS = 64


def hierarchy(depth):
    return markov(depth, seed=depth, k=32, dims=2, values=32)


def test_initial_bits():
    chains = [hierarchy(depth) for depth in DEPTHS]
    x = [sample_items(chain, ITEMS, 1) for chain in chains]
    bb = [
        initial_bits(bits_back.codec, chain, some) / ITEMS
        for chain, some in zip(chains, x, strict=True)
    ]
    swap = [
        initial_bits(bit_swap.codec, chain, some) / ITEMS
        for chain, some in zip(chains, x, strict=True)
    ]
    assert bb[0] == pytest.approx(swap[0])
    for depth, found in zip(DEPTHS, bb, strict=True):
        assert found == pytest.approx(
            depth * bb[0], rel=0.05
        )  # every layer has about the same entropy here
    assert max(swap) < 1.1 * min(swap)


def test_a_small_message_pays_for_one_scheme_only():
    chain = hierarchy(8)
    x = sample_items(chain, ITEMS, 1)
    side = pseudo_random_message((1,), int(initial_bits(bit_swap.codec, chain, x) / 32) + 3, 5)
    bit_swap.codec(chain, ITEMS).push(side, x)
    with pytest.raises(UnderflowError, match="more than the message holds"):
        bits_back.codec(chain, ITEMS).push(side, x)


@pytest.mark.parametrize("depth", [2, 4])
def test_equal_net_rates(depth):
    chain = hierarchy(depth)
    x = sample_items(chain, 1000, 2)
    side = pseudo_random_message((64,), 3000, 5)
    nets = [push_measured(scheme.codec, chain, side, x)[1].net for scheme in (bits_back, bit_swap)]
    assert nets[0] == pytest.approx(nets[1], rel=1e-3)
    assert nets[0] == pytest.approx(chain.evidence_bits(x).sum(), rel=1e-3)


def test_equal_net_rates_with_another_q():
    """Both are the bound, item by item: 0.1 % and 4 standard errors (false alarms 1e-4) on 20000
    items of 10 bits and more.
    """
    chain = tilted(hierarchy(3), most=3)
    x = sample_items(chain, 20_000, 2)
    side = pseudo_random_message((4096,), 30_000, 5)
    nets = [push_measured(scheme.codec, chain, side, x)[1].net for scheme in (bits_back, bit_swap)]
    assert nets[0] == pytest.approx(nets[1], rel=1e-3)
    bound = ideal_bits(chain, x, draws=16).total
    for net in nets:
        assert net == pytest.approx(bound.sum(), rel=1e-3)
    assert bound.sum() > 1.005 * chain.evidence_bits(x).sum()
    assert standard_errors(bound - chain.evidence_bits(x)) > 4
