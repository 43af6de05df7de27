from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bbans.coding.codec import uniform
from bbans.coding.rans import (
    Message,
    base_message,
    flatten,
    message_bits,
    message_equal,
    pop,
    pseudo_random_message,
    push,
    tail_words,
    unflatten,
)
from bbans.errors import FormatError, IntervalError, TruncatedError, UnderflowError
from tests.laws import check_bits_back, check_codec

DATA = Path(__file__).parent.parent / "data"
CASES = json.loads((DATA / "craystack_vectors.json").read_text())


@pytest.fixture(scope="module")
def vectors() -> dict[str, np.ndarray]:
    with np.load(DATA / "craystack_vectors.npz") as file:
        return dict(file)


def pushed(vectors: dict[str, np.ndarray], case: dict) -> Message:
    message = base_message(tuple(case["shape"]))
    for starts, freqs in zip(
        vectors[case["name"] + "_starts"], vectors[case["name"] + "_freqs"], strict=True
    ):
        (message,) = push(message, starts, freqs, case["precision"])
    return message


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_craystack_vectors(vectors: dict[str, np.ndarray], case: dict) -> None:
    message = pushed(vectors, case)
    assert np.array_equal(message[0], vectors[case["name"] + "_head"])
    assert np.array_equal(flatten(message), vectors[case["name"] + "_flat"])
    message = unflatten(vectors[case["name"] + "_flat"], tuple(case["shape"]))
    for starts, freqs in zip(
        vectors[case["name"] + "_starts"][::-1], vectors[case["name"] + "_freqs"][::-1], strict=True
    ):
        cf, finish = pop(message, case["precision"])
        assert ((starts <= cf) & (cf < starts + freqs)).all()
        (message,) = finish(starts, freqs)
    assert message_equal(message, base_message(tuple(case["shape"])))


def test_craystack_itself(vectors: dict[str, np.ndarray]) -> None:
    theirs = pytest.importorskip(
        "craystack.rans", reason="craystack is not on the package index; docs say how to install it"
    )
    rng = np.random.default_rng(0)
    left = right = base_message((5,))
    for step in range(400):
        freqs = rng.integers(1, 1 << 15, 5).astype(np.uint64)
        starts = rng.integers(0, 1 << 15, 5).astype(np.uint64)
        one, other = (push, theirs.push) if step % 2 else (theirs.push, push)
        left, right = one(left, starts, freqs, 16)[0], other(right, starts, freqs, 16)[0]
    assert message_equal(left, right)


@given(
    st.integers(0, 31).flatmap(
        lambda p: st.tuples(
            st.just(p),
            st.lists(
                st.tuples(st.integers(0, 2**p - 1), st.integers(1, 2**p)), min_size=1, max_size=40
            ),
        )
    )
)
def test_push_then_pop_is_the_identity(drawn: tuple[int, list[tuple[int, int]]]) -> None:
    precision, intervals = drawn
    message = base_message((2,))
    trail = []
    for start, freq in intervals:
        freq = min(freq, (1 << precision) - start)
        trail.append((message, start, freq))
        (message,) = push(message, np.full(2, start), np.full(2, freq), precision)
        assert (message[0] >= 2**31).all() and (message[0] < 2**63).all()
    for before, start, freq in reversed(trail):
        cf, finish = pop(message, precision)
        assert ((start <= cf) & (cf < start + freq)).all()
        (message,) = finish(np.full(2, start), np.full(2, freq))
        assert message_equal(message, before)


def test_pop_then_push_is_the_identity() -> None:
    for shape in ((1,), (3, 5)):
        message = pseudo_random_message(shape, 200, seed=1)
        for precision in (0, 1, 16, 31):
            check_bits_back(uniform(precision), message)


def test_a_precision_for_each_lane() -> None:
    precision = np.array([0, 3, 31], np.uint64)
    message = pseudo_random_message((3,), 20, seed=2)
    symbol = np.array([0, 5, 2**31 - 1], np.uint64)
    (pushed_message,) = push(message, symbol, np.ones(3, np.uint64), precision)
    cf, finish = pop(pushed_message, precision)
    assert np.array_equal(cf, symbol)
    assert message_equal(finish(cf, np.ones(3, np.uint64))[0], message)


@pytest.mark.parametrize(
    ("start", "freq", "precision"),
    [(0, 0, 8), (200, 57, 8), (-1, 1, 8), (0, 257, 8), (0, -1, 8), (0, 1, 32), (0, 1, -1)],
)
def test_impossible_intervals(start: int, freq: int, precision: int) -> None:
    with pytest.raises(IntervalError):
        push(base_message((1,)), np.array([start]), np.array([freq]), precision)


def test_underflow_says_how_much_is_missing() -> None:
    message = base_message((4,))[0], (np.arange(3, dtype=np.uint32), ())
    cf, finish = pop(message, 16)
    with pytest.raises(UnderflowError) as error:
        finish(cf, np.ones(4, np.uint64))
    assert error.value.missing_bits == 32


def test_unflatten_refuses_damage() -> None:
    words = flatten(base_message((2,)))
    assert message_equal(unflatten(words, (2,)), base_message((2,)))
    with pytest.raises(TruncatedError):
        unflatten(words[:3], (2,))
    for high, low in ((0, 2**31 - 1), (2**31, 0)):
        with pytest.raises(FormatError):
            unflatten(np.array([high, low], np.uint32), (1,))


def test_content_of_a_message() -> None:
    assert message_bits(base_message((1,))) == 31
    message = pseudo_random_message((1,), 10, seed=3)
    assert tail_words(message[1]) == 10
    assert (
        abs(
            message_bits(check_codec(uniform(20), message, np.array([12345], np.uint64)))
            - message_bits(message)
            - 20
        )
        < 1e-5
    )


def test_pseudo_random_message_is_the_same_everywhere() -> None:
    head, tail = pseudo_random_message((2,), 2, seed=0)
    assert head.tolist() == [3515348455, 2726846204]
    assert flatten((head, tail))[4:].tolist() == [175979945, 70985654]
