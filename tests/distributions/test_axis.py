"""Axes of samples: 8 bits are as ever, others cover the same range; a mixture on any of them is a
distribution.
"""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bbans.distributions import mixture
from bbans.distributions.sample_grid import LINEAR, SQUARE_ROOT, UNIT, regular, stretched
from bbans.exact import engines
from tests.engines import COMPILED, needs_core
from tests.laws import check_distribution


def test_regular_values_are_grey_levels():
    axis = regular()
    assert (
        axis.n == 256
        and np.array_equal(axis.levels, np.arange(256))
        and np.array_equal(axis.centres, 32 * np.arange(256))
    )
    assert np.array_equal(axis.boundaries, (np.arange(257) * 2 - 1) << 12)


@pytest.mark.parametrize("n", [2, 3, 16, 256, 1000, 4096, 65536])
@pytest.mark.parametrize("curve", [LINEAR, SQUARE_ROOT])
def test_stretched_values_cover_the_grey_levels(n, curve):
    axis = stretched(n, curve)
    assert axis.n == n and len(axis.boundaries) == n + 1
    assert (
        (np.diff(axis.boundaries) >= 0).all()
        and axis.boundaries.min() > -(2**22)
        and axis.boundaries.max() < 2**22
    )
    assert (
        axis.levels[0] <= (128 if n == 2 else 90)
        and axis.levels[-1] >= 240
        and (np.diff(axis.levels) >= 0).all()
    )
    for x in {1, n // 2, n - 1}:
        t = Fraction(2 * x - 1, 2 * (n - 1))
        exact = t * (255 << UNIT) if curve == LINEAR else None
        found = int(axis.boundaries[x])
        if exact is not None:
            assert found <= exact < found + 1
        else:
            assert found**2 <= t * (255 << UNIT) ** 2 < (found + 1) ** 2


def test_256_stretched_values_are_grey_levels():
    assert np.array_equal(stretched(256).levels, np.arange(256)) and np.array_equal(
        stretched(256).centres, 32 * np.arange(256)
    )


@pytest.mark.parametrize("backend", COMPILED)
@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from([2, 3, 7, 16, 300, 4096, 65536]),
    st.sampled_from([LINEAR, SQUARE_ROOT]),
    st.integers(0, 2**32 - 1),
)
def test_a_mixture_on_any_axis_is_a_distribution(backend, n, curve, seed):
    rng = np.random.default_rng(seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(engines.VARIABLE, backend)
        axis = stretched(n, curve)
        K, N = 3, 60
        w = mixture.normalise(rng.integers(1, 2**14, (N, K)))
        m, s = rng.integers(-500, 8700, (N, K)), rng.integers(0, 161, (N, K))
        if n <= 300:
            check_distribution(
                lambda x: mixture.interval(w, m, s, x, axis),
                lambda cf: mixture.symbol(w, m, s, cf, axis),
                n,
                22,
                60,
            )
            return
        rows = 8
        w, m, s = (np.repeat(a, rows, 0) for a in (w, m, s))
        cf = rng.integers(0, 2**22, rows * N)
        x, start, freq = mixture.symbol(w, m, s, cf, axis)
        again = mixture.interval(w, m, s, x, axis)
        assert np.array_equal(again[0], start) and np.array_equal(again[1], freq)
        assert ((start <= cf) & (cf < start + freq)).all() and freq.min() >= 1


@needs_core
@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_core_and_reference_agree_on_fine_axes(seed):
    rng = np.random.default_rng(seed)
    axis = stretched(int(rng.integers(2, 65537)), int(rng.integers(2)))
    w, m, s = (
        mixture.normalise(rng.integers(1, 2**14, (500, 4))),
        rng.integers(-500, 8700, (500, 4)),
        rng.integers(0, 161, (500, 4)),
    )
    x, cf = rng.integers(0, axis.n, 500), rng.integers(0, 2**22, 500)
    results = []
    for backend in COMPILED:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(engines.VARIABLE, backend)
            results.append(
                [
                    *mixture.interval_and_condition(w, m, s, x, axis),
                    *mixture.symbol(w, m, s, cf, axis),
                ]
            )
    assert all(np.array_equal(a, b) for a, b in zip(*results, strict=True))


def test_values_and_axes_are_checked():
    one = np.ones((1, 2), np.int64)
    for x in (-1, 256):
        with pytest.raises(ValueError, match="values lie in"):
            mixture.interval(one, one, one, np.full(1, x))
    for arguments in ((1,), (65537,), (5, 2)):
        with pytest.raises(ValueError, match="values"):
            stretched(*arguments)
