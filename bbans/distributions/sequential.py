"""p(k) = p(k_0) p(k_1 | k_0) p(k_2 | k_0, k_1) ...: symbols of an item one after the other or part by part, many items at once."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from bbans.coding.rans import Message
from bbans.distributions.builders import categorical
from bbans.distributions.conditional import Conditional, Ints

Walk: TypeAlias = Generator[tuple[Ints, Conditional], Ints, None]
"""Yields the columns of a part with its distribution, and is sent the part's symbols `(items, columns)`."""


def walked(walk: Callable[[], Walk], shape: tuple[int, int]) -> Conditional:
    """p(x_A) p(x_B | x_A) ... of `(items, dims)` symbols, whose columns a fresh walk visits part by part, each of them once."""

    def parts(x: Ints) -> Iterator[tuple[Ints, Conditional]]:
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

    def bits(x: Ints) -> NDArray[np.float64]:
        return np.asarray(np.sum([part.bits(symbols) for symbols, part in parts(x)], 0))

    def units(x: Ints) -> Ints:
        return np.asarray(np.sum([part.units(symbols) for symbols, part in parts(x)], 0))

    return Conditional(push, pop, bits, units)


def autoregressive(log_weights: Callable[[Ints], Ints], shape: tuple[int, int]) -> Conditional:
    """p(k_0) p(k_1 | k_0) ...: `log_weights(k) -> (items, codes, K)`, in 1/16 of a factor two, row i a function of k_0 to k_(i-1).

    Pushing and measuring take one look at all symbols, popping one a symbol: what the function is told of symbols still to come is zeros.
    """
    codes = shape[1]

    def parts(k: Ints) -> list[Conditional]:
        found = log_weights(k)
        return [categorical(found[:, i : i + 1]) for i in range(codes)]

    def push(message: Message, k: Ints) -> tuple[Message]:
        for i, part in reversed(list(enumerate(parts(k)))):
            (message,) = part.push(message, k[:, i : i + 1])
        return (message,)

    def pop(message: Message) -> tuple[Message, Ints]:
        k = np.zeros(shape, np.int64)
        for i in range(codes):
            message, k[:, i : i + 1] = categorical(log_weights(k)[:, i : i + 1]).pop(message)
        return message, k

    def bits(k: Ints) -> NDArray[np.float64]:
        return np.asarray(np.sum([part.bits(k[:, i : i + 1]) for i, part in enumerate(parts(k))], 0))

    def units(k: Ints) -> Ints:
        return np.asarray(np.sum([part.units(k[:, i : i + 1]) for i, part in enumerate(parts(k))], 0))

    return Conditional(push, pop, bits, units)
