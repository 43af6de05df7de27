"""y_o = 2^(-shift_o) * (sum_i W_oi a_i + b_o): integer convolutions, with integers W, a and b.

For each output channel, `quantise` selects the finest power of two for which the worst-case sum sum
|W_oi| max|a_i| + |b_o| + 2^shift_o max|residual| stays within 2^24, so that every exported layer is
exact in float32. Multiplication by a power of two is exact in binary floating point, so 2^-shift is
folded into the weights (`carrier_weight`). Wide models are the same within 2^53 in float64, with
16-bit weights and activations, so that a trained model need not be retrained.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bbans.errors import AccumulatorBoundError, ModelFormatError

FLOAT32_BOUND = 2**24
FLOAT64_BOUND = 2**53
MAX_SHIFT = 24
MAX_WEIGHT = 2**15 - 1
MAX_BIAS = 2**31 - 1

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class IntConv:
    """A k x k convolution (k odd, zero padding k // 2) of integer activations.

    `weight`: int16 `(O, I, k, k)`. `bias`: int32 `(O,)` or `(levels, O)`. `shift`: int8 `(O,)`.
    """

    weight: NDArray[np.int16]
    bias: NDArray[np.int32]
    shift: NDArray[np.int8]

    def carrier_weight(self, dtype: type[np.floating]) -> NDArray[np.floating]:
        """Returns the weights times 2^-shift as floats of this type: exact, because |W| < 2^15 and
        shift <= 24.
        """
        return np.ldexp(
            self.weight.astype(dtype), -self.shift.astype(np.int32)[:, None, None, None]
        ).astype(dtype)

    def carrier_bias(self, dtype: type[np.floating]) -> NDArray[np.floating]:
        """Returns the biases times 2^-shift as floats of this type: exact in float32 for |b| <
        2^24, in float64 always.
        """
        return np.ldexp(self.bias.astype(dtype), -self.shift.astype(np.int32)).astype(dtype)


@dataclass(frozen=True)
class Accumulator:
    """The layers whose outputs are added up, by name, with the range of everything that is added.

    `maxima`: for each layer the largest |activation| of each input channel. `residual`: the largest
    |value| that is added at output scale. `shape`: the number of outputs and the side of the kernel
    that each layer must have, with one row of biases; or the number of outputs and the side for
    each layer; None if it is not checked.
    """

    layers: tuple[str, ...]
    maxima: tuple[NDArray[np.int64], ...]
    residual: int = 0
    shape: tuple[int, ...] | None = None


def worst_case(layers: list[IntConv], maxima: list[Ints], residual: int) -> Ints:
    """Returns the largest possible |partial sum| of each output channel, int64 `(O,)` in units of
    2^-shift, of layers that are added up.

    `maxima`: for each layer the largest |activation| of each input channel. `residual`: the largest
    |value| that is added at output scale.

    Examples:
        >>> (layer,) = quantise([np.ones((1, 1, 1, 1))], np.zeros(1), [np.array([255])])
        >>> worst_case([layer], [np.array([255])], 0) / 2.0 ** layer.shift
        array([255.])
    """
    total: Ints = np.abs(layers[0].bias.astype(np.int64)).reshape(-1, len(layers[0].shift)).max(0)
    for layer, maximum in zip(layers, maxima, strict=True):
        total = total + (np.abs(layer.weight.astype(np.int64)).sum((2, 3)) * maximum).sum(1)
        total = total + (
            np.abs(layer.bias.astype(np.int64)).reshape(-1, len(layer.shift)).max(0)
            if layer is not layers[0]
            else 0
        )
    total = total + (np.int64(residual) << layers[0].shift.astype(np.int64))
    return total


def check_bound(
    name: str,
    layers: list[IntConv],
    maxima: list[Ints],
    residual: int = 0,
    bound: int = FLOAT32_BOUND,
) -> float:
    """Raises AccumulatorBoundError if the sums of layers that are added up could exceed `bound`;
    returns the largest possible sum as a fraction of it.

    Raises ModelFormatError if the shapes or shifts of the layers do not agree.

    Examples:
        >>> (layer,) = quantise([np.ones((1, 1, 1, 1))], np.zeros(1), [np.array([255])])
        >>> check_bound("x", [layer], [np.array([255])]) <= 1
        True
    """
    for layer, maximum in zip(layers, maxima, strict=True):
        outputs, inputs, rows, columns = layer.weight.shape
        if (
            inputs != len(maximum)
            or rows != columns
            or rows % 2 == 0
            or layer.bias.shape[-1] != outputs
            or layer.shift.shape != (outputs,)
        ):
            raise ModelFormatError(
                f"layer {name}: weight {layer.weight.shape} does not fit {len(maximum)} inputs; "
                "the model file is malformed"
            )
        if (
            not np.array_equal(layer.shift, layers[0].shift)
            or layer.shift.min() < 0
            or layer.shift.max() > MAX_SHIFT
        ):
            raise ModelFormatError(
                f"layer {name}: shifts must be equal across summed layers and in 0..{MAX_SHIFT}; "
                "the model file is malformed"
            )
    largest = int(worst_case(layers, maxima, residual).max())
    if largest > bound:
        raise AccumulatorBoundError(
            f"layer {name}: a sum could reach {largest}, over {bound}; export the model again "
            "with coarser weights"
        )
    return largest / bound


def check_accumulators(
    expected: Mapping[str, Accumulator], layers: Mapping[str, IntConv], bound: int = FLOAT32_BOUND
) -> float:
    """Checks all layers of a model against the accumulators of its config; returns the largest
    possible sum as a fraction of `bound`.

    Raises ModelFormatError on layers that are missing, unknown or of the wrong shape, and
    AccumulatorBoundError on sums that could exceed the bound.

    Examples:
        >>> layers = quantise([np.ones((1, 1, 1, 1))], np.zeros(1), [np.array([255])])
        >>> sums = {"y": Accumulator(("x",), (np.array([255]),), shape=(1, 1))}
        >>> check_accumulators(sums, {"x": layers[0]}) <= 1
        True
    """
    names = {name for a in expected.values() for name in a.layers}
    if names != set(layers):
        raise ModelFormatError(
            f"the model's layers differ from its config's: {sorted(names ^ set(layers))[:4]}; the "
            "model file is malformed"
        )
    for accumulator in expected.values():
        _check_shapes(accumulator, layers)
    return max(
        check_bound(key, [layers[n] for n in a.layers], list(a.maxima), a.residual, bound)
        for key, a in expected.items()
    )


def _check_shapes(accumulator: Accumulator, layers: Mapping[str, IntConv]) -> None:
    """Raises ModelFormatError on layers that have not the shape of their accumulator."""
    if accumulator.shape is None:
        return
    outputs, *sides = accumulator.shape
    for name, side in zip(
        accumulator.layers, sides * (len(accumulator.layers) if len(sides) == 1 else 1), strict=True
    ):
        layer = layers[name]
        actual = layer.weight.shape[0], *layer.weight.shape[2:], *layer.bias.shape
        if actual != (outputs, side, side, outputs):
            raise ModelFormatError(
                f"layer {name}: weight {layer.weight.shape} and bias {layer.bias.shape} are not "
                f"those of {outputs} outputs and a "
                f"kernel of {side} x {side}; the model file is malformed"
            )


def quantise(
    weights: list[NDArray[np.float64]],
    bias: NDArray[np.float64],
    maxima: list[Ints],
    residual: int = 0,
    bound: int = FLOAT32_BOUND,
) -> list[IntConv]:
    """Rounds real weights of layers that are added up, in units of integer activations, to integers
    whose sums stay within `bound`.

    `weights`: `(O, I_n, k_n, k_n)` for each layer. `bias`: `(O,)` or `(levels, O)`, which the first
    layer gets; the others get zeros. Raises AccumulatorBoundError if an output channel does not
    fit.

    Examples:
        >>> (layer,) = quantise([np.full((1, 1, 1, 1), 0.3)], np.zeros(1), [np.array([255])])
        >>> layer.weight.ravel(), layer.shift
        (array([19661], dtype=int16), array([16], dtype=int8))
    """
    outputs = weights[0].shape[0]
    shifts = np.zeros(outputs, np.int8)
    for o in range(outputs):
        for shift in range(MAX_SHIFT, -1, -1):
            if _fits([w[o] for w in weights], bias[..., o], maxima, residual, shift, bound):
                shifts[o] = shift
                break
        else:
            raise AccumulatorBoundError(
                f"output channel {o} does not fit {bound} even with integer weights; train with "
                "smaller weights"
            )
    scale = np.ldexp(1.0, shifts.astype(np.int32))
    layers = []
    for n, w in enumerate(weights):
        b = np.rint(bias * scale) if n == 0 else np.zeros(outputs)
        layers.append(
            IntConv(
                np.rint(w * scale[:, None, None, None]).astype(np.int16), b.astype(np.int32), shifts
            )
        )
    return layers


def _fits(
    weights: list[NDArray[np.float64]],
    bias: NDArray[np.float64],
    maxima: list[Ints],
    residual: int,
    shift: int,
    bound: int,
) -> bool:
    """Whether an output channel with this shift keeps the bounds of sums, weights and bias."""
    largest_bias = np.abs(np.rint(np.ldexp(bias, shift))).max()
    if largest_bias > MAX_BIAS:
        return False
    total = largest_bias + residual * 2.0**shift
    for w, maximum in zip(weights, maxima, strict=True):
        integer = np.abs(np.rint(np.ldexp(w, shift)))
        if integer.max() > MAX_WEIGHT:
            return False
        total += (integer.sum((1, 2)) * maximum).sum()
    return bool(total <= bound)
