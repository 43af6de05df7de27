"""Item 28: q(z | x) = sum_k pi_k N_k by bits-back over k: net = -log2 p(x, z) + log2 sum_k pi_k
N_k(z), without loss.
"""

import numpy as np
import pytest

from bbans.coding.rans import message_equal, pseudo_random_message
from bbans.distributions import categorical, composite, gaussian_bins
from bbans.schemes import bits_back, importance
from bbans.schemes.bounds import push_measured
from bbans.schemes.sampling import sample_items
from tests.laws import check_bits_back, check_codec
from tests.methods.analytic_posteriors import GAUSSIAN, Bimodal

CHAIN = Bimodal()
X = sample_items(CHAIN, 30, 2)


def parts(items, count=5, dims=3, seed=0):
    """Gaussians of several widths and their weights."""
    rng = np.random.default_rng(seed)
    mean, sigma = (
        rng.integers(-300, 300, (items, count, dims)),
        rng.integers(8, 50, (items, count, dims)),
    )
    rows = np.arange(items)
    return categorical.categorical(
        rng.integers(-64, 64, (items, 1, count))
    ), lambda k: gaussian_bins.gaussian(mean[rows, k], sigma[rows, k], 10)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_mixture_keeps_the_laws(count):
    """pop after push and push after pop; bits in floats and in integers, and of the sum of its
    parts.
    """
    choice, of = parts(20, count)
    mixed = composite.mixed(choice, count, of)
    message = pseudo_random_message((8,), 500, 0)
    check_bits_back(mixed, message)
    _, z = mixed.pop(message)
    check_codec(mixed, message, z)
    by_part = [
        np.exp2(-choice.bits(np.full((20, 1), k)) - of(np.full(20, k)).bits(z))
        for k in range(count)
    ]
    assert np.allclose(mixed.bits(z), -np.log2(np.sum(by_part, 0)), atol=2e-5)
    assert np.allclose(mixed.fixed_bits(z) / 2**28, mixed.bits(z), atol=1e-6)


def test_each_message():
    """What the message's terms add up to, whichever component was drawn."""
    modes = set()
    for seed, x in enumerate(X):
        side = pseudo_random_message((1,), 60, seed)
        _, z = CHAIN.posterior(1, x[None]).pop(side)
        modes.add(bool(z[0, 0] >= 512))
        message, account = push_measured(bits_back.codec, CHAIN, side, x[None])
        joint, q = CHAIN.joint_bits(x[None])
        grown = account.net - account.coder
        assert grown == pytest.approx(joint[0, z[0, 0]] - q[0, z[0, 0]], abs=1e-3)
        assert abs(account.coder) < 0.3
        back, found = bits_back.codec(CHAIN, 1).pop(message)
        assert np.array_equal(found, x[None]) and message_equal(back, side)
    assert modes == {True, False}


def overhead(kind):
    """KL(q || p(z | x)) of each item in bits, by summing over the bins."""
    joint, q = Bimodal(kind).joint_bits(X)
    evidence = joint.min(1) - np.log2(np.exp2(joint.min(1, keepdims=True) - joint).sum(1))
    return (np.exp2(-q) * (joint - q)).sum(1) - evidence


def test_two_modes_cost_one_gaussian_a_bit():
    """Where the modes lie apart it has half of the posterior: 1 bit more, exactly; the measured
    rates differ by the sum of these.
    """
    alone, mixed = overhead(GAUSSIAN), overhead("mixture")
    apart = np.abs(X.mean(1) - 512) > 32 * 1.2
    assert apart.sum() >= 5 and alone[apart] - mixed[apart] == pytest.approx(1.0, abs=0.02)
    assert (alone - mixed).mean() > 0.5 and (mixed < 0.5).all()
    nets = []
    for kind in (GAUSSIAN, "mixture"):
        tiled = np.tile(X, (60, 1))
        account = push_measured(
            bits_back.codec, Bimodal(kind), pseudo_random_message((64,), 20_000, 1), tiled
        )[1]
        nets.append(account.net / len(tiled))
    assert nets[0] - nets[1] == pytest.approx((alone - mixed).mean(), abs=0.1)


def test_particles_of_a_mixture():
    """It stands wherever a posterior may: also where particles that were not chosen are pushed with
    it.
    """
    check_codec(importance.codec(CHAIN, len(X), 4), pseudo_random_message((8,), 2000, 0), X)
