"""BB-IS and BB-CIS over every family of one layer: round trips, K = 1, groups of an archive's kind,
and what is refused.
"""

from functools import partial

import numpy as np
import pytest

from bbans.coding.rans import message_equal, pseudo_random_message
from bbans.errors import UnderflowError
from bbans.schemes import bits_back, chained_group, importance
from bbans.schemes.bounds import initial_bits, push_measured
from bbans.schemes.coupled_cells import shifts
from tests.chains import CONFIGS, exact, fresh, samples
from tests.linear_chain import draws, linear
from tests.methods.toys import markov, mixture

FAMILIES = ("binary", "logistic", "colour", "pyramid", "bits", "convolutional")
CODERS = (importance.codec, importance.coupled_codec)


def test_every_family_returns_the_samples_and_the_message():
    for name in FAMILIES:
        config = CONFIGS[name]
        chain, x = exact(config, fresh(config, gain=3.0)[1]), samples(config, 5)
        start = pseudo_random_message((16,), 6000, 3)
        for coder in CODERS:
            (message,) = coder(chain, 5, 3).push(start, x)
            back, found = coder(chain, 5, 3).pop(message)
            assert np.array_equal(found, x) and message_equal(back, start), (name, coder.__name__)


@pytest.mark.parametrize("lanes", [1, 7, 512])
def test_one_particle_is_bits_back(lanes):
    chain, x = linear(40, 6), draws(linear(40, 6), 20).astype(np.int64)
    start = pseudo_random_message((lanes,), 300, 3)
    (expected,) = bits_back.codec(chain, 20).push(start, x)
    for coder in CODERS:
        assert message_equal(coder(chain, 20, 1).push(start, x)[0], expected)


@pytest.mark.parametrize("particles", [1, 2, 5, 8])
@pytest.mark.parametrize("coder", CODERS)
def test_decoding_records_what_encoding_did(coder, particles):
    chain = mixture(0, 4, 3, 3, wrong=True)
    x = chain.configurations()
    pushed, popped = [], []
    (message,) = coder(chain, len(x), particles, lambda *step: pushed.append(step)).push(
        pseudo_random_message((8,), 100, 1), x
    )
    coder(chain, len(x), particles, lambda *step: popped.append(step)).pop(message)
    assert sorted(term for term, _ in pushed) == sorted(term for term, _ in popped)
    assert sorted(bits for _, bits in pushed) == pytest.approx(
        sorted(bits for _, bits in popped), abs=1e-9
    )


def test_groups():
    """The scheme of an archive's group: the decoder gets nothing but the number of particles."""
    chain = linear(48, 4)
    x = draws(chain, 120)
    for coupled in (False, True):
        scheme = importance.scheme(4, coupled)
        encoded = chained_group.encode(chain, scheme, x)
        found = np.concatenate(
            list(chained_group.decode(chain, scheme, encoded.words, encoded.schedule, *x.shape))
        )
        assert np.array_equal(found, x[list(encoded.order)])


def test_shifts():
    found = shifts(6, 500, 24)
    assert not found[0].any() and found.max() == 5 * 2**24 // 6
    assert all(len(set(column)) == 6 for column in found.T)
    assert len({tuple(column) for column in found.T}) > 100  # of 120 orders
    assert not shifts(1, 3, 24).any()


def test_coupled_particles_follow_q():
    """u of every value pushed through every shift: each particle has q's frequencies exactly."""
    chain = mixture(0, 4, 1, 5, wrong=True)
    q = chain.posterior(1, np.array([[2]])).factors
    step = 2**10
    u = np.arange(0, 2**24, step) + step // 2
    freqs = np.diff(chain.inference[0][2])
    for shift in shifts(5, 1, 24)[:, 0]:
        moved = (u + shift) & (2**24 - 1)
        z = np.concatenate([q.symbol(np.array([one]), 0, 1)[0] for one in moved[::16]])
        assert np.abs(np.bincount(z, minlength=4) / len(z) - freqs / 2**24).max() < 2e-3


def test_initial_bits_of_gaussian_latents():
    """BB-IS needs K times those of BB-ANS, BB-CIS at most log2 K more a latent."""
    chain = linear(40, 6)
    x = draws(chain, 50).astype(np.int64)
    alone = initial_bits(bits_back.codec, chain, x) / 50
    for particles in (2, 4, 8):
        independent, coupled = (
            initial_bits(importance.scheme(particles, c), chain, x) / 50 for c in (False, True)
        )
        assert independent == pytest.approx(particles * alone, rel=0.1)
        assert alone < coupled < alone + 6 * np.log2(particles) + np.log2(particles)


def test_a_short_message():
    chain, x = linear(40, 6), draws(linear(40, 6), 20).astype(np.int64)
    for coder in CODERS:
        with pytest.raises(UnderflowError):
            coder(chain, 20, 8).push(pseudo_random_message((4,), 10, 3), x)


def test_what_is_refused():
    for coder in CODERS:
        with pytest.raises(ValueError, match="one layer"):
            coder(markov(2), 3, 2)
        for particles in (0, 1025):
            with pytest.raises(ValueError, match="particles"):
                coder(mixture(), 3, particles)
    config = CONFIGS["codes"]
    chain = exact(config, fresh(config)[1])
    with pytest.raises(ValueError, match="independent symbols"):
        importance.coupled_codec(chain, 2, 2).push(
            pseudo_random_message((4,), 90, 3), samples(config, 2)
        )


def test_lanes_do_not_matter_to_the_identity():
    """Bits recorded are of the particles drawn; the message grows by them whatever the lanes."""
    chain, x = linear(40, 6), draws(linear(40, 6), 64).astype(np.int64)
    for lanes, coder in ((1, 0), (64, 0), (1, 1), (64, 1)):
        _, account = push_measured(
            partial(_call, CODERS[coder]), chain, pseudo_random_message((lanes,), 3000, 9), x
        )
        assert abs(account.coder) < 0.01 * account.net**0.5 + 1


def _call(coder, chain, items, record):
    return coder(chain, items, 4, record)
