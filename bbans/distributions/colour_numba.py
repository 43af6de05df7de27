"""The loops of `colour`, compiled by numba: they compute the same integers one pixel at a time,
from the network's outputs.

`colour` has checked the arguments: scale indices and values are in range, so that no table is read
out of bounds. The loops share no function that takes arrays, because each call would count
references to them, which costs more than its arithmetic.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bbans.distributions.inverse_cdf import Ints
from bbans.distributions.mixture_numba import (
    FINER,
    MASS_BITS,
    ONE,
    PRECISION,
    WEIGHT_BITS,
    compiled,
    logistic_cdf,
)

Outputs = NDArray[np.int16]
Narrow = NDArray[np.int32]
LOCATION_TOP = 2**15

_MODEL = "Array(int16, 2, 'C', readonly=True), Array(int32, 2, 'C', readonly=True)"
_VALUES = "Array(int64, 2, 'C', readonly=True)"
_TABLE = "Array(int64, 1, 'C', readonly=True)"
_TABLES = ", ".join([_TABLE] * 5)
_MATRIX, _NARROW = "int64[:,::1]", "int32[:,::1]"


@compiled(f"void({_MODEL}, {_VALUES}, {_TABLES}, {_MATRIX}, {_MATRIX})")
def intervals(
    outputs: Outputs,
    sums: Narrow,
    x: Ints,
    centres: Ints,
    boundaries: Ints,
    table: Ints,
    inverse: Ints,
    exp2: Ints,
    starts: Ints,
    freqs: Ints,
) -> None:
    """Computes `colour.intervals` into `starts` and `freqs`."""
    K, channels, n = outputs.shape[1] // 10, x.shape[1], boundaries.shape[0] - 1
    span = (1 << PRECISION) - n
    weights, raw, red, green = (
        np.empty(K, np.int64),
        np.empty(K, np.int64),
        np.empty(K, np.int64),
        np.empty(K, np.int64),
    )
    for i in range(outputs.shape[0]):
        row = outputs[i]
        top = np.int64(row[0])
        for k in range(1, K):
            top = max(top, np.int64(row[k]))
        for k in range(K):
            raw[k] = exp2[min(top - row[k], 255)]
        for c in range(channels):
            total = largest = 0
            for k in range(K):
                total += raw[k]
                if raw[k] > raw[largest]:
                    largest = k
            remainder = 1 << WEIGHT_BITS
            for k in range(K):
                share = (raw[k] << WEIGHT_BITS) // total
                weights[k] = share
                remainder -= share
            weights[largest] += remainder
            value, centre = x[i, c], 8 * np.int64(sums[i, c])
            begin, end, error = boundaries[value], boundaries[value + 1], centres[value] - centre
            low = high = 0
            for k in range(K):
                relative, coupling = np.int64(row[K * (1 + c) + k]), 0
                if c == 0:
                    red[k] = error - relative
                elif c == 1:
                    coupling = (row[7 * K + k] * red[k]) >> 6
                    green[k] = error - relative
                else:
                    coupling = (row[8 * K + k] * red[k] + row[9 * K + k] * green[k]) >> 6
                location = (
                    min(max(centre + relative + coupling, -LOCATION_TOP), LOCATION_TOP) << FINER
                )
                scale = inverse[row[K * (4 + c) + k]]
                lower = logistic_cdf(table, begin - location, scale) if value > 0 else 0
                upper = logistic_cdf(table, end - location, scale) if value + 1 != n else ONE
                low += weights[k] * lower
                high += weights[k] * upper
                raw[k] = weights[k] * max(upper - lower, 1)
            start = ((low * span) >> MASS_BITS) + value
            starts[c, i] = start
            freqs[c, i] = ((high * span) >> MASS_BITS) + value + 1 - start


@compiled(f"void({_MODEL}, {_VALUES}, {_TABLES}, int64, {_NARROW}, {_NARROW}, {_NARROW})")
def open_channel(
    outputs: Outputs,
    sums: Narrow,
    x: Ints,
    centres: Ints,
    boundaries: Ints,
    table: Ints,
    inverse: Ints,
    exp2: Ints,
    c: int,
    weights: Narrow,
    locations: Narrow,
    scales: Narrow,
) -> None:
    """Computes `colour.open_channel` into `weights`, `locations` and `scales`, which contain the
    arrays of the channel before.
    """
    K, n = weights.shape[1], boundaries.shape[0] - 1
    raw = np.empty(K, np.int64)
    for i in range(outputs.shape[0]):
        row = outputs[i]
        if c == 0:
            top = np.int64(row[0])
            for k in range(1, K):
                top = max(top, np.int64(row[k]))
            for k in range(K):
                raw[k] = exp2[min(top - row[k], 255)]
        else:
            value = x[i, c - 1]
            begin, end = boundaries[value], boundaries[value + 1]
            for k in range(K):
                location, scale = np.int64(locations[i, k]) << FINER, inverse[scales[i, k]]
                lower = logistic_cdf(table, begin - location, scale) if value > 0 else 0
                upper = logistic_cdf(table, end - location, scale) if value + 1 != n else ONE
                raw[k] = np.int64(weights[i, k]) * max(upper - lower, 1)
        total = largest = 0
        for k in range(K):
            total += raw[k]
            if raw[k] > raw[largest]:
                largest = k
        remainder = 1 << WEIGHT_BITS
        for k in range(K):
            share = (raw[k] << WEIGHT_BITS) // total
            weights[i, k] = share
            remainder -= share
        weights[i, largest] += remainder
        centre, red, green = 8 * np.int64(sums[i, c]), 0, 0
        if c > 0:
            red = centres[x[i, 0]] - 8 * np.int64(sums[i, 0])
        if c > 1:
            green = centres[x[i, 1]] - 8 * np.int64(sums[i, 1])
        for k in range(K):
            location = centre + row[K * (1 + c) + k]
            if c == 1:
                location += (row[7 * K + k] * (red - row[K + k])) >> 6
            elif c == 2:
                location += (
                    row[8 * K + k] * (red - row[K + k]) + row[9 * K + k] * (green - row[2 * K + k])
                ) >> 6
            locations[i, k] = min(max(location, -LOCATION_TOP), LOCATION_TOP)
            scales[i, k] = row[K * (4 + c) + k]
