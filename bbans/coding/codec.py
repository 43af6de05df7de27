"""A codec is a pair of functions, inverse to each other: push(m, x) -> (m',) and pop(m') -> (m, x).

Combinators build codecs from codecs. A message is a stack, so whatever comes last in a push comes
first in a pop: every combinator here pushes in reverse, so that symbols pop in the order in which
they are written down. Bits-back coding is such a composition: `dependent` lists what the decoder
meets, in its order.

Source of the idea: craystack (Townsend, Bird, Kunze and Barber 2020, arXiv:1912.09953); `serial`
and `substack` keep its names.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from bbans.coding.rans import Message, Precision, pop, push


class Codec(NamedTuple):
    """`push(message, symbol) -> (message,)` and `pop(message) -> (message, symbol)`, inverse to
    each other.
    """

    push: Callable[[Message, Any], tuple[Message]]
    pop: Callable[[Message], tuple[Message, Any]]


Record: TypeAlias = Callable[[Any, Precision, int], None]
"""`record(freqs, precision, sign)` is told of every interval coded: sign 1 of a push, -1 of a pop.
"""
Steps: TypeAlias = Callable[[], Generator[Codec, Any, None]]


def interval_codec(
    interval: Callable[[Any], tuple[Any, Any]],
    symbol: Callable[[Any], tuple[Any, Any, Any]],
    precision: int,
    record: Record | None = None,
) -> Codec:
    """The codec of a distribution: `interval(x) -> (starts, freqs)`, `symbol(cf) -> (x, starts,
    freqs)`, arrays of the head's shape.
    """

    def push_symbol(message: Message, x: Any) -> tuple[Message]:
        starts, freqs = interval(x)
        pushed = push(message, starts, freqs, precision)
        if record:
            record(freqs, precision, 1)
        return pushed

    def pop_symbol(message: Message) -> tuple[Message, Any]:
        cf, finish = pop(message, precision)
        x, starts, freqs = symbol(cf)
        (message,) = finish(starts, freqs)
        if record:
            record(freqs, precision, -1)
        return message, x

    return Codec(push_symbol, pop_symbol)


def uniform(precision: int, record: Record | None = None) -> Codec:
    """The codec of symbols 0..2^precision - 1 of equal mass, one a lane."""
    return interval_codec(
        lambda x: (x, np.ones_like(x)), lambda cf: (cf, cf, np.ones_like(cf)), precision, record
    )


def serial(codecs: Sequence[Codec]) -> Codec:
    """A list of symbols, one for each codec in turn."""

    def push_all(message: Message, symbols: Any) -> tuple[Message]:
        for codec, x in reversed(list(zip(codecs, symbols, strict=True))):
            (message,) = codec.push(message, x)
        return (message,)

    def pop_all(message: Message) -> tuple[Message, list[Any]]:
        symbols = []
        for codec in codecs:
            message, x = codec.pop(message)
            symbols.append(x)
        return message, symbols

    return Codec(push_all, pop_all)


def repeat(codec: Codec, n: int) -> Codec:
    """A list of n symbols of one codec."""
    return serial([codec] * n)


def dependent(steps: Steps) -> Codec:
    """A list of symbols whose codecs depend on those before: a generator, in decode order, that
    yields codecs and is sent symbols.
    """

    def push_all(message: Message, symbols: Any) -> tuple[Message]:
        codecs, given = [], list(symbols)
        generator = steps()
        reply: Any = None
        for x in [*given, None]:
            try:
                codecs.append(generator.send(reply))
            except StopIteration:
                break
            reply = x
        return serial(codecs).push(message, given)

    def pop_all(message: Message) -> tuple[Message, list[Any]]:
        symbols: list[Any] = []
        generator = steps()
        reply: Any = None
        while True:
            try:
                codec = generator.send(reply)
            except StopIteration:
                return message, symbols
            message, reply = codec.pop(message)
            symbols.append(reply)

    return Codec(push_all, pop_all)


def substack(codec: Codec, index: Any) -> Codec:
    """A codec on some of the lanes: `head[index]` is its head (a slice, a mask or anything that
    numpy can assign to).
    """

    def push_some(message: Message, x: Any) -> tuple[Message]:
        (sub,) = codec.push((message[0][index], message[1]), x)
        return (_with_lanes(message, index, sub),)

    def pop_some(message: Message) -> tuple[Message, Any]:
        sub, x = codec.pop((message[0][index], message[1]))
        return _with_lanes(message, index, sub), x

    return Codec(push_some, pop_some)


def parallel(codecs: Sequence[Codec], indices: Sequence[Any]) -> Codec:
    """A list of symbols, each codec on its own lanes."""
    return serial([substack(codec, index) for codec, index in zip(codecs, indices, strict=True)])


def bijection(codec: Codec, forward: Callable[[Any], Any], backward: Callable[[Any], Any]) -> Codec:
    """Symbols y = backward(x) of a codec of x = forward(y)."""

    def push_forward(message: Message, y: Any) -> tuple[Message]:
        return codec.push(message, forward(y))

    def pop_backward(message: Message) -> tuple[Message, Any]:
        message, x = codec.pop(message)
        return message, backward(x)

    return Codec(push_forward, pop_backward)


def _with_lanes(message: Message, index: Any, sub: Message) -> Message:
    head = message[0].copy()
    head[index] = sub[0]
    return head, sub[1]
