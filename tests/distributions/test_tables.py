from __future__ import annotations

import hashlib

import mpmath
import numpy as np
import pytest

from bbans.distributions import normal_grid, tables
from bbans.distributions.tables import Table

SHA256 = {
    "logistic_cdf_table": "e21615a0c6022ca4a9e44ca1e17179205cb9064c55de3e66a9755794c6821580",
    "gaussian_cdf_table": "8026f93bd7526e5b996fc445ce41b1fe72691d3fa8190f13f4dda2ab3680103f",
    "inverse_scales": "b5acf24c8100bffc151ab5cb6be4ec25d7cc841c3ae351370a0aec086b4efba6",
    "inverse_sigmas": "ab8f235a1faa8e56a8f60ad87e456b8252ac7b2bc0de031ed9875307e03e717e",
    "exp2_weights": "81f609ec8205d8d067955b03399f4d9d5f4cf8ba50975a31f4849796c0105851",
    "log_magnitude": "85a1b8034bba43faaabcca670d06a7be13f2a4af21c16aabdc2a539faf628479",
    "exp2_fractions": "7f9ed3ffbaf1c75a2cd23873fcd40249a490b830740fdcca3ba9bd8dd17e38b7",
    "log2_mantissas": "1b7fb509d23cfb3a25b8f59d683fd4172fb68508b30a7a7d4af3db0dff1e9ddd",
    "log2_rising_factorials": "5cf7cfa05a33dbde760af300c5838a2c8f6cd150e5444fb57c80f35e5eed1de4",
}
BINS_SHA256 = "0ddbe0958a5768748be436b9a5c2d47e3095c279214d5dbfb6fd683f5be6c086"


def digest(*arrays: Table) -> str:
    return hashlib.sha256(b"".join(array.astype("<i8").tobytes() for array in arrays)).hexdigest()


@pytest.mark.parametrize("name", SHA256)
def test_tables_never_change(name: str) -> None:
    table = getattr(tables, name)()
    assert digest(table) == SHA256[name]
    assert table.dtype == np.int64 and not table.flags.writeable


def test_bins_never_change() -> None:
    assert (
        digest(
            *(part for precision in range(4, 13) for part in tables.standard_normal_bins(precision))
        )
        == BINS_SHA256
    )


def nearest(value: mpmath.mpf) -> int:
    """The nearest integer, refusing anything that 40 digits cannot decide."""
    assert abs(value - mpmath.floor(value) - mpmath.mpf(1) / 2) > mpmath.mpf(10) ** -20
    return int(mpmath.nint(value))


def test_logistic_table() -> None:
    table = tables.logistic_cdf_table()
    with mpmath.workdps(40):
        expected = [
            nearest(2**24 / (1 + mpmath.exp(-mpmath.mpf(j - 16384) / 1024)))
            for j in range(16384, 32769)
        ]
    assert table[16384:].tolist() == expected
    assert np.array_equal(table + table[::-1], np.full(32769, 2**24))


def test_gaussian_table() -> None:
    table = tables.gaussian_cdf_table()
    with mpmath.workdps(40):
        expected = [
            nearest(2**30 * mpmath.ncdf(mpmath.mpf(j - 8192) / 1024)) for j in range(8192, 16385, 4)
        ]
    assert table[8192::4].tolist() == expected
    assert np.array_equal(table + table[::-1], np.full(16385, 2**30))
    assert (np.diff(table) >= 0).all()


def test_what_is_stored_is_what_is_computed() -> None:
    stored = np.load(tables.NORMAL_FILE)
    assert stored.dtype == np.uint32
    assert np.array_equal(stored, np.concatenate(normal_grid.computed()))


def test_powers_and_logarithms() -> None:
    with mpmath.workdps(40):
        two = mpmath.mpf(2)

        def power(exponent: mpmath.mpf) -> int:
            return int(mpmath.nint(two**exponent))

        assert tables.inverse_scales().tolist() == [
            power(21 - mpmath.mpf(i) / 16) for i in range(161)
        ]
        assert tables.inverse_sigmas().tolist() == [
            power(22 - mpmath.mpf(i) / 8) for i in range(57)
        ]
        assert tables.exp2_weights().tolist() == [
            max(1, power(14 - mpmath.mpf(d) / 16)) for d in range(256)
        ]
        assert tables.log_magnitude().tolist() == [
            int(mpmath.nint(128 * mpmath.log(1 + r, 2))) for r in range(1021)
        ]


def test_log2_mantissas() -> None:
    with mpmath.workdps(40):
        expected = [
            nearest(2**28 * mpmath.log(1 + mpmath.mpf(j) / 2**12, 2)) for j in range(1, 2**12)
        ]
        assert tables.log2_mantissas().tolist() == [0, *expected, 2**28]


def test_exp2_fractions() -> None:
    with mpmath.workdps(40):
        assert tables.exp2_fractions().tolist() == [
            nearest(mpmath.mpf(2) ** (22 - mpmath.mpf(j) / 256)) if j else 2**22 for j in range(256)
        ]


def test_rising_factorials() -> None:
    table = tables.log2_rising_factorials()
    assert table.shape == (321, 256) and not table[:, 0].any()
    with mpmath.workdps(40):
        for i in (0, 1, 77, 128, 129, 255, 320):
            a = mpmath.nint(2 ** (16 + mpmath.mpf(i) / 16 - 8)) / 2**16
            assert table[i, 1::6].tolist() == [
                int(mpmath.nint(2**20 * mpmath.log(mpmath.rf(a, k), 2))) for k in range(1, 256, 6)
            ]
    assert table[128, :5].tolist() == [
        0,
        0,
        2**20,
        round(2**20 * np.log2(6)),
        round(2**20 * np.log2(24)),
    ]


@pytest.mark.parametrize("precision", [4, 7, 12])
def test_bins(precision: int) -> None:
    """An entry is right when Phi half a unit below and above it encloses the bin's mass: no inverse
    is needed.
    """
    boundaries, centres = tables.standard_normal_bins(precision)
    n = 1 << precision
    assert boundaries.shape == (n + 1,) and centres.shape == (n,)
    assert boundaries[0] == -(8 << 16) and boundaries[-1] == 8 << 16
    assert (np.diff(boundaries) > 0).all() and (np.diff(centres) >= 0).all()
    step = max(1, n // 128)
    with mpmath.workdps(40):
        for i in range(1, n, step):
            low, high = (
                mpmath.ncdf((mpmath.mpf(int(boundaries[i])) + side) / 2**16) for side in (-0.5, 0.5)
            )
            assert low < mpmath.mpf(i) / n < high
        for i in range(0, n, step):
            low, high = (
                mpmath.ncdf((mpmath.mpf(int(centres[i])) + side) / 2**7) for side in (-0.5, 0.5)
            )
            assert low < (i + mpmath.mpf(1) / 2) / n < high
    assert np.array_equal(boundaries, -boundaries[::-1]) and np.array_equal(centres, -centres[::-1])


@pytest.mark.parametrize("precision", [3, 13])
def test_bins_outside_the_range(precision: int) -> None:
    with pytest.raises(ValueError, match="precision of 4 to 12"):
        tables.standard_normal_bins(precision)
