"""Laws of integer layers: the bound is the true worst case, export respects it, the loader refuses
what breaks it.
"""

import dataclasses

import numpy as np
import pytest

from bbans.errors import AccumulatorBoundError, ModelFormatError
from bbans.exact.layers import FLOAT32_BOUND, IntConv, check_bound, quantise, worst_case

RNG = np.random.default_rng(1)


def random_layer(outputs=5, inputs=4, k=3, scale=0.4):
    weight = RNG.normal(0, scale, (outputs, inputs, k, k))
    return weight, RNG.normal(0, 50, outputs)


def test_worst_case_is_attained_by_the_worst_input():
    weight, bias = random_layer()
    maxima = np.array([1023, 1023, 640, 17])
    (layer,) = quantise([weight], bias, [maxima])
    worst = worst_case([layer], [maxima], 0)
    for o in range(5):
        inputs = (
            np.sign(layer.weight[o].astype(np.int64))
            * maxima[:, None, None]
            * np.sign(layer.bias[o])
        )
        attained = abs((inputs * layer.weight[o].astype(np.int64)).sum() + layer.bias[o])
        assert attained == worst[o]


@pytest.mark.parametrize("residual", [0, 1023])
def test_quantise_takes_the_finest_scale_within_the_bound(residual):
    weight, bias = random_layer(16, 48)
    maxima = np.full(48, 1023)
    (layer,) = quantise([weight], bias, [maxima], residual)
    assert worst_case([layer], [maxima], residual).max() <= FLOAT32_BOUND
    for o in range(16):
        finer = np.abs(np.rint(np.ldexp(weight[o], int(layer.shift[o]) + 1))).sum() * 1023
        finer += abs(np.rint(np.ldexp(bias[o], int(layer.shift[o]) + 1))) + residual * 2 ** (
            int(layer.shift[o]) + 1
        )
        assert finer > FLOAT32_BOUND
    relative = np.abs(
        np.ldexp(layer.weight.astype(float), -layer.shift.astype(int)[:, None, None, None]) - weight
    ).max()
    assert relative <= 0.5 / 2 ** int(layer.shift.min())


def test_carrier_weights_are_exact_in_float32():
    weight, bias = random_layer(16, 48)
    (layer,) = quantise([weight], bias, [np.full(48, 1023)])
    exact = np.ldexp(layer.weight.astype(np.float64), -layer.shift.astype(int)[:, None, None, None])
    assert np.array_equal(layer.carrier_weight(np.float32).astype(np.float64), exact)
    assert np.array_equal(
        layer.carrier_bias(np.float32).astype(np.float64), layer.carrier_bias(np.float64)
    )


def test_check_bound_refuses_one_unit_too_much():
    weight = np.full((1, 1, 1, 1), 2**14, np.int16)
    layer = IntConv(weight, np.zeros(1, np.int32), np.zeros(1, np.int8))
    assert check_bound("x", [layer], [np.array([1024])]) == 1.0
    over = dataclasses.replace(layer, bias=np.ones(1, np.int32))
    with pytest.raises(AccumulatorBoundError, match="layer x"):
        check_bound("x", [over], [np.array([1024])])
    with pytest.raises(AccumulatorBoundError):
        check_bound("x", [layer], [np.array([1024])], residual=1)


def test_check_bound_refuses_malformed_layers():
    layer = IntConv(np.ones((2, 3, 3, 3), np.int16), np.zeros(2, np.int32), np.zeros(2, np.int8))
    for bad in (
        dataclasses.replace(layer, weight=np.ones((2, 3, 2, 2), np.int16)),
        dataclasses.replace(layer, bias=np.zeros(3, np.int32)),
        dataclasses.replace(layer, shift=np.full(2, 25, np.int8)),
        dataclasses.replace(layer, shift=np.full(2, -1, np.int8)),
    ):
        with pytest.raises(ModelFormatError):
            check_bound("x", [bad], [np.full(3, 1)])


def test_quantise_refuses_what_cannot_fit():
    with pytest.raises(AccumulatorBoundError):
        quantise([np.full((1, 1, 1, 1), 2.0**15)], np.zeros(1), [np.array([1])])
