"""The three schemes over a chain: round trips, what they record, and what they refuse."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from bbans.coding import lanes
from bbans.coding.rans import base_message, message_equal, pseudo_random_message
from bbans.distributions import categorical, uniform
from bbans.distributions.distribution import Distribution, Ints, point
from bbans.models.base import Capabilities
from bbans.schemes import bit_swap, bits_back, deterministic
from bbans.schemes.bounds import ideal_bits, importance_weighted_bits, initial_bits, push_measured
from tests.laws import check_bits, check_codec
from tests.meter import Meter
from tests.methods.toys import markov

X = np.random.default_rng(0).integers(0, 8, (20, 6))


@dataclass(frozen=True)
class Quantised:
    """A toy VQ-VAE of one or two layers: codes are the top bits of pairs of samples; uniform prior
    over `codes`.
    """

    depth: int = 1
    codes: int = 16

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities("point", self.depth)

    def prior(self, items: int) -> Distribution:
        return uniform.uniform((items, 3), self.codes)

    def likelihood(self, layer: int, above: Ints) -> Distribution:
        if layer:
            return categorical.categorical(-16 * np.abs(above[:, :, None] - np.arange(self.codes)))
        values = np.repeat(above, 2, 1) % 8
        return categorical.categorical(-8 * np.abs(values[:, :, None] - np.arange(8)))

    def posterior(self, layer: int, below: Ints) -> Distribution:
        return point(below if layer > 1 else below[:, ::2] + (below[:, 1::2] & 8))

    def default_latent(self, items: int) -> Ints:
        return np.zeros((items, 3), np.int64)


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("lane_count", [1, 8])
def test_deterministic(depth: int, lane_count: int) -> None:
    """Nothing is on the stack before or after: no initial bits; the prior costs log2 K a code,
    exactly.
    """
    chain, meter = Quantised(depth), Meter()
    codec = deterministic.codec(chain, len(X), meter.add_bits)
    message = check_codec(codec, base_message((lane_count,)), X)
    check_bits(base_message((lane_count,)), message, meter.total / 2, 24, 1000)  # pushed and popped
    assert lanes.is_empty(codec.pop(message)[0], lane_count)
    assert initial_bits(deterministic.codec, chain, X) == 0
    _, account = push_measured(deterministic.codec, chain, base_message((1,)), X)
    assert account.posterior == 0
    if depth == 1:
        assert account.prior == 20 * 3 * 4
    assert account.likelihood + account.prior == pytest.approx(
        float(ideal_bits(chain, X).total.sum())
    )
    assert np.allclose(importance_weighted_bits(chain, X, 20), ideal_bits(chain, X, 1).total)


def test_a_certain_posterior_makes_all_schemes_the_same() -> None:
    chain = Quantised(2)
    messages = [
        scheme.codec(chain, len(X)).push(base_message((1,)), X)[0]
        for scheme in (deterministic, bit_swap, bits_back)
    ]
    assert all(message_equal(message, messages[0]) for message in messages)


def test_the_decoder_of_the_deterministic_scheme_never_runs_q() -> None:
    class Decoder(Quantised):
        def posterior(self, layer: int, below: Ints) -> Distribution:
            raise AssertionError("q was run")

    (message,) = deterministic.codec(Quantised(2), len(X)).push(base_message((1,)), X)
    assert np.array_equal(deterministic.codec(Decoder(2), len(X)).pop(message)[1], X)


@pytest.mark.parametrize("states", [1, 2, 6])
def test_deterministic_needs_certainty(states: int) -> None:
    """A q over one state is deterministic in effect; one over more is refused, whether or not an
    empty message could pay for it.
    """
    chain = markov(1, k=states)
    codec = deterministic.codec(chain, 3)
    if states == 1:
        check_codec(codec, base_message((1,)), np.zeros((3, 2), np.int64))
    else:
        with pytest.raises(ValueError, match="bits_back"):
            codec.push(base_message((1,)), np.zeros((3, 2), np.int64))


@pytest.mark.parametrize("scheme", [bits_back, bit_swap, deterministic])
@pytest.mark.parametrize("x", [np.zeros((3, 2), np.int64), np.zeros(4, np.int64)])
def test_the_number_of_items_is_checked(scheme, x) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=r"\(4, dims\)"):
        scheme.codec(markov(1), 4).push(base_message((1,)), x)


@pytest.mark.parametrize("scheme", [bits_back, bit_swap])
def test_recording_changes_nothing(scheme) -> None:  # type: ignore[no-untyped-def]
    chain, side = markov(3, wrong=True), pseudo_random_message((1,), 50, 0)
    x = chain.configurations()
    plain = scheme.codec(chain, len(x)).push(side, x)[0]
    measured, account = push_measured(scheme.codec, chain, side, x)
    assert message_equal(plain, measured)
    assert (
        account.posterior < 0 < min(account.prior, account.likelihood) and abs(account.coder) < 0.05
    )
    check_bits(side, measured, account.net - account.coder, categorical.PRECISION, 6 * len(x))
