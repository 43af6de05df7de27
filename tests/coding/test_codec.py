from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np
import pytest

from bbans.coding.codec import (
    Codec,
    bijection,
    dependent,
    parallel,
    repeat,
    serial,
    substack,
    uniform,
)
from bbans.coding.rans import pseudo_random_message
from bbans.distributions import gaussian_bins
from tests import logistic
from tests.laws import check_bits, check_bits_back, check_codec
from tests.meter import Meter, interval_bits

MESSAGE = pseudo_random_message((6,), 100, seed=10)
RNG = np.random.default_rng(0)


def symbols(bits: int, shape: Any = 6) -> np.ndarray:
    return RNG.integers(0, 1 << bits, shape).astype(np.uint64)


def chain() -> Generator[Codec, Any, None]:
    """The number of bits of the second symbol is the first, and a third comes only if the first is
    large.
    """
    first = yield uniform(4)
    _ = yield uniform(int(first[0]) + 1)
    if first[0] > 7:
        yield uniform(2)


@pytest.mark.parametrize(
    ("codec", "symbol", "bits"),
    [
        (uniform(12), symbols(12), 72),
        (repeat(uniform(7), 9), [symbols(7) for _ in range(9)], 378),
        (serial([uniform(3), uniform(20)]), [symbols(3), symbols(20)], 138),
        (serial([]), [], 0),
        (dependent(chain), [np.full(6, 3, np.uint64), symbols(4)], 48),
        (dependent(chain), [np.full(6, 9, np.uint64), symbols(10), symbols(2)], 96),
        (substack(uniform(5), slice(1, 4)), symbols(5, 3), 15),
        (
            substack(uniform(5), np.array([True, False, True, True, False, False])),
            symbols(5, 3),
            15,
        ),
        (
            parallel([uniform(5), uniform(9)], [slice(0, 2), slice(2, 6)]),
            [symbols(5, 2), symbols(9, 4)],
            46,
        ),
        (
            bijection(uniform(8), lambda y: y ^ np.uint64(255), lambda x: x ^ np.uint64(255)),
            symbols(8),
            48,
        ),
    ],
)
def test_combinators(codec: Codec, symbol: Any, bits: float) -> None:
    check_bits(MESSAGE, check_codec(codec, MESSAGE, symbol), bits, 20, 54)
    check_bits_back(codec, MESSAGE)


@pytest.mark.parametrize("count", [1, 3])
def test_dependent_refuses_another_number_of_symbols(count: int) -> None:
    with pytest.raises(ValueError, match="zip"):
        dependent(chain).push(MESSAGE, [np.full(6, 3, np.uint64), symbols(4), symbols(4)][:count])


def test_interval_codec_and_meter() -> None:
    meter = Meter()
    location, scale = np.arange(6) * 1000, np.arange(6) * 20
    codec = meter.interval_codec(
        "pixels",
        lambda x: logistic.interval(location, scale, x),
        lambda cf: logistic.symbol(location, scale, cf),
        22,
    )
    x = np.array([0, 31, 62, 100, 130, 255])
    (pushed,) = codec.push(MESSAGE, x)
    expected = interval_bits(logistic.interval(location, scale, x)[1], 22)
    assert meter.terms == {"pixels": expected}
    check_bits(MESSAGE, pushed, expected, 22, 6)
    codec.pop(pushed)
    assert meter.total == 0
    check_codec(codec, MESSAGE, x)


def test_bits_back_account() -> None:
    """prior + likelihood - posterior is what the message grows by, and the decoder's account is its
    negative.
    """
    meter = Meter()
    mean, sigma, P = np.zeros(6, np.int64), np.full(6, 32), 8
    q = meter.interval_codec(
        "posterior",
        lambda i: gaussian_bins.interval(mean, sigma, P, i),
        lambda cf: gaussian_bins.symbol(mean, sigma, P, cf),
        24,
    )
    prior, likelihood = uniform(P, meter.term("prior")), meter.growth("likelihood", uniform(20))
    x = symbols(20)
    message, z = q.pop(MESSAGE)
    (message,) = likelihood.push(message, x)
    (message,) = prior.push(message, z.astype(np.uint64))
    account = dict(meter.terms)
    assert list(account) == ["posterior", "likelihood", "prior"]
    assert account["prior"] == 48 and account["posterior"] < 0
    check_bits(MESSAGE, message, meter.total, 24, 18)
    message, z = prior.pop(message)
    message, found = likelihood.pop(message)
    (message,) = q.push(message, z.astype(np.int64))
    assert np.array_equal(found, x)
    assert abs(meter.total) < 1e-9


def test_interval_bits() -> None:
    assert interval_bits(np.array([1, 2, 4]), 3) == 6
    assert interval_bits(1, np.array([3, 4])) == 7
    assert interval_bits(np.zeros(0, np.int64), 22) == 0
