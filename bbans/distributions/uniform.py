"""P(x) = 1 / n: n symbols of equal mass, or as equal as integers out of 2^precision allow."""

from __future__ import annotations

from bbans.distributions.inverse_cdf import Ints, as_int64


def interval(x: Ints, n: int, precision: int) -> tuple[Ints, Ints]:
    """`(start, freq)` of x in 0..n-1, int64 `(N,)`, with F(x) = floor(x 2^precision / n); needs n
    <= 2^precision <= 2^31.
    """
    _check(n, precision)
    start = (as_int64(x) << precision) // n
    return start, ((as_int64(x) + 1 << precision) // n) - start


def symbol(cf: Ints, n: int, precision: int) -> tuple[Ints, Ints, Ints]:
    """`(x, start, freq)` of the interval that holds cf in [0, 2^precision)."""
    _check(n, precision)
    # F(x) <= cf means x 2^precision < (cf + 1) n, so the largest such x is ceil of the quotient
    # less one.
    x = ((as_int64(cf) + 1) * n - 1) >> precision
    return x, *interval(x, n, precision)


def _check(n: int, precision: int) -> None:
    if not 1 <= n <= 1 << precision <= 1 << 31:
        raise ValueError(
            f"a uniform distribution needs 1 <= n <= 2^precision <= 2^31; found n {n}, precision "
            f"{precision}"
        )
