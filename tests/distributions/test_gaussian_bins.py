"""Bins of a Gaussian: the compiled core pops what the reference finds."""

from __future__ import annotations

import numpy as np
import pytest

from bbans.coding.blocks import pop_block
from bbans.coding.rans import base_message, message_equal, pseudo_random_message
from bbans.distributions import gaussian_bins
from bbans.errors import UnderflowError
from tests.engines import needs_core


def locator(bits: int, interpolated: bool, n: int = 500) -> gaussian_bins.Locator:
    rng = np.random.default_rng(bits)
    top = gaussian_bins.MEAN_LIMIT if interpolated else 300
    mean, sigma = rng.integers(-top, top + 1, n), rng.integers(0, 57, n)
    mean[:2] = -gaussian_bins.MEAN_LIMIT, gaussian_bins.MEAN_LIMIT
    return gaussian_bins.Locator(mean, sigma, bits, interpolated)


@needs_core
@pytest.mark.parametrize("lanes", [1, 7, 64])
@pytest.mark.parametrize("bits", [4, 8, 10, 12])
@pytest.mark.parametrize("interpolated", [False, True])
def test_core_and_reference_pop_the_same(lanes: int, bits: int, interpolated: bool) -> None:
    find = locator(bits, interpolated)
    message = pseudo_random_message((lanes,), 2000, seed=bits)
    rest, bins = pop_block(message, 500, gaussian_bins.PRECISION, find)
    wanted = pop_block(
        message, 500, gaussian_bins.PRECISION, lambda cf, first, last: find(cf, first, last)
    )
    assert np.array_equal(bins, wanted[1]) and message_equal(rest, wanted[0])


def test_a_message_that_is_too_short() -> None:
    find = locator(10, True)
    with pytest.raises(UnderflowError):
        pop_block(base_message((2,)), 500, gaussian_bins.PRECISION, find)
    message = pseudo_random_message((2,), 3, seed=0)
    with pytest.raises(UnderflowError):
        pop_block(message, 500, gaussian_bins.PRECISION, find)
