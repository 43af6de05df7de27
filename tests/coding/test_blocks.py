from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bbans.coding import lanes
from bbans.coding.blocks import (
    RUNGS,
    check_growth,
    pop_block,
    pop_growing,
    push_block,
    push_growing,
)
from bbans.coding.rans import base_message, message_equal, pop, pseudo_random_message, push
from bbans.errors import FormatError, IntervalError, UnderflowError
from tests.coding.intervals import WIDTHS, Ints, random_intervals
from tests.meter import interval_bits


def locator(
    starts: Ints, freqs: Ints
) -> Callable[[NDArray[Any], int, int], tuple[Ints, Ints, Ints]]:
    """Answers with the intervals that were pushed, whose symbols are their indices, and checks each
    cf.
    """

    def locate(cf: NDArray[Any], first: int, last: int) -> tuple[Ints, Ints, Ints]:
        s, f = starts[first:last], freqs[first:last]
        assert ((s <= cf) & (cf < s + f)).all()
        return np.arange(first, last), s, f

    return locate


@given(st.integers(0, 50), st.integers(1, 12), st.sampled_from([1, 16, 24, 31]), st.integers(0, 3))
def test_block_laws(n: int, width: int, precision: int, words: int) -> None:
    starts, freqs = random_intervals(n, max(precision, 9), 2.0)
    if precision == 1:
        starts, freqs = starts % 2, np.ones_like(freqs)
    message = pseudo_random_message((width,), words, seed=7)
    pushed = push_block(message, starts, freqs, precision)
    # the same as a push for each row, last row first
    expected = message
    for first in reversed(range(0, n, width)):
        s, f = starts[first : first + width], freqs[first : first + width]
        (sub,) = push((expected[0][: len(s)], expected[1]), s, f, precision)
        expected = np.concatenate([sub[0], expected[0][len(s) :]]), sub[1]
    assert message_equal(pushed, expected)
    back, symbols = pop_block(pushed, n, precision, locator(starts, freqs))
    assert message_equal(back, message)
    assert np.array_equal(symbols, np.arange(n))


def test_a_block_reads_through_small_chunks() -> None:
    starts, freqs = random_intervals(600, 16, 2.0)
    message = base_message((20,))
    for first in reversed(range(0, 600, 20)):
        (message,) = push(message, starts[first : first + 20], freqs[first : first + 20], 16)
    back, _ = pop_block(message, 600, 16, locator(starts, freqs))
    assert message_equal(back, base_message((20,)))


def test_blocks_do_not_touch_what_they_are_given() -> None:
    starts, freqs = random_intervals(500, 16, 2.0)
    message = pseudo_random_message((64,), 50, seed=8)
    kept = message[0].copy()
    pushed = push_block(message, starts.astype(np.uint64), freqs, 16)
    after = pushed[0].copy()
    pop_block(pushed, 500, 16, locator(starts, freqs))
    assert np.array_equal(kept, message[0]) and np.array_equal(after, pushed[0])


def round_trip(
    starts: Ints, freqs: Ints, precision: int, max_lanes: int = 4096
) -> tuple[float, tuple[tuple[int, int], ...]]:
    """Stream bits above the intervals' own, and the growth."""
    message, growth = push_growing(base_message((1,)), starts, freqs, precision, max_lanes)
    words = lanes.finish(message)
    again = lanes.grow(lanes.start(words), growth[-1][1]) if growth else lanes.start(words)
    assert message_equal(again, message)
    again, symbols = pop_growing(again, len(starts), precision, locator(starts, freqs), growth)
    lanes.check_empty(again)
    assert np.array_equal(symbols, np.arange(len(starts)))
    return 32.0 * len(words) - interval_bits(freqs, precision), growth


@pytest.mark.parametrize("precision", [16, 22, 24])
@pytest.mark.parametrize("n", [0, 1, 10**3, 10**4])
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("seed", range(3))
def test_overhead_of_short_streams(precision: int, n: int, width: float, seed: int) -> None:
    starts, freqs = random_intervals(n, precision, width, seed)
    overhead, _ = round_trip(starts, freqs, precision)
    assert overhead <= 64 + 2e-4 * interval_bits(freqs, precision)


@pytest.mark.parametrize("precision", [16, 22, 24])
@pytest.mark.parametrize("width", [0.4, 2.0, 1000.0])
def test_overhead_of_a_million_symbols(precision: int, width: float) -> None:
    starts, freqs = random_intervals(10**6, precision, width)
    overhead, growth = round_trip(starts, freqs, precision)
    assert overhead <= 64 + 2e-4 * interval_bits(freqs, precision)
    assert growth[-1][1] == 4096


