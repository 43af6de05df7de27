"""Item 2: s -> (s // f) 2^r + s mod f + c is a stack, of length sum -log2(f / 2^r), and its words
never change.
"""

import numpy as np
import pytest

from bbans.coding.rans import base_message, flatten, message_equal, pop, push

SYMBOLS, PRECISION = 100_000, 16


@pytest.mark.parametrize("shape", [(4,), (2, 5), (1000,), (5, 10, 20)])
def test_push_then_pop_on_any_head(shape):
    rng = np.random.default_rng(0)
    freqs = rng.integers(1, 200, 300)
    freqs[0] += 2**PRECISION - freqs.sum()
    starts = np.cumsum(freqs) - freqs
    lanes = int(np.prod(shape))
    x = rng.choice(300, (SYMBOLS // lanes, *shape), p=freqs / 2**PRECISION)
    message = base_message(shape)
    for row in x:
        (message,) = push(message, starts[row], freqs[row], PRECISION)
    bits = float((PRECISION - np.log2(freqs[x])).sum())
    assert 0 <= 32 * len(flatten(message)) - bits < 64 * lanes + 1e-4 * bits
    for row in x[::-1]:
        cf, finish = pop(message, PRECISION)
        found = np.searchsorted(starts, cf.astype(np.int64), "right") - 1
        assert np.array_equal(found, row)
        (message,) = finish(starts[found], freqs[found])
    assert message_equal(message, base_message(shape))


def test_golden_words():
    """Worked by hand in Python's integers as well: two lanes, four rows."""
    freqs, starts = np.array([1, 5, 10, 48]), np.array([0, 1, 6, 16])
    rows = np.array([[0, 3], [0, 1], [0, 2], [1, 0]] * 3)
    message = base_message((2,))
    state, words = [2**31, 2**31], []
    for row in rows:
        (message,) = push(message, starts[row], freqs[row], 6)
        moved = []
        for lane, i in enumerate(row):
            f, c = int(freqs[i]), int(starts[i])
            if state[lane] >= f << 57:
                moved.append(state[lane] & 0xFFFFFFFF)
                state[lane] >>= 32
            state[lane] = state[lane] // f * 64 + state[lane] % f + c
        words = moved + words
    assert (
        flatten(message).tolist()
        == [s >> 32 for s in state] + [s & 0xFFFFFFFF for s in state] + words
    )
    assert flatten(message).tolist() == GOLDEN


GOLDEN = [1, 39, 103079171, 3299459840, 1712062464, 695704132, 1717985472]
