"""One item in a message of its own: every scheme, as few initial bits as it needs, an account whose
terms add up, damage by name.
"""

from __future__ import annotations

import numpy as np
import pytest

from bbans.coding.rans import pseudo_random_message
from bbans.errors import FormatError, UnderflowError
from bbans.models.analytic import LinearGaussian
from bbans.models.base import LatentModel
from bbans.schemes import bounds, posterior_refinement, registry, sampling, single_message
from tests.chains import CONFIGS, exact, fresh, samples
from tests.methods.toys import markov

CERTAIN = ("codes", "codes with a prior")
SCHEMES = [
    ("bits-back", 1),
    ("bit-swap", 1),
    ("bb-is", 3),
    ("bb-cis", 3),
    ("two-part", 1),
    ("deterministic", 1),
]


def chain_of(name: str) -> LatentModel:
    config = CONFIGS[name]
    return exact(config, fresh(config, gain=2.0)[1])


CASES = [
    (name, scheme, particles)
    for name in CONFIGS
    for scheme, particles in SCHEMES
    if registry.incompatibility(scheme, chain_of(name).capabilities, particles) is None
]


@pytest.mark.parametrize(("name", "scheme", "particles"), CASES)
def test_every_chain_by_every_scheme_that_fits(name: str, scheme: str, particles: int) -> None:
    chain, x = chain_of(name), samples(CONFIGS[name], 1)
    coder = registry.by_name(scheme, particles)
    data = single_message.encode(chain, coder, x)
    found = single_message.decode(chain, coder, data)
    account = found.account
    assert np.array_equal(found.x, x)
    assert account.total == pytest.approx(8 * len(data), abs=1e-6) and abs(account.coder) < 0.5
    assert account.likelihood == pytest.approx(float(chain.likelihood(0, found.z).bits(x)[0]))
    if scheme in ("deterministic", "two-part"):
        assert account.initial == account.posterior == 0
    else:
        needed = bounds.initial_bits(coder, chain, x)
        assert account.posterior < 0 < account.initial < -account.posterior + 64
        assert needed - 64 < account.initial < needed + 2.5 * needed / np.sqrt(needed) + 96


@pytest.mark.parametrize(("scheme", "particles"), [("bits-back", 1), ("bb-is", 4), ("bb-cis", 4)])
def test_one_initial_word_less_is_too_few(scheme: str, particles: int) -> None:
    chain, coder = LinearGaussian(latents=6), registry.by_name(scheme, particles)
    x = sampling.sample_items(chain, 1, 3)
    initial = single_message.decode(
        chain, coder, single_message.encode(chain, coder, x)
    ).account.initial
    words = int(initial // 32)
    with pytest.raises(UnderflowError):
        coder(chain, 1, None).push(pseudo_random_message((1,), words - 1, single_message.SEED), x)


def test_net_bits_are_those_of_the_scheme() -> None:
    """Mean over 60 items within 4 standard errors of the bound."""
    chain = markov(0)
    x = sampling.sample_items(chain, 60, 4)
    for scheme, particles in (("bits-back", 1), ("bb-is", 5)):
        coder = registry.by_name(scheme, particles)
        nets = np.array(
            [
                single_message.decode(
                    chain, coder, single_message.encode(chain, coder, one)
                ).account.net
                for one in x[:, None]
            ]
        )
        expected = bounds.weighted_bits(chain, x, particles, draws=200)
        difference = nets - expected
        assert abs(difference.mean()) < 4 * difference.std() / np.sqrt(60) + 0.05


def test_a_refined_posterior() -> None:
    """Coding twice looks for it once, and the decoder finds the same one."""
    looked = []

    class Counting(LinearGaussian):
        def gaussians(self, below):
            looked.append(len(below))
            return super().gaussians(below)

    chain = Counting(latents=3, k=2, mean_offset=25)
    better, coder = posterior_refinement.refined(chain, 2), registry.by_name("bits-back")
    x = sampling.sample_items(chain, 1, 5)
    data = single_message.encode(better, coder, x)
    assert looked == [1]
    assert np.array_equal(single_message.decode(better, coder, data).x, x)
    with pytest.raises((FormatError, UnderflowError)):
        single_message.decode(chain, coder, data)


@pytest.mark.parametrize("scheme", ["bits-back", "bb-cis", "two-part"])
def test_damage_is_named(scheme: str) -> None:
    chain, coder = (
        LinearGaussian(latents=4),
        registry.by_name(scheme, 3 if scheme == "bb-cis" else 1),
    )
    x = sampling.sample_items(chain, 1, 6)
    data = single_message.encode(chain, coder, x)
    for damaged in (
        data[:-4],
        data[:-1],
        data + bytes(4),
        data + b"\0",
        data[:-1] + bytes([data[-1] ^ 1]),
        data[4:],
        b"\0" + data,
        b"",
    ):
        with pytest.raises((FormatError, UnderflowError)):
            single_message.decode(chain, coder, damaged)


@pytest.mark.parametrize("bits", range(31, 63))
@pytest.mark.parametrize("words", [0, 1, 5])
def test_messages_as_bytes(bits: int, words: int) -> None:
    """Every length of a head can be told from the others; zeros in front are refused."""
    rng = np.random.default_rng(bits)
    head = (1 << bits) + int(rng.integers(0, 1 << bits))
    message = np.array([head >> 32, head & 0xFFFFFFFF, *rng.integers(0, 2**32, words)], np.uint32)
    data = single_message.packed(message)
    assert len(data) == bits // 8 + 1 + 4 * words
    assert np.array_equal(single_message.unpacked(data), message)
    with pytest.raises(FormatError):
        single_message.unpacked(b"\0" + data)
    for short in (data[:3], b""):
        with pytest.raises(FormatError, match="4 to 8 bytes"):
            single_message.unpacked(short)
