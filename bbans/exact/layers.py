"""Integer convolutions: y_o = 2^(-shift_o) * (sum_i W_oi a_i + b_o), with W, a, b integers.

`quantise` picks per output channel the finest power of two whose worst-case sum sum |W_oi| max|a_i|
+ |b_o| + 2^shift_o max|residual| stays within 2^24, so every exported layer is exact in float32.
Power-of-two rescaling is exact in binary floating point, hence it is folded into the weights
(`carrier_weight`). Wide models do the same within 2^53 on the float64 carrier: 16-bit weights and
activations, so that nothing need be retrained.
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
    """A k x k convolution (k odd, zero padding k // 2) on integer activations.

    weight int16 `(O, I, k, k)`, bias int32 `(O,)` or `(levels, O)`, shift int8 `(O,)`.
    """

    weight: NDArray[np.int16]
    bias: NDArray[np.int32]
    shift: NDArray[np.int8]

    def carrier_weight(self, dtype: type[np.floating]) -> NDArray[np.floating]:
        """Weights times 2^-shift; exact, because |W| < 2^15 and shift <= 24."""
        return np.ldexp(
            self.weight.astype(dtype), -self.shift.astype(np.int32)[:, None, None, None]
        ).astype(dtype)

    def carrier_bias(self, dtype: type[np.floating]) -> NDArray[np.floating]:
        """Biases times 2^-shift, exact for |b| < 2^24 (in float64 always)."""
        return np.ldexp(self.bias.astype(dtype), -self.shift.astype(np.int32)).astype(dtype)


@dataclass(frozen=True)
class Accumulator:
    """Layers summed into one accumulator, what feeds them and what is added at output scale.

    `shape`: outputs and kernel side that each of the layers must have, with one row of biases,
    where that is known; or outputs and the sides one after the other.
    """

    layers: tuple[str, ...]
    maxima: tuple[NDArray[np.int64], ...]
    residual: int = 0
    shape: tuple[int, ...] | None = None


def worst_case(layers: list[IntConv], maxima: list[Ints], residual: int) -> Ints:
    """Largest possible |partial sum| per output channel, in units of 2^-shift, of layers summed
    into one accumulator.

    maxima: per layer the largest |activation| of each input channel; residual: the largest |value|
    added at output scale.
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
    """Refuse layers whose sums could pass the bound; returns the largest sum as a fraction of it.

    Raises AccumulatorBoundError, or ModelFormatError when shapes or shifts do not fit together.
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
    wanted: Mapping[str, Accumulator], layers: Mapping[str, IntConv], bound: int = FLOAT32_BOUND
) -> float:
    """Refuse layers that are missing, misshapen or inexact; returns the largest sum as a fraction
    of the bound.
    """
    names = {name for a in wanted.values() for name in a.layers}
    if names != set(layers):
        raise ModelFormatError(
            f"the model's layers differ from its config's: {sorted(names ^ set(layers))[:4]}; the "
            "model file is malformed"
        )
    for accumulator in wanted.values():
        _check_shapes(accumulator, layers)
    return max(
        check_bound(key, [layers[n] for n in a.layers], list(a.maxima), a.residual, bound)
        for key, a in wanted.items()
    )


def _check_shapes(accumulator: Accumulator, layers: Mapping[str, IntConv]) -> None:
    if accumulator.shape is None:
        return
    outputs, *sides = accumulator.shape
    for name, side in zip(
        accumulator.layers, sides * (len(accumulator.layers) if len(sides) == 1 else 1), strict=True
    ):
        layer = layers[name]
        found = layer.weight.shape[0], *layer.weight.shape[2:], *layer.bias.shape
        if found != (outputs, side, side, outputs):
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
    """Round real weights (in units of integer activations) that sum into one accumulator to
    integers within the bound.

    weights `(O, I_n, k_n, k_n)` each; bias `(O,)` or `(levels, O)` goes to the first layer, the
    others get zeros.
    """
    outputs = weights[0].shape[0]
    chosen = np.zeros(outputs, np.int8)
    for o in range(outputs):
        for shift in range(MAX_SHIFT, -1, -1):
            if _fits([w[o] for w in weights], bias[..., o], maxima, residual, shift, bound):
                chosen[o] = shift
                break
        else:
            raise AccumulatorBoundError(
                f"output channel {o} does not fit {bound} even with integer weights; train with "
                "smaller weights"
            )
    scale = np.ldexp(1.0, chosen.astype(np.int32))
    layers = []
    for n, w in enumerate(weights):
        b = np.rint(bias * scale) if n == 0 else np.zeros(outputs)
        layers.append(
            IntConv(
                np.rint(w * scale[:, None, None, None]).astype(np.int16), b.astype(np.int32), chosen
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