def test_growth_is_bounded_by_the_caller() -> None:
    starts, freqs = random_intervals(20000, 16, 1000.0)
    for top in (1, 7, 8, 100, 65536):
        _, growth = round_trip(starts, freqs, 16, top)
        assert all(wide <= top for _, wide in growth)
        assert [wide for _, wide in growth] == [rung for rung in RUNGS[1:] if rung <= min(top, 512)]


def test_growth_in_parts() -> None:
    """Three blocks pushed one after another, each taking its own part of the growth, as a tile's
    channels do.
    """
    blocks = [random_intervals(n, 22, 2.0, n) for n in (900, 30000, 5001)]
    message, parts = base_message((1,)), []
    for starts, freqs in blocks:
        message, growth = push_growing(message, starts, freqs, 22)
        parts.append(growth)
    assert sum(map(bool, parts)) >= 2
    for (starts, freqs), growth in zip(reversed(blocks), reversed(parts), strict=True):
        message, symbols = pop_growing(message, len(starts), 22, locator(starts, freqs), growth)
        assert np.array_equal(symbols, np.arange(len(starts)))
    lanes.check_empty(message)


def test_starting_with_lanes_costs_what_they_hold() -> None:
    """64 lanes from nothing: for streams with too little in them to grow any, which would be slow
    on one lane.
    """
    starts, freqs = random_intervals(10**5, 22, 0.05)
    message, growth = push_growing(base_message((64,)), starts, freqs, 22)
    words = lanes.finish(message)
    assert growth == ()
    assert 32 * len(words) <= interval_bits(freqs, 22) + 64 + 63 * 35.5
    message, _ = pop_growing(
        lanes.grow(lanes.start(words), 64), 10**5, 22, locator(starts, freqs), growth
    )
    lanes.check_empty(message, 64)


def test_lanes_outside_the_rungs_do_not_grow() -> None:
    starts, freqs = random_intervals(20000, 16, 1000.0)
    message, growth = push_growing(base_message((3,)), starts, freqs, 16)
    assert growth == () and message[0].shape == (3,)


@pytest.mark.parametrize(
    "growth",
    [
        ((5, 8), (5, 64)),
        ((9, 8), (5, 64)),
        ((-1, 64),),
        ((100, 64),),
        ((3, 63),),
        ((3, 1),),
        ((3, 0),),
        ((3, 8),),
        ((3, 2**40),),
        ((1, 8), (2, 512)),
    ],
)
def test_impossible_growth(growth: tuple[tuple[int, int], ...]) -> None:
    with pytest.raises(FormatError):
        pop_growing(
            pseudo_random_message((64,), 100, seed=9),
            100,
            16,
            locator(np.zeros(100, np.int64), np.ones(100, np.int64)),
            growth,
        )


def test_possible_growth() -> None:
    check_growth(((0, 8), (99, 64)), 100, 64)
    check_growth((), 0, 3)


def test_errors_have_names() -> None:
    message = base_message((4,))
    with pytest.raises(IntervalError):
        push_block(message, np.zeros(5, np.int64), np.array([1, 1, 1, 1, 0]), 8)
    with pytest.raises(IntervalError):
        push_growing(message, np.array([256]), np.array([1]), 8)
    with pytest.raises(UnderflowError) as error:
        pop_block(message, 4, 16, lambda cf, first, last: (cf, cf, np.ones(last - first, np.int64)))
    assert error.value.missing_bits == 128
    for starts, freqs in (
        (np.zeros(3, np.int64), np.ones(2, np.int64)),
        (np.zeros((2, 2), np.int64), np.ones((2, 2), np.int64)),
    ):
        with pytest.raises(ValueError, match="expected a 1-D head"):
            push_block(message, starts, freqs, 8)
    with pytest.raises(ValueError, match="expected a 1-D head"):
        pop_block(base_message((2, 2)), 1, 8, lambda cf, first, last: (cf, cf, cf))


def test_blocks_meet_single_pops() -> None:
    """A block is what row-by-row pops see: symbols in order."""
    starts, freqs = random_intervals(12, 16, 2.0)
    message = push_block(base_message((6,)), starts, freqs, 16)
    for first in (0, 6):
        cf, finish = pop(message, 16)
        assert (
            (starts[first : first + 6] <= cf) & (cf < (starts + freqs)[first : first + 6])
        ).all()
        (message,) = finish(starts[first : first + 6], freqs[first : first + 6])
    assert message_equal(message, base_message((6,)))
