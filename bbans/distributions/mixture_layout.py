"""The columns of a colour mixture's parameters: K logits, then for each of R, G and B K locations,
K scale indices, and K couplings (of G to R, B to R and B to G).

Networks, the fixed predictor and the distributions agree on it here. The compiled core
indexes the same columns by hand.
"""

from __future__ import annotations

from typing import NamedTuple

COLOURS = 3


class Columns(NamedTuple):
    """The slice of each kind of parameter."""

    logits: slice
    locations: slice
    scales: slice
    couplings: slice


def width(K: int) -> int:
    """Return the number of columns of K components, 10 K.

    Examples:
        >>> width(4)
        40
    """
    return sum(sizes(K))


def sizes(K: int) -> tuple[int, int, int, int]:
    """Return the number of columns of logits, locations, scale indices and couplings.

    Examples:
        >>> sizes(4)
        (4, 12, 12, 12)
    """
    return K, COLOURS * K, COLOURS * K, COLOURS * K


def columns(K: int) -> Columns:
    """Return the slices of logits, locations, scale indices and couplings.

    Examples:
        >>> columns(4).scales
        slice(16, 28, None)
    """
    slices, first = [], 0
    for size in sizes(K):
        slices.append(slice(first, first + size))
        first += size
    return Columns(*slices)


def of_colour(group: slice, colour: int, K: int) -> slice:
    """Return one colour's columns of a group: its K locations, scale indices or couplings.

    Examples:
        >>> of_colour(columns(4).locations, 2, 4)
        slice(12, 16, None)
    """
    return slice(group.start + colour * K, group.start + (colour + 1) * K)
