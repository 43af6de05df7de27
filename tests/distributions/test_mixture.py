from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bbans.distributions import mixture
from bbans.distributions.tables import inverse_scales, logistic_cdf_table
from bbans.exact import engines
from tests import logistic
from tests.engines import COMPILED, needs_core
from tests.laws import Ints, check_distribution


@pytest.fixture(params=COMPILED, ids=["compiled", "reference"])
def backend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv(engines.VARIABLE, request.param)
    return str(request.param)


def parameters(N: int, K: int, seed: int = 0, extreme: bool = False) -> tuple[Ints, Ints, Ints]:
    rng = np.random.default_rng(seed)
    if extreme:
        raw = rng.integers(0, 2, (N, K)) << 46
        raw[:, rng.integers(K)] += rng.integers(1, 3, N)
        locations = rng.choice([-(2**15), -17, -16, 0, 8175, 8176, 2**15], (N, K))
        return mixture.normalise(raw), locations, rng.choice([0, 1, 159, 160], (N, K))
    return (
        mixture.normalise(rng.integers(1, 2**14, (N, K))),
        rng.integers(-500, 8700, (N, K)),
        rng.integers(0, 161, (N, K)),
    )


@pytest.mark.parametrize("n", [1, 2, 3, 100, 256])
@pytest.mark.parametrize("extreme", [False, True])
def test_laws(backend: str, n: int, extreme: bool) -> None:
    w, m, s = parameters(60, 5, extreme=extreme)
    check_distribution(
        lambda x: mixture.interval(w, m, s, x, n),
        lambda cf: mixture.symbol(w, m, s, cf, n),
        n,
        22,
        60,
    )


def test_many_symbols(backend: str) -> None:
    w, m, s = parameters(500, 3)
    m *= 250
    rng = np.random.default_rng(1)
    cf = rng.integers(0, 2**22, 500)
    cf[:2] = 0, 2**22 - 1
    x, start, freq = mixture.symbol(w, m, s, cf, 2**16)
    again = mixture.interval(w, m, s, x, 2**16)
    assert np.array_equal(again[0], start) and np.array_equal(again[1], freq)
    assert ((start <= cf) & (cf < start + freq)).all()
    assert (x[0], x[1]) == (0, 2**16 - 1)


@needs_core
@pytest.mark.parametrize("extreme", [False, True])
@pytest.mark.parametrize(
    ("N", "K", "n"),
    [(0, 2, 256), (1, 1, 256), (9000, 5, 256), (3000, 10, 2), (3000, 3, 65536), (200, 65, 256)],
)
def test_the_core_gives_the_same_integers(
    monkeypatch: pytest.MonkeyPatch, extreme: bool, N: int, K: int, n: int
) -> None:
    w, m, s = parameters(N, K, 2, extreme)
    rng = np.random.default_rng(3)
    x, cf, raw = (
        rng.integers(0, n, N),
        rng.integers(0, 2**22, N),
        rng.integers(0, 2**46, (N, K)) + 1,
    )
    found = []
    for setting in COMPILED:
        monkeypatch.setenv(engines.VARIABLE, setting)
        found.append(
            [
                *mixture.interval(w, m, s, x, n),
                *mixture.interval_and_condition(w, m, s, x, n),
                *mixture.symbol(w, m, s, cf, n),
                mixture.normalise(raw),
            ]
        )
    for slow, fast in zip(*found, strict=True):
        assert np.array_equal(slow, fast)


def oracle(w: list[int], m: list[int], s: list[int], x: int, n: int) -> tuple[int, list[int]]:
    """F(x) and T_k(x), from the definition in Python's integers."""
    masses = []
    for location, scale in zip(m, s, strict=True):
        j = 16384 + (((32 * x - 16 - location) * int(inverse_scales()[scale])) >> 12)
        masses.append(
            0 if x == 0 else 2**24 if x == n else int(logistic_cdf_table()[min(max(j, 0), 32768)])
        )
    total = sum(a * b for a, b in zip(w, masses, strict=True))
    return total * (2**22 - n) // 2**40 + x, masses


def normalised(raw: list[int]) -> list[int]:
    weights = [int(Fraction(r * 2**16, sum(raw))) for r in raw]
    weights[raw.index(max(raw))] += 2**16 - sum(weights)
    return weights


