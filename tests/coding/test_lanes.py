from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bbans.coding.lanes import _leading_table, check_empty, finish, fold, grow, is_empty, start
from bbans.coding.rans import base_message, message_bits, message_equal, pseudo_random_message
from bbans.errors import FormatError, TrailingDataError, TruncatedError, UnderflowError


@given(st.integers(1, 40), st.integers(0, 200), st.integers(0, 5))
def test_fold_undoes_grow(small: int, more: int, seed: int) -> None:
    message = pseudo_random_message((small,), 3 * (small + more), seed)
    grown = grow(message, small + more)
    assert grown[0].shape == (small + more,)
    assert (grown[0] >= 2**31).all() and (grown[0] < 2**63).all()
    assert message_equal(fold(grown, small), message)


@given(st.lists(st.integers(2**31, 2**63 - 1), min_size=2, max_size=30), st.integers(1, 5))
def test_grow_undoes_fold(heads: list[int], lanes: int) -> None:
    message = np.array(heads, np.uint64), ()
    lanes = min(lanes, len(heads))
    assert message_equal(grow(fold(message, lanes), len(heads)), message)


@pytest.mark.parametrize(
    "head", [2**31, 2**32 - 1, 2**32, 2**62 - 1, 2**62, 2**63 - 1, 2**53 + 1, 2**54 - 1]
)
def test_heads_at_the_edges_of_octaves(head: int) -> None:
    message = np.array([2**40 + 3, head], np.uint64), ()
    assert message_equal(grow(fold(message, 1), 2), message)


def test_grown_heads_follow_the_law() -> None:
    # KS distance of log2 h from uniform on [31, 63), n = 30000; exceeded with probability below
    # 10^-6 by 1.63 * 1.65 / sqrt(n)
    head = grow(pseudo_random_message((1,), 80000, seed=4), 30001)[0][1:]
    u = np.sort((np.log2(head.astype(np.float64)) - 31) / 32)
    assert np.abs(u - (np.arange(30000) + 0.5) / 30000).max() < 2.7 / math.sqrt(30000)


def test_growing_and_folding_keep_the_content() -> None:
    message = pseudo_random_message((1,), 10000, seed=5)
    grown = grow(message, 4096)
    # the table of leading bits is rounded to 16 bits: below 2^-7.5 bits a lane at worst, and of
    # either sign
    assert abs(message_bits(grown) - message_bits(message)) < 4.0


def test_leading_table() -> None:
    table = _leading_table()
    assert [int(v) for v in table] == [
        math.floor(2**16 * math.log2(1 + j / 256)) for j in range(257)
    ]


def test_finish_and_start() -> None:
    message = pseudo_random_message((100,), 500, seed=6)
    words = finish(message)
    assert words.dtype == np.uint32
    assert message_equal(grow(start(words), 100), message)
    assert is_empty(start(finish(base_message((1,)))))
    check_empty(start(np.array([0, 2**31])))
    assert not is_empty(base_message((2,)))
    with pytest.raises(TrailingDataError):
        check_empty(start(words))


def test_damage_has_a_name() -> None:
    with pytest.raises(TruncatedError):
        start(np.zeros(1, np.uint32))
    with pytest.raises(FormatError):
        start(np.zeros(2, np.uint32))
    for lanes in (0, -1, 2**16 + 1, 2**40):
        with pytest.raises(FormatError):
            grow(base_message((1,)), lanes)
        with pytest.raises(FormatError):
            fold(base_message((1,)), lanes)
    with pytest.raises(FormatError):
        grow(base_message((4,)), 2)
    with pytest.raises(FormatError):
        fold(base_message((2,)), 4)
    with pytest.raises(FormatError):
        fold(base_message((2, 2)), 1)
    with pytest.raises(UnderflowError):
        grow(base_message((1,)), 2**16)


@pytest.mark.parametrize("name", ["rans0", "rans1", "rans3", "rans4", "rans5"])
def test_no_longer_than_craystack_folds(name: str) -> None:
    with np.load(Path(__file__).parent.parent / "data" / "craystack_vectors.npz") as file:
        head, flat, folded = file[f"{name}_head"], file[f"{name}_flat"], file[f"{name}_folded"]
    words = finish((head, (flat[2 * len(head) :], ())))
    assert len(words) <= len(folded) + 1
