"""A codec is a pair of functions, inverse to each other: push(m, x) -> (m',) and pop(m') -> (m, x).

Combinators build codecs from codecs. A message is a stack, so the symbol that is pushed last is
popped first: every combinator pushes in reverse order, so that symbols are popped in the order in
which they are listed. Bits-back coding is a composition of this kind: `dependent` lists its codecs
in the order of the decoder.

Source of the idea: craystack (Townsend, Bird, Kunze and Barber 2020, arXiv:1912.09953); `serial`
and `substack` keep its names.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from bbans.coding.rans import Message, Precision, pop, push


class Codec(NamedTuple):
    """A pair of inverse functions: `push(message, symbol) -> (message,)` and `pop(message) ->
    (message, symbol)`.

    Examples:
        >>> from bbans.coding.rans import base_message
        >>> codec = uniform(3)
        >>> (message,) = codec.push(base_message((2,)), np.array([5, 6]))
        >>> codec.pop(message)[1]
        array([5, 6], dtype=uint64)
    """

    push: Callable[[Message, Any], tuple[Message]]
    pop: Callable[[Message], tuple[Message, Any]]


Record: TypeAlias = Callable[[Any, Precision, int], None]
"""`record(freqs, precision, sign)` receives the frequencies of all coded intervals, with sign 1 for
a push and -1 for a pop.
"""
Steps: TypeAlias = Callable[[], Generator[Codec, Any, None]]
"""A function that starts a generator of codecs: the generator yields the codec of the next symbol
and is sent that symbol.
"""


def interval_codec(
    interval: Callable[[Any], tuple[Any, Any]],
    symbol: Callable[[Any], tuple[Any, Any, Any]],
    precision: int,
    record: Record | None = None,
) -> Codec:
    """Returns the codec of a distribution that is given by its intervals out of 2^precision.

    `interval(x) -> (starts, freqs)` maps symbols to intervals, and `symbol(cf) -> (x, starts,
    freqs)` maps cumulative frequencies in [0, 2^precision) back; all arrays have the head's shape.
    `record` receives every interval that is coded.

    Examples:
        >>> from bbans.coding.rans import base_message
        >>> even = interval_codec(lambda x: (2 * x, 2), lambda cf: (cf // 2, cf // 2 * 2, 2), 3)
        >>> even.pop(even.push(base_message((2,)), np.array([3, 0]))[0])[1]
        array([3, 0], dtype=uint64)
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
    """P(x) = 2^-precision: returns the codec of equiprobable symbols 0..2^precision - 1, one on
    each lane, which costs `precision` bits a lane.

    Examples:
        >>> from bbans.coding.rans import base_message
        >>> (message,) = uniform(4).push(base_message((1,)), np.array([9]))
        >>> uniform(4).pop(message)[1]
        array([9], dtype=uint64)
    """
    return interval_codec(
        lambda x: (x, np.ones_like(x)), lambda cf: (cf, cf, np.ones_like(cf)), precision, record
    )


def serial(codecs: Sequence[Codec]) -> Codec:
    """Returns the codec of a list of independent symbols, one for each codec; its code length is
    the sum of theirs.

    Examples:
        >>> from bbans.coding.rans import base_message
        >>> codec = serial([uniform(1), uniform(8)])
        >>> (message,) = codec.push(base_message((1,)), [np.array([1]), np.array([200])])
        >>> [int(x[0]) for x in codec.pop(message)[1]]
        [1, 200]
    """

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
    """Returns the codec of a list of n symbols that are all coded by one codec.

    Examples:
        >>> from bbans.coding.rans import base_message
        >>> codec = repeat(uniform(2), 2)
        >>> (message,) = codec.push(base_message((1,)), [np.array([3]), np.array([0])])
        >>> [int(x[0]) for x in codec.pop(message)[1]]
        [3, 0]
    """
    return serial([codec] * n)


def dependent(steps: Steps) -> Codec:
    """p(x_1) p(x_2 | x_1) ...: returns the codec of a list of symbols, each of whose codecs may
    depend on the symbols before it.

    `steps()` starts a generator that yields the codecs in the order of decoding and is sent each
    symbol once that is known.

    Examples:
        >>> from bbans.coding.rans import base_message
        >>> def steps():
        ...     bits = yield uniform(3)  # the size of the next symbol
        ...     yield uniform(int(bits[0]))
        >>> (message,) = dependent(steps).push(base_message((1,)), [np.array([5]), np.array([31])])
        >>> [int(x[0]) for x in dependent(steps).pop(message)[1]]
        [5, 31]
    """

    def push_all(message: Message, symbols: Any) -> tuple[Message]:
        codecs, known = [], list(symbols)
        generator = steps()
        reply: Any = None
        for x in [*known, None]:
            try:
                codecs.append(generator.send(reply))
            except StopIteration:
                break
            reply = x
        return serial(codecs).push(message, known)

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
    """Applies a codec to some of the lanes: its head is `head[index]`, its tail the whole
    message's.

    `index` is a slice, a mask or anything else that numpy can both index with and assign to.

    Examples:
        >>> from bbans.coding.rans import base_message
        >>> (message,) = substack(uniform(2), slice(0, 1)).push(base_message((3,)), np.array([3]))
        >>> message[0].shape
        (3,)
    """

    def push_some(message: Message, x: Any) -> tuple[Message]:
        (sub,) = codec.push((message[0][index], message[1]), x)
        return (_with_lanes(message, index, sub),)

    def pop_some(message: Message) -> tuple[Message, Any]:
        sub, x = codec.pop((message[0][index], message[1]))
        return _with_lanes(message, index, sub), x

    return Codec(push_some, pop_some)


def parallel(codecs: Sequence[Codec], indices: Sequence[Any]) -> Codec:
    """Returns the codec of a list of symbols, each of which is coded on lanes of its own.

    Examples:
        >>> from bbans.coding.rans import base_message
        >>> codec = parallel([uniform(1), uniform(2)], [slice(0, 1), slice(1, 2)])
        >>> (message,) = codec.push(base_message((2,)), [np.array([1]), np.array([2])])
        >>> [int(x[0]) for x in codec.pop(message)[1]]
        [1, 2]
    """
    return serial([substack(codec, index) for codec, index in zip(codecs, indices, strict=True)])


def bijection(codec: Codec, forward: Callable[[Any], Any], backward: Callable[[Any], Any]) -> Codec:
    """Returns the codec of y, with x = forward(y) and y = backward(x), from a codec of x: a
    bijection keeps the code length.

    Examples:
        >>> from bbans.coding.rans import base_message
        >>> shifted = bijection(uniform(3), lambda y: y - 10, lambda x: x + 10)
        >>> int(shifted.pop(shifted.push(base_message((1,)), np.array([12]))[0])[1][0])
        12
    """

    def push_forward(message: Message, y: Any) -> tuple[Message]:
        return codec.push(message, forward(y))

    def pop_backward(message: Message) -> tuple[Message, Any]:
        message, x = codec.pop(message)
        return message, backward(x)

    return Codec(push_forward, pop_backward)


def _with_lanes(message: Message, index: Any, sub: Message) -> Message:
    """The message with some lanes, and the tail, replaced by those of `sub`."""
    head = message[0].copy()
    head[index] = sub[0]
    return head, sub[1]
