"""A conditional distribution as schemes and models hand it on: push, pop and code lengths of
integer arrays `(items, dims)`.

A model turns what is known into a `Distribution`; a scheme pushes and pops with it and never looks
inside. `factorised` makes one from the interval functions of independent symbols, `point` the one
that is certain and so costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bbans.coding.blocks import Locate, pop_block, push_block
from bbans.coding.rans import Message
from bbans.distributions.fixed_point_log import code_lengths

Ints: TypeAlias = NDArray[np.int64]
Interval: TypeAlias = Callable[[Ints], tuple[Any, Any]]
"""`interval(x) -> (starts, freqs)`, all `(n,)`: the distribution's n symbols in order."""


class Factors(NamedTuple):
    """Independent symbols as `factorised` is given them: item i, dimension d is number i dims +
    d.
    """

    interval: Interval
    symbol: Locate
    shape: tuple[int, int]
    precision: int


class Distribution(NamedTuple):
    """`push(message, x) -> (message,)`, `pop(message) -> (message, x)`, `bits(x) -> (items,)`
    float64; x int64 `(items, dims)`.

    `bits` are those of the rounded frequencies that the coder uses. The first two make a
    `coding.codec.Codec`. `units(x) -> (items,)` int64 are the bits in `logs.UNIT`ths, from an
    integer table: a coder may decide by these, as they are the same on every machine. `factors` is
    there where symbols are independent, for coders that look at intervals. `each(x) -> (items,
    dims)` are the bits of every symbol, where they can be told apart: their sums over an item are
    `bits`, up to the order of summation.
    """

    push: Callable[[Message, Ints], tuple[Message]]
    pop: Callable[[Message], tuple[Message, Ints]]
    bits: Callable[[Ints], NDArray[np.float64]]
    fixed_bits: Callable[[Ints], Ints]
    factors: Factors | None = None
    symbol_bits: Callable[[Ints], NDArray[np.float64]] | None = None


def factorised(
    interval: Interval, symbol: Locate, shape: tuple[int, int], precision: int
) -> Distribution:
    """Independent symbols item by item: `interval(x)`, `symbol(cf, first, last) -> (x, starts,
    freqs)`, flat, out of 2^precision.
    """
    items, dims = shape

    def push(message: Message, x: Ints) -> tuple[Message]:
        starts, freqs = interval(_flat(x, shape))
        return (push_block(message, starts, freqs, precision),)

    def pop(message: Message) -> tuple[Message, Ints]:
        message, x = pop_block(message, items * dims, precision, symbol)
        return message, x.reshape(shape)

    def bits(x: Ints) -> NDArray[np.float64]:
        _, freqs = interval(_flat(x, shape))
        found: NDArray[np.float64] = precision * dims - np.log2(
            np.asarray(freqs, np.float64)
        ).reshape(shape).sum(1)
        return found

    def symbol_bits(x: Ints) -> NDArray[np.float64]:
        _, freqs = interval(_flat(x, shape))
        found: NDArray[np.float64] = precision - np.log2(np.asarray(freqs, np.float64)).reshape(
            shape
        )
        return found

    def fixed_bits(x: Ints) -> Ints:
        _, freqs = interval(_flat(x, shape))
        found: Ints = code_lengths(np.asarray(freqs, np.int64), precision).reshape(shape).sum(1)
        return found

    return Distribution(
        push, pop, bits, fixed_bits, Factors(interval, symbol, shape, precision), symbol_bits
    )


def point(x: Ints) -> Distribution:
    """Certainty: no bits to push, none to get back."""

    def pop(message: Message) -> tuple[Message, Ints]:
        return message, x

    return Distribution(
        lambda message, _: (message,),
        pop,
        lambda _: np.zeros(len(x)),
        lambda _: np.zeros(len(x), np.int64),
        symbol_bits=lambda _: np.zeros(x.shape),
    )


def symbol_bits(conditional: Distribution, x: Ints) -> NDArray[np.float64]:
    """Bits of every symbol of x `(items, dims)`; where the distribution cannot tell them apart,
    each item's mean.
    """
    if conditional.symbol_bits is not None:
        return conditional.symbol_bits(x)
    return np.repeat(conditional.bits(x)[:, None] / x.shape[1], x.shape[1], 1)


def _flat(x: Ints, shape: tuple[int, int]) -> Ints:
    if x.shape != shape:
        raise ValueError(f"expected {shape} symbols; found {x.shape}")
    return np.ascontiguousarray(x, np.int64).reshape(-1)
