"""Bits of every pixel: where in the image the information went that its message holds.

A sample's bits are those of the interval that its decoder met, at the sample's own pixel. What
belongs to no pixel is spread evenly over the pixels that it stands for. The sum over a tile is
prior + likelihood + posterior of its account, without the coder's overhead and the flush.
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
    """Bits of one term: `level` 0 is the image itself, each further one half its resolution; None
    where there is no pyramid.
    """

    codec: str
    level: int | None
    term: str
    bits: float


@dataclass(frozen=True)
class Costs:
    """`bits` float64 `(h, w)`: of every pixel, all its channels together.

    `shares` have the same sum, up to rounding.
    """

    bits: Bits
    shares: tuple[Share, ...]


def together(shares: Iterable[Share]) -> tuple[Share, ...]:
    """The sums of shares of one codec, level and term, in this order."""
    sums: dict[tuple[str, int | None, str], float] = {}
    for share in shares:
        key = share.codec, share.level, share.term
        sums[key] = sums.get(key, 0.0) + share.bits
    ordered = sorted(
        sums, key=lambda key: (key[0], -1 if key[1] is None else key[1], TERMS.index(key[2]))
    )
    return tuple(Share(*key, sums[key]) for key in ordered)


def spread_evenly(codec: str, bits: float, shape: tuple[int, int]) -> Costs:
    """So many bits over all pixels of a tile `(h, w)`: of what another library coded."""
    return Costs(
        np.full(shape, bits / (shape[0] * shape[1])), (Share(codec, None, "likelihood", bits),)
    )
