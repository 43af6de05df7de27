"""q(z) = sum_k pi_k q_k(z), coded by bits-back over k, and q(z) = q_0(f^-1(z)) for a bijection f of
the integer grid: distributions composed of others, at their exact code length.

To push z under a mixture, k is popped with its responsibility r_k(z) = pi_k q_k(z) / q(z), then z
is pushed with q_k and k with pi: together -log2 q(z) bits, whatever k was. So a mixture is a
distribution like any other. Responsibilities are frequencies out of 2^24, computed with an integer
logarithm. Their rounding changes the cost by at most (2 / f + K 2^-24) / ln 2 bit, where f is the
frequency of the popped k, and the logarithm by 1e-5 bit.

Sources: bits back from the index of a mixture, Frey and Hinton 1997; additive couplings of
integers, Hoogeboom, Peters, van den Berg and Welling 2019 (arXiv:1905.07376).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from bbans.coding.rans import Message
from bbans.distributions import categorical, fixed_point_log
from bbans.distributions.distribution import Distribution, Ints

Map = Callable[[Ints], Ints]


def mixed(choice: Distribution, parts: int, of: Callable[[Ints], Distribution]) -> Distribution:
    """q(z) = sum_k pi_k q_k(z): returns the mixture of `parts` distributions.

    `choice` is pi, the distribution of k with symbols `(items, 1)`. `of(k)` returns the
    distribution q_k of z, with one component index for each item in k, int64 `(items,)`.

    Examples:
        >>> from bbans.distributions.bernoulli import bernoulli
        >>> from bbans.distributions.uniform import uniform
        >>> component = lambda k: bernoulli(np.where(k == 0, -64, 64)[:, None])
        >>> mixed(uniform((1, 1), 2), 2, component).bits(np.array([[1]])).round(3)
        array([1.])
    """

    def lengths(z: Ints) -> Ints:
        columns = []
        for k in range(parts):
            index = np.full(len(z), k)
            columns.append(choice.fixed_bits(index[:, None]) + of(index).fixed_bits(z))
        return np.stack(columns, 1)

    def responsibility(z: Ints) -> Distribution:
        return categorical.lookup(
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
        joint = lengths(z)
        # the largest weight of a row is 2^(38 - ceil log2 K)
        total = fixed_point_log.weights(joint).sum(1)
        spare = fixed_point_log.MASS_BITS - fixed_point_log.MAX_LOG
        largest = fixed_point_log.MASS_BITS - (parts - 1).bit_length()
        result: Ints = joint.min(1) + fixed_point_log.code_lengths(total >> spare, largest - spare)
        return result

    return Distribution(push, pop, bits, fixed_bits)


def transformed(base: Distribution, forward: Map, inverse: Map) -> Distribution:
    """q(z) = q_0(f^-1(z)): returns the distribution of z = f(u), u distributed by `base`, for a
    bijection f = `forward` of symbols `(items, dims)`, with its inverse.

    A bijection of integers changes no probability, so code lengths are those of `base`.

    Examples:
        >>> from bbans.distributions.uniform import uniform
        >>> q = transformed(uniform((1, 1), 4), lambda u: (u + 1) % 4, lambda z: (z - 1) % 4)
        >>> q.bits(np.array([[0]]))
        array([2.])
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
    """Returns an additive coupling f and its inverse, bijections of integers modulo n, `(items,
    dims)`.

    Step s = 0..steps-1 adds `shift(s, a)` to the columns of one parity, where a are the columns of
    the other: the even columns in even steps.

    Examples:
        >>> f, inverse = coupled(lambda s, a: 2 * a + s, steps=2, n=8)
        >>> z = f(np.array([[3, 7]]))
        >>> z, inverse(z)
        (array([[6, 5]]), array([[3, 7]]))
    """

    def apply(z: Ints, order: range, sign: int) -> Ints:
        z = z.copy()
        for s in order:
            z[:, 1 - s % 2 :: 2] = (z[:, 1 - s % 2 :: 2] + sign * shift(s, z[:, s % 2 :: 2])) % n
        return z

    return lambda z: apply(z, range(steps), 1), lambda z: apply(z, range(steps)[::-1], -1)
