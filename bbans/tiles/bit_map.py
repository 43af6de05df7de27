"""Bits of every pixel: where in the image the information of a message belongs.

The bits of a sample, -log2 of its interval's probability, are counted at the sample's pixel. Bits
that belong to no single pixel are spread evenly over the pixels that they describe. The sum over a
tile is prior + likelihood + posterior of its account; coder overhead and flush are not included.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Bits = NDArray[np.float64]
TERMS = ("likelihood", "prior", "posterior", "exceptions")


@dataclass(frozen=True)
class Share:
    """Bits of one term of one codec.

    level: 0 is the full resolution, each further level half of it; None for codecs without a
    pyramid. term: one of TERMS.
    """

    codec: str
    level: int | None
    term: str
    bits: float


@dataclass(frozen=True)
class Costs:
    """bits: float64 `(h, w)`, of every pixel with all its channels. shares: the same bits by codec,
    level and term; both have the same sum up to rounding.
    """

    bits: Bits
    shares: tuple[Share, ...]


def together(shares: Iterable[Share]) -> tuple[Share, ...]:
    """Sum shares of equal codec, level and term, and sort by these three.

    Examples:
        >>> together([Share("fixed", 0, "likelihood", 3.0), Share("fixed", 0, "likelihood", 4.0)])
        (Share(codec='fixed', level=0, term='likelihood', bits=7.0),)
    """
    sums: dict[tuple[str, int | None, str], float] = {}
    for share in shares:
        key = share.codec, share.level, share.term
        sums[key] = sums.get(key, 0.0) + share.bits
    keys = sorted(
        sums, key=lambda key: (key[0], -1 if key[1] is None else key[1], TERMS.index(key[2]))
    )
    return tuple(Share(*key, sums[key]) for key in keys)


def spread_evenly(codec: str, bits: float, shape: tuple[int, int]) -> Costs:
    """Spread `bits` evenly over the pixels of a tile `(h, w)`, as a likelihood share of `codec`.

    Examples:
        >>> spread_evenly("stored", 12.0, (2, 3)).bits.tolist()
        [[2.0, 2.0, 2.0], [2.0, 2.0, 2.0]]
    """
    return Costs(
        np.full(shape, bits / (shape[0] * shape[1])), (Share(codec, None, "likelihood", bits),)
    )
