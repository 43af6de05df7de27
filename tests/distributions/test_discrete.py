"""Bernoulli, categorical and beta-binomial: the laws, and masses known from elsewhere."""

from __future__ import annotations

import itertools

import mpmath
import numpy as np
import pytest

from bbans.distributions import bernoulli, beta_binomial, categorical
from tests.laws import check_distribution

RNG = np.random.default_rng(0)


def test_bernoulli_laws() -> None:
    logit = np.array([-(10**6), -1024, -1023, -64, -1, 0, 1, 64, 1024, 10**6])
    check_distribution(
        lambda x: bernoulli.interval(logit, x),
        lambda cf: bernoulli.symbol(logit, cf),
        2,
        24,
        len(logit),
    )


def test_bernoulli_masses() -> None:
    logit = np.arange(-1024, 1025)
    start, freq = bernoulli.interval(logit, np.ones_like(logit))
    with mpmath.workdps(30):
        assert freq.tolist() == [
            int(mpmath.nint(2**24 / (1 + mpmath.exp(-mpmath.mpf(int(l)) / 64)))) for l in logit
        ]
    assert (start == 2**24 - freq).all() and freq.min() == 2


@pytest.mark.parametrize("k", [1, 2, 3, 10, 257])
def test_categorical_laws(k: int) -> None:
    logits = np.concatenate(
        [RNG.integers(-400, 400, (4, k)), np.zeros((1, k), int), np.eye(1, k, dtype=int) * 10**9]
    )
    check_distribution(
        lambda x: categorical.interval(logits, x),
        lambda cf: categorical.symbol(logits, cf),
        k,
        24,
        len(logits),
    )
    table = categorical.from_weights(categorical.weights(logits))
    rows = np.arange(len(logits))
    check_distribution(
        lambda x: categorical.table_interval(table, rows, x),
        lambda cf: categorical.table_symbol(table, rows, cf),
        k,
        24,
        len(logits),
    )
    x = RNG.integers(0, k, len(logits))
    assert np.array_equal(
        categorical.interval(logits, x), categorical.table_interval(table, rows, x)
    )


def test_categorical_masses() -> None:
    """p ~ 2^(l / 16): within the table's 2^-14 and, at K = 5, the floor's 5 units of 2^-24."""
    logits = np.array([[0, -16, -33, -64, -320]])
    found = np.array([categorical.interval(logits, np.array([x]))[1][0] for x in range(5)]) / 2**24
    expected = 2 ** (logits[0] / 16)
    assert (
        np.abs(found / (expected / expected.sum()) - 1).max() < 2e-4 + 6 / 16
    )  # the last one is near the floor
    assert np.abs(found / (expected / expected.sum()) - 1)[:4].max() < 2e-4


def test_many_categories() -> None:
    """K = 65536, several chunks of rows: no gaps, every end found, and a flat row loses nothing to
    the floor.
    """
    k = 65536
    logits = RNG.integers(-256, 1, (20, k))
    logits[3] = 7
    x = np.concatenate([[0, k - 1], RNG.integers(0, k, 18)])
    start, freq = categorical.interval(logits, x)
    assert (freq >= 1).all() and start[0] == 0 and start[1] + freq[1] == 2**24 and freq[3] == 256
    for cf in (start, start + freq - 1):
        assert all(
            np.array_equal(a, b)
            for a, b in zip(categorical.symbol(logits, cf), (x, start, freq), strict=True)
        )
    after = np.minimum(x + 1, k - 1)
    assert np.array_equal(categorical.interval(logits, after)[0][2:], (start + freq)[2:])


PARAMETERS = np.array(list(itertools.product((0, 100, 128, 200, 320), repeat=2)))


@pytest.mark.parametrize("n", [1, 2, 17, 256])
def test_beta_binomial_laws(n: int) -> None:
    a, b = PARAMETERS.T
    check_distribution(
        lambda x: beta_binomial.interval(a, b, x, n),
        lambda cf: beta_binomial.symbol(a, b, cf, n),
        n,
        24,
        len(PARAMETERS),
    )


@pytest.mark.parametrize(
    ("a", "b"), [(128, 128), (100, 150), (320, 300), (0, 320), (60, 60), (320, 0)]
)
def test_beta_binomial_masses(a: int, b: int) -> None:
    """Against mpmath: KL(true || coded) below 3e-6 bit, for the steps of 2^-8 log2, and what the
    floor takes.
    """
    x = np.arange(256)
    freq = beta_binomial.interval(np.full(256, a), np.full(256, b), x)[1]
    with mpmath.workdps(30):
        alpha, beta = (mpmath.mpf(2) ** (mpmath.mpf(i) / 16 - 8) for i in (a, b))
        p = [
            mpmath.binomial(255, v)
            * mpmath.beta(v + alpha, 255 - v + beta)
            / mpmath.beta(alpha, beta)
            for v in range(256)
        ]
        assert abs(sum(p) - 1) < 1e-20
        kl = sum(q * mpmath.log(q * 2**24 / int(f), 2) for q, f in zip(p, freq, strict=True))
    assert -1e-9 < kl < 3e-6 + 256 * 1.4427 / 2**24
    if a == b == 128:
        assert (freq == 2**16).all()


def test_discrete_ranges_are_checked() -> None:
    zero = np.zeros(2, np.int64)
    with pytest.raises(ValueError, match="0 or 1"):
        bernoulli.interval(zero, zero + 255)
    with pytest.raises(ValueError, match="one shape"):
        bernoulli.symbol(zero, zero[:1])
    with pytest.raises(ValueError, match=r"0\.\.2"):
        categorical.interval(np.zeros((2, 3), int), zero + 3)
    with pytest.raises(ValueError, match=r"\(N, K\)"):
        categorical.interval(np.zeros((2, 0), int), zero)
    with pytest.raises(ValueError, match="2 symbols"):
        categorical.interval(np.zeros((2, 3), int), zero[:1])
    for bad in ([[0, 0]], [[1 << 38, 1]], [[1 << 62, 1 << 62]], [[1 << 62] * 4]):
        with pytest.raises(ValueError, match="weights"):
            categorical.from_weights(np.array(bad))
    with pytest.raises(ValueError, match="not negative"):
        categorical.from_weights(np.array([[-1, 3]]))
    with pytest.raises(ValueError, match=r"0\.\.320"):
        beta_binomial.interval(zero + 321, zero, zero)
    with pytest.raises(ValueError, match=r"0\.\.15"):
        beta_binomial.interval(zero, zero, zero + 16, 16)
    with pytest.raises(ValueError, match="256 symbols"):
        beta_binomial.interval(zero, zero, zero, 257)