@given(
    st.lists(
        st.tuples(st.integers(0, 2**24), st.integers(-(2**15), 2**15), st.integers(0, 160)),
        min_size=1,
        max_size=6,
    ),
    st.data(),
)
def test_against_the_definition(
    components: list[tuple[int, int, int]], data: st.DataObject
) -> None:
    n = data.draw(st.sampled_from([1, 2, 200, 256, 65536]))
    x = data.draw(st.integers(0, n - 1))
    raw, m, s = (list(part) for part in zip(*components, strict=True))
    raw[0] += 1
    w = normalised(raw)
    (lower, before), (upper, after) = oracle(w, m, s, x, n), oracle(w, m, s, x + 1, n)
    expected = normalised([a * max(t - b, 1) for a, b, t in zip(w, before, after, strict=True)])
    for setting in COMPILED:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(engines.VARIABLE, setting)
            assert mixture.normalise(np.array([raw])).tolist() == [w]
            arguments = np.array([w]), np.array([m]), np.array([s]), np.array([x]), n
            assert [part.tolist() for part in mixture.interval(*arguments)] == [
                [lower],
                [upper - lower],
            ]
            assert [part.tolist() for part in mixture.interval_and_condition(*arguments)] == [
                [lower],
                [upper - lower],
                [expected],
            ]
            assert mixture.condition(*arguments).tolist() == [expected]


def test_normalise_ties_and_zeros(backend: str) -> None:
    assert mixture.normalise(np.array([[1, 1, 1], [0, 5, 0], [0, 2**46, 2**46]])).tolist() == [
        [21846, 21845, 21845],
        [0, 65536, 0],
        [0, 32768, 32768],
    ]


def test_conditioning_is_bayes(backend: str) -> None:
    """Coding a value twice, the second time with the weights after the first, costs -log2 sum_k w_k
    p_k^2.
    """
    rng = np.random.default_rng(4)
    m = rng.integers(3000, 5000, (300, 4))
    s, w = np.full((300, 4), 100), mixture.normalise(rng.integers(1, 2**14, (300, 4)))
    x = m[:, 0] // 32
    start, freq, after = mixture.interval_and_condition(w, m, s, x)
    second = mixture.interval(after, m, s, x)[1]
    p = np.stack([logistic.interval(m[:, k], s[:, k], x)[1] for k in range(4)], 1) / 2**22
    joint = ((w / 2**16) * p * p).sum(1)
    cost = -np.log2(freq / 2**22) - np.log2(second / 2**22)
    assert np.abs(cost + np.log2(joint)).max() < 0.01
    assert np.array_equal(mixture.condition(w, m, s, x), after)
    assert np.array_equal(mixture.interval(w, m, s, x)[0], start)


def test_read_only_and_strided_inputs(backend: str) -> None:
    w, m, s = parameters(50, 6)
    x = np.arange(50)
    expected = mixture.interval_and_condition(w, m, s, x)
    for array in (w, m, s, x):
        array.flags.writeable = False
    wide = [np.asfortranarray(array) for array in (w, m, s)]
    for found in (
        mixture.interval_and_condition(w, m, s, x),
        mixture.interval_and_condition(*wide, x.astype(np.uint64)),
    ):
        assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))
    assert np.array_equal(mixture.normalise(w), w)


@pytest.mark.parametrize("scale", [-1, 161, 2**40])
def test_scale_indices_are_checked(backend: str, scale: int) -> None:
    one = np.ones((1, 2), np.int64)
    for function in (
        mixture.interval,
        mixture.symbol,
        mixture.condition,
        mixture.interval_and_condition,
    ):
        with pytest.raises(ValueError, match="scale indices"):
            function(one, one, one * scale, np.zeros(1, np.int64))


def test_shapes_are_checked() -> None:
    one, x = np.ones((2, 2), np.int64), np.zeros(2, np.int64)
    for arguments in (
        (one, one[:1], one, x),
        (one, one, one, x[:1]),
        (one[0], one[0], one[0], x),
        (one[:, :0], one[:, :0], one[:, :0], x),
    ):
        with pytest.raises(ValueError, match="expected three arrays"):
            mixture.interval(*arguments)
    for n in (0, 2**16 + 1):
        with pytest.raises(ValueError, match="values"):
            mixture.interval(one, one, one, x, n)
