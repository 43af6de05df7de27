"""Integer logarithms and weights: as near to the real ones as they say, so that a coder may decide
by them.
"""

import numpy as np
import pytest

from bbans.distributions import autoregressive, categorical, fixed_point_log, gaussian_bins, uniform
from bbans.distributions.distribution import point

RNG = np.random.default_rng(0)


def test_code_lengths():
    freqs = np.unique(
        np.concatenate(
            [
                np.arange(1, 2**16),
                RNG.integers(1, 2**31, 10**5),
                2 ** np.arange(32),
                2 ** np.arange(1, 32) - 1,
            ]
        )
    )
    error = fixed_point_log.code_lengths(freqs, 31) / fixed_point_log.UNIT - (31 - np.log2(freqs))
    assert error.min() > -4e-9 and error.max() < 1.8e-8
    assert np.array_equal(
        fixed_point_log.code_lengths(2 ** np.arange(25), 24),
        (24 - np.arange(25)) << fixed_point_log.UNIT_BITS,
    )
    assert (np.diff(fixed_point_log.code_lengths(freqs, 31)) <= 0).all()
    for wrong in (0, 2**31 + 1):
        with pytest.raises(ValueError, match="frequencies"):
            fixed_point_log.code_lengths(np.array([wrong]), 24)


@pytest.mark.parametrize("k", [1, 2, 5, 8, 1024])
def test_weights(k):
    lengths = RNG.integers(-(2**45), 2**45, (200, 1)) + RNG.integers(
        0, 12 << fixed_point_log.UNIT_BITS, (200, k)
    )
    found = fixed_point_log.weights(lengths)
    expected = np.exp2((lengths.min(1, keepdims=True) - lengths) / fixed_point_log.UNIT)
    assert np.abs(found / found.max(1, keepdims=True) / expected - 1).max() < 4e-6 + k * 2.0**-26
    assert found.sum(1).max() <= 2**38 and found.max(1).min() * k >= 2**37
    assert categorical.from_weights(found).shape == (200, k + 1)
    assert fixed_point_log.weights(np.array([[0, 2**50]]))[0, 1] == 0
    with pytest.raises(ValueError, match="lengths"):
        fixed_point_log.weights(lengths[0])


CASES = {
    "uniform": (uniform.uniform((7, 5), 512), 512),
    "standard normal": (gaussian_bins.standard_normal((7, 5), 10), 1024),
    "gaussian": (
        gaussian_bins.gaussian(RNG.integers(-300, 300, (7, 5)), RNG.integers(20, 57, (7, 5)), 10),
        1024,
    ),
    "categorical": (categorical.categorical(RNG.integers(-100, 100, (7, 5, 11))), 11),
    "autoregressive": (
        autoregressive.autoregressive(
            lambda k: np.cumsum(k, 1)[:, :, None] * np.arange(6) % 32, (7, 5)
        ),
        6,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_units_are_bits(name):
    conditional, n = CASES[name]
    x = RNG.integers(0, n, (7, 5))
    units = conditional.fixed_bits(x)
    assert units.dtype == np.int64 and units.shape == (7,)
    assert np.abs(units / fixed_point_log.UNIT - conditional.bits(x)).max() < 1e-7
    assert (conditional.factors is None) == (name == "autoregressive")


def test_certainty_has_no_units():
    assert point(np.zeros((3, 2), np.int64)).fixed_bits(np.zeros((3, 2), np.int64)).tolist() == [
        0,
        0,
        0,
    ]
