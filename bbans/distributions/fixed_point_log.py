"""-log2(f / 2^p) and 2^-l in integers: code lengths that a coder may decide by, and the weights
that they are the logarithms of.

Lengths are in units of 2^-28 bit. f = 2^e (1 + m): log2(1 + m) comes from a table of 2^12 steps,
linear between them, and lies at most 1.1e-8 below the logarithm, with the rounding of table and
product 1.8e-8. A sum over 10,000 symbols is off by 2e-4 bit at most, and weights, which see
differences, by less. Nothing here uses a float. Arrays are int64.
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
"""Weights of a row sum to 2^38 at most, which is what `categorical` takes."""
WEIGHT_BITS = 22  # of a weight in the table


def code_lengths(freqs: Ints, precision: int) -> Ints:
    """-log2(freq / 2^precision) in units, of freqs 1..2^31; any shape. Raises ValueError."""
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
    found: Ints = (
        (precision << UNIT_BITS)
        - (exponent << UNIT_BITS)
        - lower
        - ((upper - lower) * rest >> rest_bits)
    )
    return found


def weights(lengths: Ints) -> Ints:
    """2^(s - (l - min l)) of lengths l `(N, K)` in units, floored, s = 38 - ceil(log2 K): rows for
    `categorical.from_weights`.

    2^-d is linear between the entries of a table of 2^(-j / 256), which is off by 1.2e-6 of itself.
    Raises ValueError.
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
    found: Ints = fraction >> np.minimum((d >> UNIT_BITS) + shift, 63)
    return found
