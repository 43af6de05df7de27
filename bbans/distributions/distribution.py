"""A probability distribution as models and schemes exchange it: functions that push, pop and
measure integer arrays `(items, dims)`.

A model returns a `Distribution`, given everything that it conditions on; a scheme pushes and pops
with it and needs no other knowledge of the model. `factorised` makes one from the intervals of
independent symbols. `point` is the deterministic one, which costs no bits.
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
"""`interval(x) -> (starts, freqs)`, all `(n,)`, where x are all n symbols of the distribution in
order.
"""


class Factors(NamedTuple):
    """The intervals of independent symbols, as `factorised` takes them; dimension d of item i has
    the number i dims + d.
    """

    interval: Interval
    symbol: Locate
    shape: tuple[int, int]
    precision: int


class Distribution(NamedTuple):
    """`push(message, x) -> (message,)` and `pop(message) -> (message, x)` code symbols x, int64
    `(items, dims)`; both together are a `coding.codec.Codec`.

    `bits(x) -> (items,)`, float64: code lengths in bits, of the rounded frequencies that the coder
    uses.

    `fixed_bits(x) -> (items,)`, int64: the same in units of 2^-28 bit (`fixed_point_log.UNIT`),
    from an integer table. They are equal on every machine, so that a coder may base decisions on
    them.

    `factors`: the intervals, if the symbols are independent, for schemes that use intervals
    directly.

    `symbol_bits(x) -> (items, dims)`, float64: the code length of every symbol, if the distribution
    can attribute it; the sums over an item are `bits`, up to the order of summation.

    Examples:
        >>> p = point(np.array([[1, 2]]))
        >>> p.bits(np.array([[1, 2]]))
        array([0.])
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
    """prod_(i, d) P_(i, d)(x[i, d]): returns the distribution of independent symbols `(items,
    dims)`, from their intervals out of 2^precision.

    `interval(x) -> (starts, freqs)` and `symbol(cf, first, last) -> (x, starts, freqs)` take and
    return flat arrays. Functions of the result raise ValueError on symbols of another shape.

    Examples:
        >>> p = factorised(lambda x: (x, x * 0 + 1), lambda cf, *_: (cf, cf, cf * 0 + 1), (1, 3), 1)
        >>> p.bits(np.array([[1, 0, 1]]))
        array([3.])
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
        lengths: NDArray[np.float64] = precision * dims - np.log2(
            np.asarray(freqs, np.float64)
        ).reshape(shape).sum(1)
        return lengths

    def symbol_bits(x: Ints) -> NDArray[np.float64]:
        _, freqs = interval(_flat(x, shape))
        lengths: NDArray[np.float64] = precision - np.log2(np.asarray(freqs, np.float64)).reshape(
            shape
        )
        return lengths

    def fixed_bits(x: Ints) -> Ints:
        _, freqs = interval(_flat(x, shape))
        lengths: Ints = code_lengths(np.asarray(freqs, np.int64), precision).reshape(shape).sum(1)
        return lengths

    return Distribution(
        push, pop, bits, fixed_bits, Factors(interval, symbol, shape, precision), symbol_bits
    )


def point(x: Ints) -> Distribution:
    """P(x) = 1: returns the deterministic distribution of x `(items, dims)`; pushing it costs no
    bits, and popping returns x.

    Examples:
        >>> from bbans.coding.rans import base_message
        >>> point(np.array([[7]])).pop(base_message((1,)))[1]
        array([[7]])
    """

    def pop(message: Message) -> tuple[Message, Ints]:
        return message, x

    return Distribution(
        lambda message, _: (message,),
        pop,
        lambda _: np.zeros(len(x)),
        lambda _: np.zeros(len(x), np.int64),
        symbol_bits=lambda _: np.zeros(x.shape),
    )


def symbol_bits(p: Distribution, x: Ints) -> NDArray[np.float64]:
    """Returns the code length in bits of every symbol of x `(items, dims)`, float64; where the
    distribution cannot attribute an item's bits to its symbols, their mean over the item.

    Examples:
        >>> from bbans.distributions.uniform import uniform
        >>> symbol_bits(uniform((1, 2), 8), np.array([[0, 5]]))
        array([[3., 3.]])
    """
    if p.symbol_bits is not None:
        return p.symbol_bits(x)
    return np.repeat(p.bits(x)[:, None] / x.shape[1], x.shape[1], 1)


def _flat(x: Ints, shape: tuple[int, int]) -> Ints:
    """The symbols as one row. Raises ValueError on another shape."""
    if x.shape != shape:
        raise ValueError(f"expected {shape} symbols; found {x.shape}")
    return np.ascontiguousarray(x, np.int64).reshape(-1)


def one_row(values: Ints) -> Ints:
    """Return parameters of any shape as one row, int64 `(n,)`.

    Examples:
        >>> one_row(np.array([[1, 2], [3, 4]], np.int16))
        array([1, 2, 3, 4])
    """
    return np.asarray(values, np.int64).reshape(-1)


def shape_of(values: Ints) -> tuple[int, int]:
    """Return `(items, dims)` of parameters. Raises ValueError on another number of axes.

    Examples:
        >>> shape_of(np.zeros((3, 5)))
        (3, 5)
    """
    if values.ndim != 2:
        raise ValueError(f"expected parameters for (items, dims); found an array {values.shape}")
    return values.shape[0], values.shape[1]


def checked_symbols(x: Ints, n: int) -> Ints:
    """Return the symbols x. Raises ValueError unless they lie in 0..n-1.

    Examples:
        >>> checked_symbols(np.array([0, 3]), 4)
        array([0, 3])
    """
    if x.size and (x.min() < 0 or x.max() >= n):
        raise ValueError(f"values lie in 0..{n - 1}; found {x.min()} to {x.max()}")
    return x
