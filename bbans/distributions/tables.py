"""T[j] = round(f(j)): integer tables of the standard CDFs, of scales and of logarithms; each entry
is the integer nearest to a real number, and so equal on every machine.

Nothing here uses a float. Powers of two are found by comparing integers: k = round(2^(a/b)) exactly
if (2k - 1)^b <= 2^(a + b) < (2k + 1)^b. These powers are irrational or whole, so there are no ties.
CDFs are computed with 128 fractional bits; those of the normal distribution are stored
(`normal_grid`). The tests compare every entry with mpmath, and the tables' SHA-256 with constants,
because the tables are part of the file format. All tables are read-only int64 arrays.
"""

from __future__ import annotations

from functools import cache
from math import isqrt
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Table = NDArray[np.int64]

BITS = 128
ONE = 1 << BITS
STEP = 10  # the CDFs have 2^10 entries a unit
LOGISTIC_HALF, LOGISTIC_BITS = 2**14, 24  # +-16 scales
GAUSSIAN_HALF, GAUSSIAN_BITS = 2**13, 30  # +-8 sigma
SCALES, SIGMAS = 161, 57
BIN_UNIT, CENTRE_UNIT = 16, 7  # fractional bits of the bins' boundaries and centres
MAX_BIN_BITS = 12
NORMAL_FILE = Path(__file__).with_name("normal.npy")
"""Tables of the normal distribution, which take a tenth of a second to compute (`normal_grid`)."""


