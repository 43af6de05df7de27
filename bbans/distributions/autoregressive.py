"""p(k) = p(k_0) p(k_1 | k_0) p(k_2 | k_0, k_1) ...: distributions of items whose symbols are coded
one after the other, or in groups of columns, for many items at once.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from bbans.coding.rans import Message
from bbans.distributions import distribution
from bbans.distributions.categorical import categorical
from bbans.distributions.distribution import Distribution, Ints

Bits: TypeAlias = NDArray[np.float64]

Walk: TypeAlias = Generator[tuple[Ints, Distribution], Ints, None]
"""A generator over groups of columns: it yields a group's column indices with the distribution of
its symbols, and is sent these symbols, int64 `(items, columns)`.
"""


def walked(walk: Callable[[], Walk], shape: tuple[int, int]) -> Distribution:
    """p(x_A) p(x_B | x_A) ...: returns the distribution of symbols `(items, dims)` whose columns
    are coded group by group.

    `walk()` starts a generator that yields each group's columns with their distribution given the
    groups before, and is sent the group's symbols. It must visit every column once.

    Examples:
        >>> from bbans.distributions.uniform import uniform
        >>> def walk():
        ...     first = yield np.array([0]), uniform((1, 1), 4)
        ...     yield np.array([1]), uniform((1, 1), 1 + int(first[0, 0]))
        >>> walked(walk, (1, 2)).bits(np.array([[3, 2]]))
        array([4.])
    """

    def parts(x: Ints) -> Iterator[tuple[Ints, Distribution]]:
        generator = walk()
        columns, part = next(generator)
        while True:
            yield x[:, columns], part
            try:
                columns, part = generator.send(x[:, columns])
            except StopIteration:
                return

    def push(message: Message, x: Ints) -> tuple[Message]:
        for symbols, part in reversed(list(parts(x))):
            (message,) = part.push(message, symbols)
        return (message,)

    def pop(message: Message) -> tuple[Message, Ints]:
        x = np.zeros(shape, np.int64)
        generator = walk()
        columns, part = next(generator)
        while True:
            message, x[:, columns] = part.pop(message)
            try:
                columns, part = generator.send(x[:, columns])
            except StopIteration:
                return message, x

    def bits(x: Ints) -> Bits:
        return np.asarray(np.sum([part.bits(symbols) for symbols, part in parts(x)], 0))

    def fixed_bits(x: Ints) -> Ints:
        return np.asarray(np.sum([part.fixed_bits(symbols) for symbols, part in parts(x)], 0))

    def symbol_bits(x: Ints) -> Bits:
        lengths, generator = np.zeros(shape), walk()
        columns, part = next(generator)
        while True:
            lengths[:, columns] = distribution.symbol_bits(part, x[:, columns])
            try:
                columns, part = generator.send(x[:, columns])
            except StopIteration:
                return lengths

    return Distribution(push, pop, bits, fixed_bits, symbol_bits=symbol_bits)


def columnwise(
    parts: Callable[[Ints], Sequence[Distribution]], shape: tuple[int, int]
) -> Distribution:
    """p(x_0) p(x_1 | x_0) ...: returns the distribution of symbols `(items, dims)` that are coded
    column by column.

    `parts(x)` returns the distributions of all columns; that of column i, of symbols `(items, 1)`,
    must be a function of columns 0..i-1. Pushing and measuring call it once. Popping calls it once
    for each column, with zeros in the columns that are not decoded yet.

    Examples:
        >>> from bbans.distributions.uniform import uniform
        >>> parts = lambda x: [uniform((1, 1), 4), uniform((1, 1), 1 + int(x[0, 0]))]
        >>> columnwise(parts, (1, 2)).bits(np.array([[3, 2]]))
        array([4.])
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
    """p(k) = prod_i p_i(k_i), p_i(j) proportional to 2^(l_ij / 16): returns the distribution of
    categorical symbols `(items, dims)` that are coded column by column.

    `log_weights(k)` returns the logits l, int64 `(items, dims, K)`; l_i must be a function of
    columns 0..i-1.

    Examples:
        >>> p = autoregressive(lambda k: np.zeros((len(k), 2, 4), np.int64), (1, 2))
        >>> p.bits(np.array([[0, 3]])).round(3)
        array([4.])
    """

    def parts(k: Ints) -> list[Distribution]:
        logits = log_weights(k)
        return [categorical(logits[:, i : i + 1]) for i in range(shape[1])]

    return columnwise(parts, shape)
