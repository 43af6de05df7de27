"""The laws that every codec and every distribution keeps, written once: tests are data plus a call
of one of these.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbans.coding.codec import Codec
from bbans.coding.rans import Message, message_bits, message_equal

Ints = NDArray[np.int64]


def check_codec(codec: Codec, message: Message, symbol: Any) -> Message:
    """push then pop is the identity on symbol and message, and neither touches what it was given;
    the pushed message.
    """
    head = message[0].copy()
    (pushed,) = codec.push(message, symbol)
    kept = pushed[0].copy()
    back, found = codec.pop(pushed)
    np.testing.assert_equal(found, symbol)
    assert message_equal(back, message)
    assert np.array_equal(head, message[0]) and np.array_equal(kept, pushed[0])
    return pushed


def check_bits_back(codec: Codec, message: Message) -> None:
    """pop then push is the identity: what bits-back coding rests on."""
    popped, symbol = codec.pop(message)
    assert message_equal(codec.push(popped, symbol)[0], message)


def check_bits(
    before: Message, after: Message, bits: float, precision: int, intervals: int
) -> None:
    """The message's content grows by the bits of its intervals, to rANS's rounding: 2^(precision -
    29) bits an interval at most.
    """
    assert abs(message_bits(after) - message_bits(before) - bits) <= intervals * 2.0 ** (
        precision - 29
    )


def check_distribution(
    interval: Callable[[Ints], tuple[Ints, Ints]],
    symbol: Callable[[Ints], tuple[Ints, Ints, Ints]],
    n: int,
    precision: int,
    rows: int,
) -> None:
    """For `rows` parameter sets at once: F(0) = 0, F strictly increasing, F(n) = 2^precision,
    symbol undoes interval at both ends.

    `interval` and `symbol` take arrays `(rows,)`, one entry for each parameter set.
    """
    end = np.zeros(rows, np.int64)
    for x in range(n):
        given = np.full(rows, x, np.int64)
        start, freq = interval(given)
        assert np.array_equal(start, end), f"a gap before symbol {x}"
        assert freq.min() >= 1, f"symbol {x} has no mass"
        end = start + freq
        for cf in (start, end - 1):
            found = symbol(cf)
            assert all(
                np.array_equal(a, b) for a, b in zip(found, (given, start, freq), strict=True)
            ), f"symbol {x} is not found"
    assert (end == 1 << precision).all()
