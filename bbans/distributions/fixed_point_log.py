"""l = -log2(f / 2^p) and w = 2^-l in integers: code lengths on which a coder may base decisions,
since they are equal on every machine, and the weights that belong to them.

Code lengths are int64 in units of 2^-28 bit. For f = 2^e (1 + m), log2(1 + m) is interpolated
linearly in a table of 2^12 steps. It lies below the logarithm by at most 1.1e-8, and with the
rounding of table and product by 1.8e-8: a sum over 10,000 symbols is off by 2e-4 bit at most, and
weights, which depend on differences, by less. Nothing here uses a float.
"""

from __future__ import annotations

import numpy as np

from bbans.distributions.inverse_cdf import Ints, as_int64
from bbans.distributions.tables import exp2_fractions, log2_mantissas

UNIT_BITS = 28
UNIT = 1 << UNIT_BITS
MAX_LOG = 31  # frequencies are 1..2^31
STEP_BITS = 12
MASS_BITS = 38
"""log2 of the largest sum of a row of weights, which is that of `categorical`."""
WEIGHT_BITS = 22  # precision of the entries of `exp2_fractions`


def code_lengths(freqs: Ints, precision: int) -> Ints:
    """Returns -log2(freq / 2^precision) in units of 2^-28 bit, int64, for frequencies 1..2^31 of
    any shape.

    Raises ValueError on other frequencies.

    Examples:
        >>> code_lengths(np.array([1, 4]), precision=4) / UNIT
        array([4., 2.])
    """
    f = as_int64(freqs)
    if f.size and (f.min() < 1 or f.max() > 1 << MAX_LOG):
        raise ValueError(f"frequencies are 1..2^{MAX_LOG}; found {f.min()} to {f.max()}")
    exponent = np.searchsorted(np.int64(1) << np.arange(1, MAX_LOG + 1), f, side="right")
    mantissa = (f << (MAX_LOG - exponent)) - (1 << MAX_LOG)
    rest_bits = MAX_LOG - STEP_BITS
    step, rest = mantissa >> rest_bits, mantissa & ((1 << rest_bits) - 1)
    table = log2_mantissas()
    lower = table[step]
    upper = table[np.minimum(step + 1, 1 << STEP_BITS)]
    lengths: Ints = (
        (precision << UNIT_BITS)
        - (exponent << UNIT_BITS)
        - lower
        - ((upper - lower) * rest >> rest_bits)
    )
    return lengths


def weights(lengths: Ints) -> Ints:
    """w = 2^(s - (l - min l)), rounded down, s = 38 - ceil(log2 K): converts code lengths l `(N,
    K)` in units of 2^-28 bit to rows of weights for `categorical.from_weights`.

    2^-d is interpolated linearly in a table of 2^(-j / 256), with a relative error of 1.2e-6.
    Raises ValueError on arrays of other shapes.

    Examples:
        >>> weights(UNIT * np.array([[3, 4]])) / 2**37
        array([[1. , 0.5]])
    """
    l = as_int64(lengths)
    if l.ndim != 2 or l.shape[1] < 1:
        raise ValueError(f"expected lengths (N, K); found an array {l.shape}")
    d = l - l.min(1, keepdims=True)
    inner = UNIT_BITS - 8
    table = np.append(exp2_fractions(), np.int64(1 << (WEIGHT_BITS - 1)))
    step, rest = (d >> inner) & 255, d & ((1 << inner) - 1)
    fraction = (table[step] << inner) - (table[step] - table[step + 1]) * rest
    shift = WEIGHT_BITS + inner - MASS_BITS + (l.shape[1] - 1).bit_length()
    powers: Ints = fraction >> np.minimum((d >> UNIT_BITS) + shift, 63)
    return powers
