"""Groups of items in one message: what comes back, what the starters cost, what giving up the order
saves, what is refused.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bbans.coding import blocks
from bbans.coding.rans import message_bits, pseudo_random_message
from bbans.container import group_schedule
from bbans.container.group_schedule import CHAINED, DRAWN, STARTERS, Stretch
from bbans.distributions.distribution import Distribution, Ints, factorised, point
from bbans.errors import BbansError, FormatError, TooFlatError, TrailingDataError
from bbans.models.analytic import DiscreteChain, discrete_chain
from bbans.models.base import Capabilities
from bbans.schemes import bit_swap, bits_back, chained_group, deterministic, multiset
from tests.linear_chain import Linear, draws, linear

LINEAR = linear(48, 6)


class Certain:
    """A chain without latents to speak of: x is 8 bits a sample under any z, so that every net rate
    is known exactly.
    """

    capabilities = Capabilities("factorised")

    def __init__(self, dims: int, bits: int = 8) -> None:
        self.dims, self.bits = dims, bits

    def prior(self, items: int) -> Distribution:
        return point(self.default_latent(items))

    def likelihood(self, layer: int, above: Ints) -> Distribution:
        def symbol(cf: Ints, first: int, last: int):
            return cf.astype(np.int64), cf, np.ones(last - first, np.int64)

        return factorised(
            lambda x: (x, np.ones_like(x)), symbol, (len(above), self.dims), self.bits
        )

    def posterior(self, layer: int, below: Ints) -> Distribution:
        return point(self.default_latent(len(below)))

    def default_latent(self, items: int) -> Ints:
        return np.zeros((items, 1), np.int64)


def restored(chain, encoded, items: int, dims: int, unordered: bool = False) -> np.ndarray:
    return np.concatenate(
        list(
            chained_group.decode(
                chain,
                bits_back.codec,
                encoded.words,
                encoded.schedule,
                items,
                dims,
                unordered=unordered,
            )
        )
    )


@settings(max_examples=25)
@given(
    st.integers(1, 90),
    st.integers(1, 40),
    st.booleans(),
    st.integers(0, 3),
    st.sampled_from([1, 3, 8, 256]),
)
def test_what_is_coded_comes_back(
    items: int, dims: int, unordered: bool, seed: int, limit: int
) -> None:
    chain = linear(dims, min(dims, 5), seed)
    x = draws(chain, items, seed)
    x[items // 2 :] = x[: items - items // 2]  # some are equal
    encoded = chained_group.encode(chain, bits_back.codec, x, unordered=unordered, limit=limit)
    assert sorted(encoded.order) == list(range(items)) and (
        unordered or encoded.order == tuple(range(items))
    )
    assert np.array_equal(restored(chain, encoded, items, dims, unordered), x[list(encoded.order)])
    assert encoded.spent.total == pytest.approx(32 * len(encoded.words), abs=1e-3)
    assert max(s.batch for s in encoded.schedule) <= limit


def test_only_the_first_pays() -> None:
    """Bits beyond the sum of net bits do not grow with the number of items: a starter, 31 to 63
    bits of flush, nothing for lanes.
    """
    x, paid, net = draws(LINEAR, 1000), set(), []
    for items in (10, 100, 1000):
        encoded = chained_group.encode(LINEAR, bits_back.codec, x[-items:])
        assert encoded.schedule[0] == Stretch(1, 1, 1, STARTERS)
        assert abs(encoded.spent.lanes) < 4 and 31 <= encoded.spent.flush < 80
        paid.add(round(encoded.spent.starters, 3))
        net.append(encoded.spent.chained / (items - 1))
    assert len(paid) == 1  # the same image, whatever comes after them
    assert paid.pop() < 4 * net[-1]
    assert encoded.schedule[-1].lanes == 512


def test_chained_items_cost_their_net_bits() -> None:
    """Against the scheme on a message that holds plenty: 300 items, two draws of z each, so 4.5
    standard errors (false alarm 7e-6).
    """
    x = draws(LINEAR, 300, 3).astype(np.int64)
    message = pseudo_random_message((64,), 10_000, 1)
    one = np.array(
        [
            message_bits(bits_back.codec(LINEAR, 1).push(message, x[i : i + 1])[0])
            - message_bits(message)
            for i in range(300)
        ]
    )
    encoded = chained_group.encode(LINEAR, bits_back.codec, x)
    started = encoded.schedule[0].items
    found = encoded.spent.chained / (300 - started)
    error = one.std() * math.sqrt(2 / 300)
    assert abs(found - one[: 300 - started].mean()) < 4.5 * error
    assert error < 0.01 * found


def test_a_scheme_that_pops_nothing_has_no_starters() -> None:
    x = np.random.default_rng(0).integers(0, 256, (50, 7))
    encoded = chained_group.encode(Certain(7), bits_back.codec, x)
    assert {s.kind for s in encoded.schedule} == {CHAINED} and encoded.spent.starters == 0
    assert encoded.spent.chained == pytest.approx(50 * 7 * 8, abs=1e-6)


@pytest.mark.parametrize("copies", [1, 3])
def test_an_unordered_group_saves_the_order(copies: int) -> None:
    """log2 n! - sum of log2 m_k! bits, but for the items drawn before the message could pay for a
    choice.
    """
    n = 400
    x = np.repeat(np.random.default_rng(0).integers(0, 256, (n, 6)), copies, 0)
    ordered = chained_group.encode(Certain(6), bits_back.codec, x)
    encoded = chained_group.encode(Certain(6), bits_back.codec, x, unordered=True)
    rows = [tuple(row) for row in restored(Certain(6), encoded, len(x), 6, True)]
    assert Counter(rows) == Counter(map(tuple, x.tolist())) and rows != list(map(tuple, x.tolist()))
    free = sum(s.items for s in encoded.schedule if s.kind != DRAWN)
    assert 1 <= free <= 3
    whole = (math.lgamma(n * copies + 1) - n * math.lgamma(copies + 1)) / math.log(2)
    saved = ordered.spent.chained - encoded.spent.chained
    assert whole - free * math.log2(n * copies) - 0.5 < saved < whole + 0.5
    assert abs(32 * (len(ordered.words) - len(encoded.words)) - saved) < 96


def test_equal_items_cost_almost_nothing_to_choose() -> None:
    x = np.full((200, 3), 7)
    pool = sorted(multiset.keys(x))
    message = pseudo_random_message((2,), 50, 0)
    drawn, chosen, rest = multiset.draw(message, pool, 150)
    assert (
        message_bits(drawn) == message_bits(message) and len(rest) == 50 and len(set(chosen)) == 150
    )
    assert (
        message_bits(multiset.put_back(drawn, rest, chosen)) == message_bits(message)
        and rest == pool
    )


class Stingy(Linear):
    """Pops far more than it pays: 64 latents of 8 bits that say nothing, and samples that cost 1
    bit.
    """

    def likelihood(self, layer: int, above: Ints) -> Distribution:
        return Certain(len(self.weights), 1).likelihood(layer, above)


def test_where_starters_have_to_pay_for_long() -> None:
    model = linear(64, 64)
    chain = Stingy(model.weights, 0 * model.inverse, 48)  # q is the prior
    x = np.random.default_rng(0).integers(0, 2, (300, 64))
    encoded = chained_group.encode(chain, bits_back.codec, x)
    assert np.array_equal(restored(chain, encoded, 300, 64), x)
    started = sum(s.items for s in encoded.schedule if s.kind == STARTERS)
    assert 3 < started < 300 and len(encoded.schedule) < 60


def test_items_that_fill_no_lanes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    chain = Certain(1000, 0)
    with pytest.raises(TooFlatError, match="code them one by one"):
        chained_group.encode(chain, bits_back.codec, np.zeros((300, 1000), np.int64))
    with pytest.raises(FormatError, match="rows"):
        group_schedule.check_schedule((Stretch(300, 1, 1, CHAINED),), 300, 1000, False)


GOOD = (Stretch(2, 1, 1, STARTERS), Stretch(1, 4, 8, CHAINED))


@pytest.mark.parametrize(
    ("schedule", "items", "words"),
    [
        ((), 6, "1 to 255 stretches"),
        (GOOD, 7, "hold 6"),
        (GOOD, 0, "1 to 65536 items"),
        ((Stretch(0, 1, 1, STARTERS), *GOOD), 6, "at least one batch"),
        ((Stretch(1, 0, 1, STARTERS), *GOOD), 6, "at least one batch"),
        ((Stretch(1, 257, 1, STARTERS),), 257, "1 to 256"),
        ((Stretch(6, 1, 9, CHAINED),), 6, "lanes are one of"),
        (GOOD[::-1], 6, "never shrink"),
        ((Stretch(6, 1, 1, DRAWN),), 6, "kind 2"),
        ((Stretch(6, 1, 1, -1),), 6, "kind -1"),
        ((Stretch(3, 1, 1, CHAINED),) * 2, 6, "two alike"),
        ((Stretch(2**62, 1, 1, CHAINED),), 6, "at least one batch"),
    ],
)
def test_hostile_schedules(schedule: group_schedule.Schedule, items: int, words: str) -> None:
    group_schedule.check_schedule(GOOD, 6, 5, False)
    with pytest.raises(FormatError, match=words):
        group_schedule.check_schedule(schedule, items, 5, False)


def test_groups_beyond_the_limits() -> None:
    with pytest.raises(FormatError, match="samples"):
        group_schedule.check_schedule(GOOD, 6, group_schedule.MAX_SAMPLES, False)
    with pytest.raises(FormatError, match="1 to 1 items"):
        group_schedule.check_schedule(GOOD, 6, 2**20, False)


def test_damaged_messages_are_refused_or_differ() -> None:
    """Whatever the words and the schedule are, a decoder ends, with a named error or with items of
    the right shape.
    """
    x = draws(LINEAR, 40)
    encoded = chained_group.encode(LINEAR, bits_back.codec, x, unordered=True)
    rng = np.random.default_rng(0)
    errors: Counter[str] = Counter()
    for _ in range(150):
        words, schedule = encoded.words.copy(), list(encoded.schedule)
        kind = rng.integers(3)
        if kind == 0:
            words[rng.integers(len(words))] ^= np.uint32(1 << rng.integers(32))
        elif kind == 1:
            words = words[: rng.integers(len(words))]
        else:
            at = rng.integers(len(schedule))
            field = ("batches", "batch", "lanes", "kind")[rng.integers(4)]
            schedule[at] = replace(schedule[at], **{field: int(rng.choice([0, 1, 2, 8, 64, 512]))})
        try:
            got = list(
                chained_group.decode(
                    LINEAR, bits_back.codec, words, tuple(schedule), 40, 48, unordered=True
                )
            )
            assert np.concatenate(got).shape == (40, 48)
            errors["none"] += 1
        except BbansError as error:
            errors[type(error).__name__] += 1
    assert errors[TrailingDataError.__name__] > 20 and errors["none"] < 30


def test_an_item_needs_only_those_before_it() -> None:
    x = draws(LINEAR, 60)
    encoded = chained_group.encode(LINEAR, bits_back.codec, x)
    first = next(
        chained_group.decode(LINEAR, bits_back.codec, encoded.words, encoded.schedule, 60, 48)
    )
    assert len(first) < 60 and np.array_equal(first, x[: len(first)])


def deep() -> DiscreteChain:
    """Three layers, x of 4 symbols of 4 values, the exact posterior."""
    rng = np.random.default_rng(3)
    layers = [rng.integers(1, 100, (3, 6)), rng.integers(1, 100, (2, 3))]
    return discrete_chain(rng.integers(1, 100, (6, 4, 4)) ** 2, layers, rng.integers(1, 100, 2))


@pytest.mark.parametrize("scheme", [bits_back.codec, bit_swap.codec])
def test_with_the_exact_posterior_chained_items_cost_the_evidence(
    scheme: chained_group.Scheme,
) -> None:
    """Three layers: chained bits = sum of -log2 p(x), whatever z is drawn; unordered, log2 n! - sum
    of log2 m_k! bits less.
    """
    chain, n = deep(), 500
    x = np.random.default_rng(0).integers(0, 4, (n, 4))
    evidence = chain.evidence[x @ [64, 16, 4, 1]]
    for unordered in (False, True):
        encoded = chained_group.encode(chain, scheme, x, unordered=unordered)
        found = np.concatenate(
            list(
                chained_group.decode(
                    chain, scheme, encoded.words, encoded.schedule, n, 4, unordered=unordered
                )
            )
        )
        assert np.array_equal(found, x[list(encoded.order)])
        kinds = Counter(
            {
                kind: sum(s.items for s in encoded.schedule if s.kind == kind)
                for kind in (STARTERS, CHAINED, DRAWN)
            }
        )
        expected = float(evidence[list(encoded.order[: n - kinds[STARTERS]])].sum())
        if unordered:
            drawn = Counter(map(tuple, x[list(encoded.order[: kinds[DRAWN]])].tolist()))
            expected -= (
                math.lgamma(kinds[DRAWN] + 1) - sum(math.lgamma(m + 1) for m in drawn.values())
            ) / math.log(2)
        assert kinds[DRAWN if unordered else CHAINED] > n - 20
        assert encoded.spent.chained == pytest.approx(expected, abs=0.5)


def test_the_deterministic_scheme() -> None:
    x = np.random.default_rng(0).integers(0, 256, (50, 7))
    encoded = chained_group.encode(Certain(7), deterministic.codec, x, unordered=True)
    found = np.concatenate(
        list(
            chained_group.decode(
                Certain(7),
                deterministic.codec,
                encoded.words,
                encoded.schedule,
                50,
                7,
                unordered=True,
            )
        )
    )
    assert np.array_equal(found, x[list(encoded.order)])


def test_limits_are_those_of_lanes_and_of_multisets() -> None:
    assert group_schedule.RUNGS == blocks.RUNGS
    assert group_schedule.MAX_ITEMS == multiset.MAX_ITEMS
