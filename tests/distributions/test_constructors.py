"""Every builder's conditional keeps the laws of a codec, and its bits are what the message grows
by.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from bbans.coding.codec import Codec
from bbans.coding.rans import base_message, pseudo_random_message
from bbans.distributions import (
    bernoulli,
    beta_binomial,
    categorical,
    gaussian_bins,
    mixture,
    normal_cells,
    uniform,
)
from bbans.distributions.distribution import Distribution
from bbans.distributions.tables import standard_normal_bins
from tests.laws import check_bits, check_bits_back, check_codec

SHAPE = (7, 5)
RNG = np.random.default_rng(1)
WEIGHTS = np.array([2**15, 2**14, 2**14])


def draws(low: int, high: int, *last: int) -> np.ndarray:
    return RNG.integers(low, high, (*SHAPE, *last))


CASES: dict[str, tuple[Callable[[], Distribution], int, int]] = {
    "uniform 7": (lambda: uniform.uniform(SHAPE, 7), 7, 24),
    "uniform 512": (lambda: uniform.uniform(SHAPE, 512), 512, 9),
    "uniform 1": (lambda: uniform.uniform(SHAPE, 1), 1, 0),
    "standard normal": (lambda: gaussian_bins.standard_normal(SHAPE, 10), 1024, 10),
    "gaussian": (lambda: gaussian_bins.gaussian(draws(-300, 300), draws(20, 57), 10), 1024, 24),
    "bernoulli": (lambda: bernoulli.bernoulli(draws(-300, 300)), 2, 24),
    "categorical": (lambda: categorical.categorical(draws(-100, 100, 11)), 11, 24),
    "lookup": (
        lambda: categorical.lookup(categorical.from_weights(draws(1, 99, 6)[0]), draws(0, 5)),
        6,
        24,
    ),
    "beta-binomial": (lambda: beta_binomial.beta_binomial(draws(80, 250), draws(80, 250)), 256, 24),
    "mixture": (
        lambda: mixture.logistic_mixture(
            np.broadcast_to(WEIGHTS, (*SHAPE, 3)), draws(0, 8000, 3), draws(40, 120, 3)
        ),
        256,
        22,
    ),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("lanes", [1, 8, 64])
def test_conditionals(name: str, lanes: int) -> None:
    build, n, precision = CASES[name]
    conditional = build()
    x = RNG.integers(0, n, SHAPE)
    message = pseudo_random_message((lanes,), 64, 5)
    codec = Codec(conditional.push, conditional.pop)
    bits = conditional.bits(x)
    assert bits.shape == SHAPE[:1] and bits.dtype == np.float64
    check_bits(
        message, check_codec(codec, message, x), float(bits.sum()), max(precision, 20), x.size
    )
    check_bits_back(codec, message)


@pytest.mark.parametrize("name", [name for name in CASES if name not in ("uniform 1",)])
def test_symbols_out_of_range_are_refused(name: str) -> None:
    build, n, _ = CASES[name]
    with pytest.raises(ValueError):
        build().bits(np.full(SHAPE, n))
    with pytest.raises(ValueError, match="symbols"):
        build().bits(np.zeros((7, 4), int))


STEPS = np.array([2**14, 200, 77, 30, 600])


@pytest.mark.parametrize("lanes", [1, 8])
def test_cells(lanes: int) -> None:
    """Even cells of the prior: what one costs is the share of its bins, and the one that holds
    everything costs nothing.
    """
    conditional = normal_cells.cells(7, STEPS, 10)
    x = normal_cells.cell_of(draws(-250, 250), STEPS)
    message = pseudo_random_message((lanes,), 64, 5)
    codec = Codec(conditional.push, conditional.pop)
    check_bits(
        message, check_codec(codec, message, x), float(conditional.bits(x).sum()), 20, x.size
    )
    check_bits_back(codec, message)
    assert conditional.symbol_bits is not None and not conditional.symbol_bits(x)[:, 0].any()
    middle = conditional.symbol_bits(np.zeros(SHAPE, np.int64))[0, 1:]
    expected = [-np.log2(math.erf(step / 256 / math.sqrt(2))) for step in STEPS[1:]]
    assert np.abs(middle - expected).max() < 0.02
    for wrong in (1, 50, -50):
        with pytest.raises(ValueError, match="beyond the outermost"):
            conditional.bits(np.full(SHAPE, wrong))


@pytest.mark.parametrize("step", [1, 2, 7, 64, 215, 2**14])
@pytest.mark.parametrize("precision", [4, 10, 12])
def test_cells_divide_the_bins(step: int, precision: int) -> None:
    """Every bin is in one cell, and the bin in the middle of a cell is one of its own."""
    cf = np.arange(1 << precision)
    steps = np.full(cf.shape, step)
    cell, start, freq = normal_cells.symbol(cf, steps, precision)
    assert (start <= cf).all() and (cf < start + freq).all() and (np.diff(cell) >= 0).all()
    first = np.unique(cell, return_index=True)[1]
    assert np.array_equal(start[first], first) and freq[first].sum() == 1 << precision
    assert all(
        np.array_equal(a, b)
        for a, b in zip(normal_cells.interval(cell, steps, precision), (start, freq), strict=True)
    )
    centre, medians = (
        normal_cells.centre(cell, steps, precision),
        standard_normal_bins(precision)[1],
    )
    assert np.array_equal(normal_cells.cell_of(medians[centre], steps), cell)
    u = np.arange(-600, 600)
    assert np.array_equal(
        np.abs(u - medians[normal_cells.bin_at(u, precision)]), np.abs(u[:, None] - medians).min(1)
    )


def test_powers_of_two_cost_whole_bits() -> None:
    assert uniform.uniform(SHAPE, 512).bits(draws(0, 512)).tolist() == [45.0] * 7
    assert gaussian_bins.standard_normal(SHAPE, 12).bits(draws(0, 4096)).tolist() == [60.0] * 7


def test_parameters_need_items_and_dims() -> None:
    with pytest.raises(ValueError, match=r"\(items, dims\)"):
        bernoulli.bernoulli(np.zeros(3, int))


@pytest.mark.parametrize("bits", [1, 4, 12])
def test_reversed_bits_are_their_own_inverse(bits):
    turned = gaussian_bins.reversed_bits(bits)
    assert np.array_equal(turned[turned], np.arange(1 << bits))
    assert turned[1] == 1 << (bits - 1)


def test_a_narrow_posterior_leaves_clean_bits():
    """What the prior pushes last decides the next pop's quantile: uniform to 3 % although the
    latents fill a quarter of the prior.
    """
    shape, p = (1, 5000), 12
    q = gaussian_bins.gaussian(np.full(shape, 20), np.full(shape, 16), p)  # sigma 2^-4
    _, z = q.pop(pseudo_random_message((64,), 20_000, 1))
    assert np.ptp(z) < (1 << p) // 4
    (message,) = gaussian_bins.standard_normal(shape, p).push(base_message((1,)), z)
    _, cf = uniform.uniform(shape, 1 << p).pop(message)
    assert np.abs(np.bincount(cf.reshape(-1) >> (p - 2)) / z.size - 0.25).max() < 0.03
