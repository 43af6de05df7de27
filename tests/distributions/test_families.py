"""Uniform, logistic, Gaussian and latent distributions: the laws, and known masses."""

from __future__ import annotations

import itertools

import mpmath
import numpy as np
import pytest

from bbans.distributions import gaussian, gaussian_bins, tables, uniform
from tests import logistic
from tests.laws import check_distribution

LOCATIONS = (-(2**15), -100, 0, 16, 4080, 8175, 8300, 2**15)
SCALES = (0, 1, 40, 80, 120, 160)
GRID = np.array(list(itertools.product(LOCATIONS, SCALES)), np.int64)


@pytest.mark.parametrize(
    ("n", "precision"), [(1, 0), (1, 12), (2, 1), (7, 3), (256, 8), (255, 8), (1000, 22), (3, 31)]
)
def test_uniform_laws(n: int, precision: int) -> None:
    check_distribution(
        lambda x: uniform.interval(x, n, precision),
        lambda cf: uniform.symbol(cf, n, precision),
        n,
        precision,
        2,
    )


@pytest.mark.parametrize(("n", "precision"), [(0, 4), (17, 4), (2, 32)])
def test_uniform_bounds(n: int, precision: int) -> None:
    with pytest.raises(ValueError, match="uniform"):
        uniform.interval(np.zeros(1, np.int64), n, precision)


@pytest.mark.parametrize("n", [1, 2, 17, 256])
@pytest.mark.parametrize("family", [logistic, gaussian])
def test_location_scale_laws(family: object, n: int) -> None:
    m, s = GRID.T
    check_distribution(
        lambda x: family.interval(m, s, x, n),  # type: ignore[attr-defined]
        lambda cf: family.symbol(m, s, cf, n),  # type: ignore[attr-defined]
        n,
        22,
        len(GRID),
    )


def test_gaussian_masses() -> None:
    """Within the table's steps: 1/1024 sigma at the densest point moves an end by 2^22 * 0.4 / 1024
    = 1640 at most.
    """
    x = np.arange(90, 110)
    start, freq = gaussian.interval(np.full(20, 3200), np.full(20, 96), x)
    with mpmath.workdps(30):
        expected = [
            2**22 * (mpmath.ncdf((v + 0.5 - 100) / 4) - mpmath.ncdf((v - 0.5 - 100) / 4))
            for v in map(int, x)
        ]
    assert np.abs(freq - np.array([float(e) for e in expected])).max() < 200
    assert (start[1:] == (start + freq)[:-1]).all()


@pytest.mark.parametrize(
    ("P", "interpolated"), [(4, False), (8, False), (12, False), (4, True), (8, True), (10, True)]
)
def test_latent_laws(P: int, interpolated: bool) -> None:
    pairs = (
        itertools.product((-512, -448, -3, 0, 257, 512), (0, 1, 28, 48, 56))
        if P < 12
        else [(-512, 0), (0, 48), (3, 20), (512, 56)]
    )
    m, s = np.array(list(pairs), np.int64).T
    check_distribution(
        lambda i: gaussian_bins.interval(m, s, P, i, interpolated),
        lambda cf: gaussian_bins.symbol(m, s, P, cf, interpolated),
        1 << P,
        24,
        len(m),
    )


@pytest.mark.parametrize(
    ("mean", "sigma", "P"), [(0, 48, 12), (37, 40, 12), (-300, 24, 12), (37, 0, 10), (256, 56, 8)]
)
def test_interpolated_masses(mean: int, sigma: int, P: int) -> None:
    """In units of 2^-24: 6.4 for the 10 bits between two entries, 0.5 for the chord, 2 for
    roundings; 1 / sigma is exact here.
    """
    n = 1 << P
    i = np.arange(n)
    start, _ = gaussian_bins.interval(np.full(n, mean), np.full(n, sigma), P, i, True)
    b = tables.standard_normal_bins(P)[0]
    step = max(1, n // 200)
    with mpmath.workdps(30):
        scale = mpmath.mpf(2) ** (6 - mpmath.mpf(sigma) / 8)
        for k in range(1, n, step):
            expected = (
                mpmath.ncdf((mpmath.mpf(int(b[k])) / 2**16 - mpmath.mpf(mean) / 128) * scale)
                * (2**24 - n)
                + k
            )
            assert abs(int(start[k]) - expected) < 9


@pytest.mark.parametrize("P", [4, 8, 12])
def test_posterior_equal_to_the_prior_costs_the_same(P: int) -> None:
    """mean 0, sigma 1 (index 48): every bin has mass 2^-P, to the rounding of the table's steps."""
    n = 1 << P
    _, freq = gaussian_bins.interval(np.zeros(n, np.int64), np.full(n, 48), P, np.arange(n))
    # a boundary is rounded down to 1/1024: its mass moves by at most density / 1024
    b = tables.standard_normal_bins(P)[0] / 2**16
    density = np.exp(-(b**2) / 2) / np.sqrt(2 * np.pi)
    bound = 2.0**24 * np.maximum(density[:-1], density[1:]).clip(0.4 * 2.0**-P) / 1024 * 1.1 + 2
    assert (np.abs(freq - 2.0 ** (24 - P)) <= bound).all()


def test_interpolation_codes_the_prior_at_its_cost() -> None:
    """KL(q = N(0, 1) || prior): a bin of 2^-12 spans less than two entries of the table."""
    i = np.arange(4096)
    for interpolated, low, high in ((True, 0, 5e-5), (False, 0.3, 0.4)):
        q = (
            gaussian_bins.interval(np.zeros(4096, int), np.full(4096, 48), 12, i, interpolated)[1]
            / 2**24
        )
        assert low < (q * (12 + np.log2(q))).sum() < high


def test_latent_values() -> None:
    assert gaussian_bins.value(4, np.array([[0, 15], [7, 8]])).tolist() == [[-238, 238], [-10, 10]]
    i = np.arange(4096)
    u, m = gaussian_bins.value(12, i), np.full(4096, 100)
    _, freq = gaussian_bins.interval(m, np.full(4096, 16), 12, i)  # sigma 1/16
    assert abs(float((u * freq).sum() / freq.sum()) - 100) < 0.5


def test_ranges_are_checked() -> None:
    zero = np.zeros(2, np.int64)
    for scale in (-1, 161):
        for family in (logistic, gaussian):
            with pytest.raises(ValueError, match=r"scale indices lie in 0\.\.160"):
                family.interval(zero, zero + scale, zero)
    with pytest.raises(ValueError, match="one shape"):
        gaussian.interval(zero, zero, zero[:1])
    with pytest.raises(ValueError, match="symbols"):
        gaussian.interval(zero, zero, zero, 2**16 + 1)
    with pytest.raises(ValueError, match=r"0\.\.56"):
        gaussian_bins.interval(zero, zero + 57, 8, zero)
    with pytest.raises(ValueError, match="means"):
        gaussian_bins.interval(zero + 5000, zero, 8, zero)
    with pytest.raises(ValueError, match="one shape"):
        gaussian_bins.symbol(zero, zero[:1], 8, zero)
