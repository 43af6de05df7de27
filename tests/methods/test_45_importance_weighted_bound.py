"""Item 45: net = -log2 (1 / K) sum w_k for every message, by BB-IS and BB-CIS, and its mean is the
bound L_K of IWAE.
"""

import numpy as np
import pytest

from bbans.coding.rans import message_bits, message_equal, pseudo_random_message
from bbans.models.analytic import LinearGaussian
from bbans.schemes import bits_back, importance
from bbans.schemes.bounds import initial_bits, push_measured
from bbans.schemes.coupled_cells import shifts
from bbans.schemes.sampling import sample_items
from tests.methods.toys import enumerated, importance_bound, mixture, standard_errors

CHAIN = mixture(0, dims=2, wrong=True)
PRIOR, LIKELIHOOD, Q = enumerated(CHAIN)
LOG_W = np.log2(LIKELIHOOD * PRIOR) - np.log2(Q)
LONG = np.repeat(CHAIN.configurations(), 800, 0)


def drawn(x, side, particles, coupled):
    """The particles that an encoder takes from a message of one lane, by hand; `(K,)`."""
    table = CHAIN.inference[0][CHAIN.index(x)[0]]
    if coupled:
        u = int(side[0][0]) % 2**24
        return (
            np.searchsorted(table, (u + shifts(particles, 1, 24)[:, 0]) % 2**24, side="right") - 1
        )
    z, q = [], CHAIN.posterior(1, x)
    for _ in range(particles):
        side, one = q.pop(side)
        z.append(int(one[0, 0]))
    return np.array(z)


@pytest.mark.parametrize("coupled", [False, True])
@pytest.mark.parametrize("particles", [1, 2, 4, 8])
def test_each_message(particles, coupled):
    """200 messages, against floats that share nothing with the coder's integer logarithms."""
    scheme, chosen = importance.scheme(particles, coupled), []
    for seed in range(200):
        x = CHAIN.configurations()[seed % 25][None]
        side = pseudo_random_message((1,), 40, seed)
        z = drawn(x, side, particles, coupled)
        message, account = push_measured(scheme, CHAIN, side, x)
        expected = -np.log2(np.exp2(LOG_W[CHAIN.index(x)[0], z]).mean())
        assert account.net - account.coder == pytest.approx(expected, abs=1e-3)
        assert (
            abs(message_bits(message) - message_bits(side) - expected) < 0.3
        )  # rANS's rounding of heads near 2^31
        back, found = scheme(CHAIN, 1, None).pop(message)
        assert np.array_equal(found, x) and message_equal(back, side)
        chosen.append(len(set(z.tolist())))
    assert particles == 1 or np.mean(chosen) > 1.5  # the identity is not one of equal particles


def test_the_mean_is_the_bound():
    """20000 messages at once and 0.1 %, 4 standard errors: BB-IS has L_K by enumeration, which
    falls; BB-CIS falls too.
    """
    side = pseudo_random_message((512,), 60_000, 5)
    means = {}
    for coupled in (False, True):
        for particles in (1, 2, 4, 6):
            scheme = importance.scheme(particles, coupled)
            message, account = push_measured(scheme, CHAIN, side, LONG)
            means[coupled, particles] = account.net / len(LONG)
            if particles in (1, 6):
                back, found = scheme(CHAIN, len(LONG), None).pop(message)
                assert np.array_equal(found, LONG) and message_equal(back, side)
            if not coupled:
                bound = importance_bound(LOG_W, Q, particles).mean()
                assert means[coupled, particles] == pytest.approx(
                    bound, abs=4 * spread(particles) + 1e-3
                )
        falling = [means[coupled, particles] for particles in (1, 2, 4, 6)]
        assert (np.diff(falling) < -0.05).all() and falling[-1] > CHAIN.evidence.mean()
    assert means[False, 1] == means[True, 1]


def spread(particles):
    """Standard error of a mean of 20000 messages, by simulation of the weights."""
    rng = np.random.default_rng(1)
    uniform = rng.random((len(LONG), particles, 1))
    rows = CHAIN.index(LONG)
    z = (uniform > Q[rows].cumsum(1)[:, None, :-1]).sum(2)
    bits = -np.log2(np.exp2(LOG_W[rows[:, None], z]).mean(1))
    assert standard_errors(bits - importance_bound(LOG_W, Q, particles)[rows]) < 4
    return np.sqrt(bits.var() / len(LONG))


def test_towards_the_evidence():
    """Gaussian latents, a q that is too wide and off its place by a third of a sigma."""
    chain = LinearGaussian(mean_offset=20, sigma_steps=2)
    x = sample_items(chain, 400, 1)
    evidence = chain.evidence_bits(x).mean()
    side = pseudo_random_message((64,), 60_000, 5)
    for coupled in (False, True):
        gaps = [
            push_measured(importance.scheme(k, coupled), chain, side, x)[1].net / 400 - evidence
            for k in (1, 4, 16)
        ]
        assert gaps[0] == pytest.approx(chain.divergence_bits(), abs=0.15)
        assert gaps[0] > 2.5 * gaps[1] > 6 * gaps[2] and abs(gaps[2]) < 0.05


def test_initial_bits():
    """Those of BB-IS grow with K, those of BB-CIS with log2 K: a cell is about 1 / K of an
    interval, and j adds log2 K at most.
    """
    chain = LinearGaussian(latents=3)
    x = sample_items(chain, 100, 1)
    alone = initial_bits(bits_back.codec, chain, x) / 100
    for particles in (2, 8, 32):
        independent, coupled = (
            initial_bits(importance.scheme(particles, c), chain, x) / 100 for c in (False, True)
        )
        assert independent == pytest.approx(particles * alone, rel=0.1)
        assert coupled < alone + 4 * np.log2(particles) + 1
    assert coupled < 2 * alone