@cache
def logistic_cdf_table() -> Table:
    """T[j] = round(2^24 / (1 + exp(-t))), t = (j - 16384) / 1024, j = 0..32768; int64 `(32769,)`.

    Examples:
        >>> int(logistic_cdf_table()[16384]) == 2**23
        True
    """
    ratio = exp_minus(ONE >> STEP)
    upper, power = [], ONE
    for _ in range(LOGISTIC_HALF + 1):
        upper.append(rounded((ONE << LOGISTIC_BITS + 1) // (ONE + power), 1))
        power = power * ratio >> BITS
    return _odd(upper, 1 << LOGISTIC_BITS)


@cache
def gaussian_cdf_table() -> Table:
    """T[j] = round(2^30 Phi(t)), t = (j - 8192) / 1024, j = 0..16384; int64 `(16385,)`.

    Examples:
        >>> round(int(gaussian_cdf_table()[8192 + 1024]) / 2**30, 6)  # Phi(1)
        0.841345
    """
    return _odd(_stored()[0].tolist(), 1 << GAUSSIAN_BITS)


@cache
def inverse_scales() -> Table:
    """T[i] = round(2^12 * 32 / s_i) for scales s_i = 2^(i / 16 - 4) grey levels, i = 0..160; int64
    `(161,)`.

    Examples:
        >>> int(inverse_scales()[64]) == 2**12 * 32  # s = 1
        True
    """
    return _frozen([_round_root(16 * 21 - i, 4) for i in range(SCALES)])


@cache
def inverse_sigmas() -> Table:
    """T[i] = round(2^16 / sigma_i) for sigma_i = 2^(i / 8 - 6), i = 0..56; int64 `(57,)`.

    Examples:
        >>> int(inverse_sigmas()[48]) == 2**16  # sigma = 1
        True
    """
    return _frozen([_round_root(8 * 22 - i, 3) for i in range(SIGMAS)])


@cache
def exp2_weights() -> Table:
    """T[d] = max(1, round(2^14 * 2^(-d / 16))), d = 0..255; int64 `(256,)`.

    Examples:
        >>> exp2_weights()[[0, 16, 32]]
        array([16384,  8192,  4096])
    """
    return _frozen([max(1, _round_root(16 * 14 - d, 4)) for d in range(256)])


@cache
def exp2_fractions() -> Table:
    """T[j] = round(2^22 * 2^(-j / 256)), j = 0..255; int64 `(256,)`.

    Examples:
        >>> int(exp2_fractions()[0]) == 2**22
        True
    """
    return _frozen([_round_root(256 * 22 - j, 8) for j in range(256)])


@cache
def log2_mantissas() -> Table:
    """T[j] = round(2^28 log2(1 + j / 2^12)), j = 0..4096; int64 `(4097,)`.

    Examples:
        >>> int(log2_mantissas()[4096]) == 2**28
        True
    """
    n = 1 << 12
    logs = [_log_ratio(n + j, n) for j in range(n + 1)]
    return _frozen([rounded((log << BITS) // logs[-1], BITS - 28) for log in logs])


@cache
def log2_rising_factorials() -> Table:
    """T[i, k] = round(2^20 log2 (a_i)_k), where (a)_k = a (a + 1) ... (a + k - 1) and a_i =
    round(2^16 * 2^(i / 16 - 8)) / 2^16; int64 `(321, 256)`.

    Examples:
        >>> (log2_rising_factorials()[128, [2, 4]] / 2**20).round(3)  # log2 2! and log2 4!
        array([1.   , 4.585])
    """
    rows = []
    for i in range(321):
        a, total, row = _round_root(16 * 8 + i, 4), 0, []
        for k in range(256):
            row.append(rounded(total, BITS - 20))
            total += _log2(a + (k << 16)) - (16 << BITS)
        rows.append(row)
    table = np.array(rows, np.int64)
    table.flags.writeable = False
    return table


@cache
def log_magnitude() -> Table:
    """T[r] = round(128 log2(1 + r)), r = 0..1020; int64 `(1021,)`.

    Examples:
        >>> log_magnitude()[[0, 1, 3]]
        array([  0, 128, 256])
    """
    # with v = 1 + r: k <= 128 log2(v) + 1/2 exactly if 2^(2 k - 1) <= v^256
    return _frozen([((1 + r) ** 256).bit_length() // 2 for r in range(1021)])


@cache
def standard_normal_bins(precision: int) -> tuple[Table, Table]:
    """Returns boundaries and medians of the n = 2^precision bins of equal mass under N(0, 1).

    Boundaries, int64 `(n + 1,)`, are round(2^16 Phi^-1(i / n)), the outermost +-8 * 2^16. Medians,
    int64 `(n,)`, are round(2^7 Phi^-1((i + 1/2) / n)). Raises ValueError unless 4 <= precision <=
    12.

    Examples:
        >>> boundaries, medians = standard_normal_bins(4)
        >>> (boundaries[8:10] / 2**16).round(3), (medians[8:9] / 2**7).round(3)
        (array([0.   , 0.157]), array([0.078]))
    """
    if not 4 <= precision <= MAX_BIN_BITS:
        raise ValueError(
            f"bins of equal mass have a precision of 4 to {MAX_BIN_BITS} bits; found {precision}"
        )
    _, boundaries, medians = _stored()
    step = 1 << (MAX_BIN_BITS - precision)
    right = medians[step :: 2 * step].tolist()
    return _odd(boundaries[::step].tolist(), 0), _frozen([-c for c in reversed(right)] + right)


@cache
def _stored() -> tuple[Table, Table, Table]:
    """What `normal_grid.computed` returns, from the file that it wrote."""
    values = np.load(NORMAL_FILE)
    ends = GAUSSIAN_HALF + 1, GAUSSIAN_HALF + 2 + (1 << MAX_BIN_BITS - 1)
    return values[: ends[0]], values[ends[0] : ends[1]], values[ends[1] :]


def _frozen(values: list[int]) -> Table:
    """A read-only int64 array of these values."""
    table = np.array(values, np.int64)
    table.flags.writeable = False
    return table


def _odd(upper: list[int], total: int) -> Table:
    """A table with T(-t) = total - T(t), from its entries at t = 0, 1, 2, ..."""
    return _frozen([total - value for value in reversed(upper[1:])] + upper)


def rounded(value: int, bits: int) -> int:
    """Returns round(value / 2^bits), halves up.

    Examples:
        >>> rounded(6, 2)
        2
    """
    return (value + (1 << bits - 1)) >> bits


def _round_root(exponent: int, halvings: int) -> int:
    """round(2^(exponent / 2^halvings)); 0 if that is below a half."""
    exponent += 1 << halvings
    root = 1 << exponent if exponent >= 0 else 0
    for _ in range(halvings):
        root = isqrt(root)
    return (root + 1) // 2


def _log2(value: int) -> int:
    """log2(value), 1 <= value < 2^64, with `BITS` fractional bits, to within 2^-70."""
    exponent = value.bit_length() - 1
    leading = value << 10 >> exponent  # value = 2^exponent leading / 2^10 (1 + r), 0 <= r < 2^-10
    r = ((value << BITS + 10) // (leading << exponent)) - ONE
    log, power = _leading_logs()[leading - (1 << 10)], r
    for k in range(1, 8):
        log += power // k if k & 1 else -(power // k)
        power = power * r >> BITS
    return (exponent << BITS) + (log << BITS) // _leading_logs()[-1]


@cache
def _leading_logs() -> list[int]:
    """ln(1 + j / 2^10) for j = 0..2^10, with `BITS` fractional bits."""
    return [_log_ratio((1 << 10) + j, 1 << 10) for j in range((1 << 10) + 1)]


def _log_ratio(a: int, b: int) -> int:
    """ln(a / b) = 2 artanh((a - b) / (a + b)) for a >= b."""
    ratio = (a - b << BITS) // (a + b)
    square, term, total, k = ratio * ratio >> BITS, ratio, 0, 1
    while term:
        total += term // k
        term, k = term * square >> BITS, k + 2
    return 2 * total


def exp_minus(t: int) -> int:
    """Returns exp(-t) for 0 <= t <= 1, both with `BITS` fractional bits.

    Examples:
        >>> exp_minus(0) == ONE
        True
    """
    total = term = ONE
    sign, k = 1, 0
    while term:
        k += 1
        term = (term * t >> BITS) // k
        sign = -sign
        total += sign * term
    return total
