"""A part of an interval given the interval: round trips over any lanes, and the bits are log2 of
the two frequencies' ratio.
"""

import numpy as np
import pytest

from bbans.coding.rans import message_bits, message_equal, pseudo_random_message
from bbans.coding.sub_interval import pop_within, push_within
from bbans.errors import IntervalError, UnderflowError

N, PRECISION = 203, 24


def intervals(seed=0):
    """Whole intervals, the width of their parts, and one part of each: `(starts, freqs,
    outer_starts, outer_freqs)`, and the widths.
    """
    rng = np.random.default_rng(seed)
    outer_freqs = rng.integers(1, 2 ** rng.integers(1, 23, N))
    outer_starts = rng.integers(0, 2**PRECISION - outer_freqs)
    width = rng.integers(1, outer_freqs + 1)
    first = rng.integers(0, outer_freqs) // width * width
    return (
        outer_starts + first,
        np.minimum(width, outer_freqs - first),
        outer_starts,
        outer_freqs,
    ), width


@pytest.mark.parametrize("lanes", [1, 8, 64, 512])
def test_round_trip_and_bits(lanes):
    (starts, freqs, outer_starts, outer_freqs), width = intervals()
    start = pseudo_random_message((lanes,), 50, 3)

    def part(cf, first, last):
        w, begin, total = width[first:last], outer_starts[first:last], outer_freqs[first:last]
        offset = (cf.astype(np.int64) - begin) // w * w
        return begin + offset, np.minimum(w, total - offset)

    message = push_within(start, starts, freqs, outer_starts, outer_freqs, PRECISION)
    back, *found = pop_within(message, part, outer_starts, outer_freqs, PRECISION)
    assert message_equal(back, start) and np.array_equal(found, [starts, freqs])
    bits = float((np.log2(outer_freqs) - np.log2(freqs)).sum())
    assert bits > 100
    assert abs(message_bits(message) - message_bits(start) - bits) < 2 * N * 2.0 ** (PRECISION - 29)
    if lanes == 512:  # heads near 2^32 round most; more typical ones hardly at all
        full = (start[0] << np.uint64(30)) + np.uint64(12345), start[1]
        grown = message_bits(
            push_within(full, starts, freqs, outer_starts, outer_freqs, PRECISION)
        ) - message_bits(full)
        assert grown == pytest.approx(bits, abs=0.01)


def test_the_whole_costs_nothing():
    (_, _, starts, freqs), _ = intervals()
    start = pseudo_random_message((16,), 5, 3)
    assert message_equal(push_within(start, starts, freqs, starts, freqs, PRECISION), start)


def test_parts_that_stick_out_and_messages_that_end():
    (starts, freqs, outer_starts, outer_freqs), _ = intervals()
    with pytest.raises(IntervalError, match="inside its interval"):
        push_within(
            pseudo_random_message((4,), 9, 3),
            starts,
            outer_freqs + 1,
            outer_starts,
            outer_freqs,
            PRECISION,
        )
    with pytest.raises(UnderflowError):
        one = np.ones(N, np.int64)
        whole = np.full(N, 2**PRECISION)
        pop_within(
            pseudo_random_message((4,), 9, 3),
            lambda cf, a, b: (cf.astype(np.int64), one[a:b]),
            0 * one,
            whole,
            PRECISION,
        )
