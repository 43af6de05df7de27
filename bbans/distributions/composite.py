"""q(z) = sum_k pi_k q_k(z) by bits-back over k, and q(z) = q_0(f^-1(z)) for a bijection f of the
grid: richer conditionals, exactly.

A mixture pops k with pi and z with q_k, and pushes k back with its responsibility r_k(z) = pi_k
q_k(z) / q(z): together these take -log2 q(z) bits, whatever k was. So it is a conditional like any
other, wherever one may stand. Responsibilities come from an integer log table as frequencies out of
2^24, so the identity is off by what their rounding does to the chosen one's frequency f, (2 / f + K
2^-24) / ln 2 bit at most, besides 1e-5.

Sources: bits back from a mixture's index, Frey and Hinton 1997; additive couplings of the integers,
Hoogeboom, Peters, van den Berg and Welling 2019 (arXiv:1905.07376).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from bbans.coding.rans import Message
from bbans.distributions import builders, categorical, fixed_point_log
from bbans.distributions.distribution import Distribution, Ints

Map = Callable[[Ints], Ints]


def mixed(choice: Distribution, parts: int, of: Callable[[Ints], Distribution]) -> Distribution:
    """sum_k pi_k q_k(z): `choice` is pi over k, symbols `(items, 1)`; `of(k)` is q_k, item by item,
    for k int64 `(items,)`.
    """

    def lengths(z: Ints) -> Ints:
        columns = []
        for k in range(parts):
            index = np.full(len(z), k)
            columns.append(choice.fixed_bits(index[:, None]) + of(index).fixed_bits(z))
        return np.stack(columns, 1)

    def responsibility(z: Ints) -> Distribution:
        return builders.lookup(
            categorical.from_weights(fixed_point_log.weights(lengths(z))),
            np.arange(len(z))[:, None],
        )

    def push(message: Message, z: Ints) -> tuple[Message]:
        message, k = responsibility(z).pop(message)
        (message,) = of(k[:, 0]).push(message, z)
        return choice.push(message, k)

    def pop(message: Message) -> tuple[Message, Ints]:
        message, k = choice.pop(message)
        message, z = of(k[:, 0]).pop(message)
        (message,) = responsibility(z).push(message, k)
        return message, z

    def bits(z: Ints) -> NDArray[np.float64]:
        return fixed_bits(z) / float(fixed_point_log.UNIT)

    def fixed_bits(z: Ints) -> Ints:
        found = lengths(z)
        total = fixed_point_log.weights(found).sum(1)  # of 2^(38 - ceil log2 K) for the largest
        spare = fixed_point_log.MASS_BITS - fixed_point_log.MAX_LOG
        largest = fixed_point_log.MASS_BITS - (parts - 1).bit_length()
        result: Ints = found.min(1) + fixed_point_log.code_lengths(total >> spare, largest - spare)
        return result

    return Distribution(push, pop, bits, fixed_bits)


def transformed(base: Distribution, forward: Map, inverse: Map) -> Distribution:
    """q_0(f^-1(z)) for a bijection f of `(items, dims)` symbols onto themselves: no volume changes,
    so no bits do.
    """

    def pop(message: Message) -> tuple[Message, Ints]:
        message, z = base.pop(message)
        return message, forward(z)

    return Distribution(
        lambda message, z: base.push(message, inverse(z)),
        pop,
        lambda z: base.bits(inverse(z)),
        lambda z: base.fixed_bits(inverse(z)),
    )


def coupled(shift: Callable[[int, Ints], Ints], steps: int, n: int) -> tuple[Map, Map]:
    """f and f^-1: step s adds `shift(s, a)` to the columns of one parity, modulo n, a being those
    of the other (even ones first).
    """

    def turned(z: Ints, order: range, sign: int) -> Ints:
        z = z.copy()
        for s in order:
            z[:, 1 - s % 2 :: 2] = (z[:, 1 - s % 2 :: 2] + sign * shift(s, z[:, s % 2 :: 2])) % n
        return z

    return lambda z: turned(z, range(steps), 1), lambda z: turned(z, range(steps)[::-1], -1)
