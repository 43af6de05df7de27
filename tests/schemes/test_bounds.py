"""-ELBO >= the bound of K weights >= -log2 p(x): against exact evidences, repeatable, whatever the
blocks.
"""

from __future__ import annotations

import numpy as np
import pytest

from bbans.coding.rans import message_equal, pseudo_random_message
from bbans.errors import UnderflowError
from bbans.schemes import bit_swap, bits_back
from bbans.schemes.bounds import ideal_bits, importance_weighted_bits, initial_bits
from bbans.schemes.sampling import random_message, sample_distribution, sample_items
from tests.methods.toys import enumerated, markov, mixture, tilted

CHAIN = tilted(markov(2))
X = CHAIN.configurations()


def test_more_weights_are_nearer_to_the_evidence() -> None:
    """Means over 2500 items: the bound of more weights is nearer, for many it is about var(w) / (2
    K ln 2).
    """
    x = np.tile(X, (100, 1))
    gaps = [
        (importance_weighted_bits(CHAIN, x, k, seed=k) - CHAIN.evidence_bits(x)).mean()
        for k in (1, 4, 16, 64)
    ]
    assert gaps[0] > 0.2 and gaps[0] > 2 * gaps[1] > 4 * gaps[2] > 8 * gaps[3] > 0
    assert np.abs(importance_weighted_bits(CHAIN, X, 5000) - CHAIN.evidence).max() < 0.05


def test_one_weight_is_one_draw() -> None:
    assert np.allclose(
        importance_weighted_bits(CHAIN, X, 1, seed=3), ideal_bits(CHAIN, X, 1, seed=3).total
    )


def test_weights_far_apart_do_not_overflow() -> None:
    """2000 symbols cost more than a float's exponent holds as a probability: 2^-1100 and less."""
    x = np.concatenate([X] * 300, 1)[:, :4]
    wide = mixture(0, 4, 4, 5)
    bits = importance_weighted_bits(wide, x, 50)
    assert np.allclose(
        bits, wide.evidence_bits(x), atol=1e-4
    )  # exact posterior: every weight is the same


@pytest.mark.parametrize("block", [7, 25, 1000])
def test_blocks(block: int) -> None:
    """Other blocks, other draws, the same law; the same block gives the same floats."""
    terms = ideal_bits(CHAIN, X, 200, seed=1, block=block)
    assert terms.total.shape == terms.prior.shape == (25,)
    assert (
        abs(terms.total.mean() - ideal_bits(CHAIN, X, 4000, seed=2).total.mean()) < 0.08
    )  # 4 standard errors
    assert np.array_equal(terms.total, ideal_bits(CHAIN, X, 200, seed=1, block=block).total)
    assert not np.array_equal(terms.total, ideal_bits(CHAIN, X, 200, seed=2, block=block).total)
    assert abs(importance_weighted_bits(CHAIN, X, 200, block=block) - CHAIN.evidence).max() < 0.4


@pytest.mark.parametrize(("x", "draws"), [(X[0], 1), (X[:0], 1), (X, 0)])
def test_arguments(x: np.ndarray, draws: int) -> None:
    for bound in (ideal_bits, importance_weighted_bits):
        with pytest.raises(ValueError, match="at least one draw"):
            bound(CHAIN, x, draws)


def test_draws_beyond_the_lanes() -> None:
    """70000 draws of each of 5 x fill 32768 heads more than twice: frequencies still follow q, 4.5
    standard errors a cell.
    """
    chain = mixture(wrong=True)
    q = enumerated(chain)[2]
    for x in range(5):
        z = sample_distribution(chain.posterior(1, np.full((70_000, 1), x)), (x, 9))
        p = q[x]
        assert (
            np.abs(np.bincount(z[:, 0], minlength=4) / 70_000 - p)
            < 4.5 * np.sqrt(p * (1 - p) / 70_000)
        ).all()


def test_more_words_keep_the_draw() -> None:
    few, many = random_message(10, (1, 2)), random_message(1000, (1, 2))
    assert np.array_equal(few[0], many[0]) and np.array_equal(few[1][0], many[1][0][:10])
    assert few[0].min() >= 2**62 and not message_equal(few, random_message(10, (1, 3)))


def test_sample_is_of_one_layer_as_of_two() -> None:
    assert sample_items(CHAIN, 7, 0).shape == (7, 2) and sample_items(
        mixture(dims=3), 5, 0
    ).shape == (5, 3)


@pytest.mark.parametrize("scheme", [bits_back, bit_swap])
def test_initial_bits_are_what_a_message_must_hold(scheme) -> None:  # type: ignore[no-untyped-def]
    """A message of one lane runs short below them, and not much above them."""
    chain = markov(5, k=32, values=32)
    x = sample_items(chain, 40, 0)
    need = initial_bits(scheme.codec, chain, x)
    scheme.codec(chain, 40).push(pseudo_random_message((1,), int(need * 1.05 / 32) + 4, 3), x)
    with pytest.raises(UnderflowError):
        scheme.codec(chain, 40).push(pseudo_random_message((1,), int(need * 0.9 / 32) - 2, 3), x)
