"""P(x) = 1 / n, by the CDF F(x) = floor(x 2^precision / n): n equiprobable symbols, up to rounding
if n does not divide 2^precision.

Arrays are int64 `(N,)`. Functions raise ValueError unless 1 <= n <= 2^precision <= 2^31.
"""

from __future__ import annotations

from bbans.distributions.distribution import Distribution, checked_symbols, factorised
from bbans.distributions.inverse_cdf import Ints, as_int64

UNIFORM_PRECISION = 24
"""Precision in bits of `uniform` where n is no power of two."""


def interval(x: Ints, n: int, precision: int) -> tuple[Ints, Ints]:
    """Returns `(start, freq)` of x in 0..n-1, out of 2^precision.

    Examples:
        >>> import numpy as np
        >>> [a.tolist() for a in interval(np.arange(3), n=3, precision=4)]
        [[0, 5, 10], [5, 5, 6]]
    """
    _check(n, precision)
    start = (as_int64(x) << precision) // n
    return start, ((as_int64(x) + 1 << precision) // n) - start


def symbol(cf: Ints, n: int, precision: int) -> tuple[Ints, Ints, Ints]:
    """Returns `(x, start, freq)` of the interval that contains cf in [0, 2^precision): the inverse
    of `interval`.

    Examples:
        >>> import numpy as np
        >>> symbol(np.array([4, 5]), n=3, precision=4)[0]
        array([0, 1])
    """
    _check(n, precision)
    # F(x) <= cf means x 2^precision < (cf + 1) n: the largest such x is the quotient's ceil - 1
    x = ((as_int64(cf) + 1) * n - 1) >> precision
    return x, *interval(x, n, precision)


def _check(n: int, precision: int) -> None:
    """Raises ValueError unless 1 <= n <= 2^precision <= 2^31."""
    if not 1 <= n <= 1 << precision <= 1 << 31:
        raise ValueError(
            f"a uniform distribution needs 1 <= n <= 2^precision <= 2^31; found n {n}, precision "
            f"{precision}"
        )


def uniform(shape: tuple[int, int], n: int) -> Distribution:
    """P(x) = 1 / n on 0..n-1, n <= 2^24, for symbols of this shape.

    A symbol costs exactly log2 n bits if n is a power of two, and otherwise log2 n to within n
    2^-24 bits.

    Examples:
        >>> import numpy as np
        >>> uniform((2, 3), 8).bits(np.zeros((2, 3), np.int64))
        array([9., 9.])
    """
    precision = (n - 1).bit_length() if n & (n - 1) == 0 else UNIFORM_PRECISION
    return factorised(
        lambda x: interval(checked_symbols(x, n), n, precision),
        lambda cf, *_: symbol(cf, n, precision),
        shape,
        precision,
    )
