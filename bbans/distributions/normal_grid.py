"""Phi(t) and its inverse in integers with 128 fractional bits, from which the tables of the normal
distribution are rounded. They are stored beside this module, in `normal.npy`:

    python -m bbans.distributions.normal_grid
"""

from __future__ import annotations

from bisect import bisect_right
from functools import cache
from math import isqrt

import numpy as np

from bbans.distributions.tables import (
    BIN_UNIT,
    BITS,
    CENTRE_UNIT,
    GAUSSIAN_BITS,
    GAUSSIAN_HALF,
    MAX_BIN_BITS,
    NORMAL_FILE,
    ONE,
    STEP,
    Table,
    exp_minus,
    rounded,
)


def computed() -> tuple[Table, Table, Table]:
    """Return the upper halves of three tables: round(2^30 Phi(j / 1024)), j = 0..8192;
    round(2^16 Phi^-1(1/2 + i / 2^12)), i = 0..2^11, the last one 8 * 2^16; and the medians of bins,
    round(2^7 Phi^-1(1/2 + i / 2^13)), i odd for those of 2^-12, and so on for wider ones.

    Examples:
        >>> [len(table) for table in computed()]
        [8193, 2049, 4096]
    """
    masses = [rounded(mass, BITS - GAUSSIAN_BITS) for mass in _grid()[0]]
    n = 1 << MAX_BIN_BITS
    boundaries = [_quantile(i, MAX_BIN_BITS, BIN_UNIT) for i in range(n // 2, n)]
    boundaries.append((GAUSSIAN_HALF >> STEP) << BIN_UNIT)
    medians = [_quantile(i, MAX_BIN_BITS + 1, CENTRE_UNIT) for i in range(n, 2 * n)]
    first, second, third = (np.array(values, np.int64) for values in (masses, boundaries, medians))
    return first, second, third


@cache
def _grid() -> tuple[list[int], list[int]]:
    """Phi(t) and the density at t = j / 1024, j = 0..8192, with `BITS` fractional bits."""
    # density(t + h) / density(t) = exp(-t h - h^2 / 2); from t to t + h this changes by exp(-h^2)
    ratio = exp_minus(ONE >> 2 * STEP + 1)
    shrink = exp_minus(ONE >> 2 * STEP)
    masses, densities = [ONE >> 1], [_inverse_root_of_two_pi()]
    for j in range(GAUSSIAN_HALF):
        masses.append(masses[-1] + _mass(j, densities[-1], ONE >> STEP))
        densities.append(densities[-1] * ratio >> BITS)
        ratio = ratio * shrink >> BITS
    return masses, densities


def _inverse_root_of_two_pi() -> int:
    """1 / sqrt(2 pi), by Machin's pi = 16 atan(1/5) - 4 atan(1/239)."""
    guard = BITS + 32

    def arctan_inverse(n: int) -> int:
        power = total = (1 << guard) // n
        sign, k = 1, 1
        while power:
            power //= n * n
            sign, k = -sign, k + 2
            total += sign * (power // k)
        return total

    pi = 16 * arctan_inverse(5) - 4 * arctan_inverse(239)
    return isqrt((1 << 2 * BITS + guard) // (2 * pi))


def _mass(j: int, density: int, d: int) -> int:
    """Phi(t + d) - Phi(t) for t = j / 1024 and 0 <= d <= 1/1024: density times the sum of (-1)^k
    He_k(t) d^(k+1) / (k+1)!.
    """
    # With c_k = (-1)^k He_k(t) d^k / k!: c_(k+1) = -(t d c_k + d^2 c_(k-1)) / (k + 1), since
    # He_(k+1) = t He_k - k He_(k-1).
    step, square = j * d >> STEP, d * d >> BITS
    before, term, total = 0, ONE, ONE
    for k in range(1, 16):
        before, term = term, -((step * term + square * before) >> BITS) // k
        total += term // (k + 1)
    return (density * total >> BITS) * d >> BITS


def _quantile(numerator: int, precision: int, unit: int) -> int:
    """round(2^unit Phi^-1(numerator / 2^precision)) for a probability of at least a half."""
    masses, densities = _grid()
    mass = numerator << (BITS - precision)
    j = bisect_right(masses, mass) - 1
    d = 0
    for _ in range(4):  # Newton's method within a step of 1/1024: the error squares each time
        d = min(
            max(d + ((mass - masses[j] - _mass(j, densities[j], d)) << BITS) // densities[j], 0),
            ONE >> STEP,
        )
    return rounded((j << BITS - STEP) + d, BITS - unit)


if __name__ == "__main__":
    np.save(NORMAL_FILE, np.concatenate(computed()).astype(np.uint32))
