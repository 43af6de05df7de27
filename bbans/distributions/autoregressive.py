"""p(k) = p(k_0) p(k_1 | k_0) p(k_2 | k_0, k_1) ...: symbols of an item one after the other or part
by part, many items at once.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from bbans.coding.rans import Message
from bbans.distributions import distribution
from bbans.distributions.builders import categorical
from bbans.distributions.distribution import Distribution, Ints

Bits: TypeAlias = NDArray[np.float64]

Walk: TypeAlias = Generator[tuple[Ints, Distribution], Ints, None]
"""Yields the columns of a part with its distribution, and is sent the part's symbols `(items,
columns)`.
"""


def walked(walk: Callable[[], Walk], shape: tuple[int, int]) -> Distribution:
    """p(x_A) p(x_B | x_A) ... of `(items, dims)` symbols, whose columns a fresh walk visits part by
    part, each of them once.
    """

    def parts(x: Ints) -> Iterator[tuple[Ints, Distribution]]:
        walking = walk()
        at, part = next(walking)
        while True:
            yield x[:, at], part
            try:
                at, part = walking.send(x[:, at])
            except StopIteration:
                return

    def push(message: Message, x: Ints) -> tuple[Message]:
        for symbols, part in reversed(list(parts(x))):
            (message,) = part.push(message, symbols)
        return (message,)

    def pop(message: Message) -> tuple[Message, Ints]:
        x = np.zeros(shape, np.int64)
        walking = walk()
        at, part = next(walking)
        while True:
            message, x[:, at] = part.pop(message)
            try:
                at, part = walking.send(x[:, at])
            except StopIteration:
                return message, x

    def bits(x: Ints) -> Bits:
        return np.asarray(np.sum([part.bits(symbols) for symbols, part in parts(x)], 0))

    def fixed_bits(x: Ints) -> Ints:
        return np.asarray(np.sum([part.fixed_bits(symbols) for symbols, part in parts(x)], 0))

    def symbol_bits(x: Ints) -> Bits:
        found, walking = np.zeros(shape), walk()
        at, part = next(walking)
        while True:
            found[:, at] = distribution.symbol_bits(part, x[:, at])
            try:
                at, part = walking.send(x[:, at])
            except StopIteration:
                return found

    return Distribution(push, pop, bits, fixed_bits, symbol_bits=symbol_bits)


def columnwise(
    parts: Callable[[Ints], Sequence[Distribution]], shape: tuple[int, int]
) -> Distribution:
    """p(x_0) p(x_1 | x_0) ... of `(items, dims)` symbols: `parts(x)` are the columns' conditionals,
    that of column i a function of x_0 to x_(i-1).

    Pushing and measuring take one look at all symbols, popping one a symbol: what the function is
    told of symbols still to come is zeros.
    """
    dims = shape[1]

    def push(message: Message, x: Ints) -> tuple[Message]:
        for i, part in reversed(list(enumerate(parts(x)))):
            (message,) = part.push(message, x[:, i : i + 1])
        return (message,)

    def pop(message: Message) -> tuple[Message, Ints]:
        x = np.zeros(shape, np.int64)
        for i in range(dims):
            message, x[:, i : i + 1] = parts(x)[i].pop(message)
        return message, x

    def bits(x: Ints) -> Bits:
        return np.asarray(
            np.sum([part.bits(x[:, i : i + 1]) for i, part in enumerate(parts(x))], 0)
        )

    def fixed_bits(x: Ints) -> Ints:
        return np.asarray(
            np.sum([part.fixed_bits(x[:, i : i + 1]) for i, part in enumerate(parts(x))], 0)
        )

    def symbol_bits(x: Ints) -> Bits:
        return np.stack([part.bits(x[:, i : i + 1]) for i, part in enumerate(parts(x))], 1)

    return Distribution(push, pop, bits, fixed_bits, symbol_bits=symbol_bits)


def autoregressive(log_weights: Callable[[Ints], Ints], shape: tuple[int, int]) -> Distribution:
    """`columnwise` over categories: `log_weights(k) -> (items, codes, K)`, in 1/16 of a factor two,
    row i a function of k_0 to k_(i-1).
    """

    def parts(k: Ints) -> list[Distribution]:
        found = log_weights(k)
        return [categorical(found[:, i : i + 1]) for i in range(shape[1])]

    return columnwise(parts, shape)
