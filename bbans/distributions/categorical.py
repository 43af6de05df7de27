"""F(x) = floor(S(x) (2^24 - K) / S(K)) + x, where S(x) is the sum of the weights below x: any
distribution on K <= 2^16 symbols.

The weights are integers, or come from integer logits l in 1/16 of a bit: w = 2^22 2^((l - max l) /
16), by `tables.exp2_weights` (14 bits, then a shift, so that weights more than 22 bits below the
largest are 0). The term x gives every symbol a frequency of at least 1; these take K 2^-24 of the
mass. All arithmetic is int64, no intermediate exceeds 2^62, and frequencies are out of 2^24.

`interval` and `symbol` compute a row of K weights for each symbol, which suits logits that a
network emits. Where few distributions serve many symbols, `from_weights` computes their CDFs once,
and `table_interval` and `table_symbol` look them up. Functions raise ValueError on wrong shapes, on
symbols out of range, and on weights that are negative, all zero or too large.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bbans.distributions.distribution import Distribution, factorised, one_row, shape_of
from bbans.distributions.inverse_cdf import Ints, as_int64, invert
from bbans.distributions.tables import exp2_weights

PRECISION = 24
MAX_SYMBOLS = 2**16
MAX_MASS = 1 << 38
"""Largest sum of the weights of a row."""
WEIGHT_BITS, TABLE_BITS = 22, 14
CHUNK = 1 << 15  # weights at once: these stay in the second-level cache, and memory is bounded


def weights(logits: Ints) -> Ints:
    """Converts logits to weights, w = 2^22 2^(-d / 16) with d = max l - l, rounded down; both int64
    `(N, K)`, |l| < 2^62.

    Exactly: round(2^14 2^(-(d mod 16) / 16)) 2^8 / 2^(d // 16), rounded down.

    Examples:
        >>> weights(np.array([[0, 16, 32]]))
        array([[1048576, 2097152, 4194304]])
    """
    logits = _rows(logits)
    d = logits.max(1, keepdims=True) - logits
    scaled: Ints = (exp2_weights()[d & 15] << (WEIGHT_BITS - TABLE_BITS)) >> np.minimum(d >> 4, 63)
    return scaled


def from_weights(rows: Ints) -> Ints:
    """Returns the CDF F of each row, int64 `(N, K + 1)` out of 2^24, of weights `(N, K)` that are
    not negative and sum to 1..2^38 in each row.

    Examples:
        >>> from_weights(np.array([[1, 0, 1]]))
        array([[       0,  8388607,  8388608, 16777216]])
    """
    rows = _rows(rows)
    n, k = rows.shape
    if rows.size and rows.min() < 0:
        raise ValueError(f"weights are not negative; found {rows.min()}")
    mass = np.zeros((n, k + 1), np.int64)
    np.cumsum(rows, 1, out=mass[:, 1:])
    # a sum that wrapped round would have passed through a weight or partial sum out of range
    if n and (
        rows.max() > MAX_MASS or mass.min() < 0 or mass[:, -1].min() < 1 or mass.max() > MAX_MASS
    ):
        raise ValueError(
            f"the weights of a row sum to 1..{MAX_MASS}; found {mass[:, -1].min()} to "
            f"{mass[:, -1].max()}"
        )
    cdf: Ints = mass * ((1 << PRECISION) - k) // mass[:, -1:] + np.arange(k + 1)
    return cdf


def interval(logits: Ints, x: Ints) -> tuple[Ints, Ints]:
    """Returns `(start, freq)` of x in 0..K-1, int64 `(N,)` out of 2^24, under logits `(N, K)`.

    Examples:
        >>> [a.tolist() for a in interval(np.array([[0, 0]]), np.array([1]))]
        [[8388608], [8388608]]
    """
    logits, x = _rows(logits), as_int64(x)
    _check_symbols(x, logits.shape[0], logits.shape[1])
    start, freq = np.empty_like(x), np.empty_like(x)
    for part in _chunks(*logits.shape):
        start[part], freq[part] = of_mass(np.cumsum(weights(logits[part]), 1), x[part])
    return start, freq


def symbol(logits: Ints, cf: Ints) -> tuple[Ints, Ints, Ints]:
    """Returns `(x, start, freq)` of the interval that contains cf in [0, 2^24), under logits `(N,
    K)`: the inverse of `interval`.

    Examples:
        >>> symbol(np.array([[0, 0]]), np.array([1 << 23]))[0]
        array([1])
    """
    logits, cf = _rows(logits), as_int64(cf)
    _check_symbols(cf, logits.shape[0], 1 << PRECISION)
    x, start, freq = np.empty_like(cf), np.empty_like(cf), np.empty_like(cf)
    for part in _chunks(*logits.shape):
        mass = np.cumsum(weights(logits[part]), 1)
        x[part], start[part], freq[part] = search(mass, cf[part])
    return x, start, freq


def of_mass(mass: Ints, x: Ints) -> tuple[Ints, Ints]:
    """Returns `(start, freq)` of x from cumulative weights, mass[i, x] = S_i(x + 1), int64 `(N,
    K)`.

    Examples:
        >>> [a.tolist() for a in of_mass(np.array([[1, 2]]), np.array([1]))]
        [[8388608], [8388608]]
    """
    start = _cdf(mass, x)
    return start, _cdf(mass, x + 1) - start


def search(mass: Ints, cf: Ints) -> tuple[Ints, Ints, Ints]:
    """Returns `(x, start, freq)` of the interval that contains cf in [0, 2^24), from cumulative
    weights, mass[i, x] = S_i(x + 1), int64 `(N, K)`.

    Examples:
        >>> search(np.array([[1, 2]]), np.array([1 << 23]))[0]
        array([1])
    """
    return invert(lambda x: _cdf(mass, x), cf, mass.shape[1], 1 << PRECISION)


def table_interval(table: Ints, row: Ints, x: Ints) -> tuple[Ints, Ints]:
    """Returns `(start, freq)` of x under row `row` of a table of CDFs, int64 `(R, K + 1)`; row and
    x are int64 `(N,)`.

    Examples:
        >>> table = from_weights(np.array([[1, 1]]))
        >>> [a.tolist() for a in table_interval(table, np.array([0]), np.array([1]))]
        [[8388608], [8388608]]
    """
    row, x = as_int64(row), as_int64(x)
    _check_symbols(x, len(row), table.shape[1] - 1)
    start = table[row, x]
    return start, table[row, x + 1] - start


def table_symbol(table: Ints, row: Ints, cf: Ints) -> tuple[Ints, Ints, Ints]:
    """Returns `(x, start, freq)` of the interval that contains cf in [0, 2^24), under row `row` of
    a table of CDFs, int64 `(R, K + 1)`.

    Examples:
        >>> table = from_weights(np.array([[1, 1]]))
        >>> table_symbol(table, np.array([0]), np.array([1 << 23]))[0]
        array([1])
    """
    row, cf = as_int64(row), as_int64(cf)
    return invert(lambda x: table[row, x], cf, table.shape[1] - 1, 1 << PRECISION)


def _cdf(mass: Ints, x: Ints) -> Ints:
    """F(x) from cumulative weights, mass[i, x] = S_i(x + 1)."""
    k = mass.shape[1]
    below = np.where(x > 0, mass[np.arange(len(x)), np.maximum(x - 1, 0)], 0)
    cdf: Ints = below * ((1 << PRECISION) - k) // mass[:, -1] + x
    return cdf


def _rows(values: Ints) -> Ints:
    """The array as int64. Raises ValueError unless it is `(N, K)`, 1 <= K <= 2^16."""
    values = as_int64(values)
    if values.ndim != 2 or not 1 <= values.shape[1] <= MAX_SYMBOLS:
        raise ValueError(
            f"expected an array (N, K) with 1 <= K <= {MAX_SYMBOLS}; found {values.shape}"
        )
    return values


def _check_symbols(x: Ints, rows: int, n: int) -> None:
    """Raises ValueError unless x has a value in 0..n-1 for each row."""
    if x.shape != (rows,):
        raise ValueError(f"expected {rows} symbols; found an array {x.shape}")
    if x.size and (x.min() < 0 or x.max() >= n):
        raise ValueError(f"values lie in 0..{n - 1}; found {x.min()} to {x.max()}")


def _chunks(n: int, k: int) -> Iterator[slice]:
    """Slices of rows with about CHUNK weights."""
    step = max(1, CHUNK // k)
    return (slice(first, min(first + step, n)) for first in range(0, n, step))


def categorical(logits: Ints) -> Distribution:
    """P(x) proportional to 2^(logits[x] / 16): symbols 0..K-1 with logits `(items, dims, K)`.

    Examples:
        >>> categorical(np.zeros((1, 1, 4), np.int64)).bits(np.array([[2]])).round(3)
        array([2.])
    """
    shape = shape_of(logits[..., 0])
    l = as_int64(logits).reshape(-1, logits.shape[-1])
    return factorised(
        lambda x: interval(l, x),
        lambda cf, first, last: symbol(l[first:last], as_int64(cf)),
        shape,
        PRECISION,
    )


def lookup(table: Ints, rows: Ints) -> Distribution:
    """Categorical symbols 0..K-1 whose distributions are rows of a table: symbol (i, d) has the CDF
    `table[rows[i, d]]`.

    `table` is int64 `(R, K + 1)`, as `categorical.from_weights` returns it; `rows` is int64
    `(items, dims)`.

    Examples:
        >>> table = from_weights(np.array([[1, 1, 2]]))
        >>> lookup(table, np.array([[0, 0]])).bits(np.array([[0, 2]])).round(3)
        array([3.])
    """
    shape, r = shape_of(rows), one_row(rows)
    return factorised(
        lambda x: table_interval(table, r, x),
        lambda cf, first, last: table_symbol(table, r[first:last], as_int64(cf)),
        shape,
        PRECISION,
    )
