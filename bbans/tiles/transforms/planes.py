"""Transforms between channels and positions: the phases of a colour-filter mosaic, channels that
are equal, and differences to the plane through three neighbours.

Sensors see one colour at each position, in squares of 2 x 2 (Bayer, US patent 3,971,065). The four
phases of such an image are four images of half its sides, and each is smooth.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[Any]
PHASES = ((0, 0), (0, 1), (1, 0), (1, 1))
"""Row and column of the phases, in the order of their channels."""


def is_mosaic(samples: Samples) -> bool:
    """Return whether samples `(h, w, 1)` are more like those two rows or columns away than like
    their neighbours, and the sides are even.

    Examples:
        >>> is_mosaic(np.tile([[0, 9], [9, 5]], (4, 4))[:, :, None]), is_mosaic(np.zeros((3, 4, 1)))
        (True, False)
    """
    h, w, channels = samples.shape
    if channels != 1 or h % 2 or w % 2 or min(h, w) < 4:
        return False
    x = samples[:: 2 * max(1, h // 256), :, 0].astype(np.int64)
    y = samples[:, :: 2 * max(1, w // 256), 0].astype(np.int64).T
    return all(
        np.abs(z[:, 2:] - z[:, :-2]).mean() < np.abs(z[:, 1:] - z[:, :-1]).mean() for z in (x, y)
    )


def split_phases(samples: Samples) -> Samples:
    """Return the four phases of samples `(h, w, 1)` as channels `(h / 2, w / 2, 4)`.

    Examples:
        >>> split_phases(np.arange(4).reshape(2, 2, 1)).tolist()
        [[[0, 1, 2, 3]]]
    """
    return np.stack([samples[row::2, column::2, 0] for row, column in PHASES], 2)


def join_phases(channels: Samples) -> Samples:
    """Invert `split_phases`.

    Examples:
        >>> x = np.arange(24).reshape(4, 6, 1)
        >>> np.array_equal(join_phases(split_phases(x)), x)
        True
    """
    h, w, _ = channels.shape
    samples = np.empty((2 * h, 2 * w, 1), channels.dtype)
    for c, (row, column) in enumerate(PHASES):
        samples[row::2, column::2, 0] = channels[:, :, c]
    return samples


def equal_channels(samples: Samples) -> tuple[int, ...]:
    """Return for each channel of samples `(h, w, channels)` the number of its like among those that
    differ, or an empty tuple if all differ.

    Examples:
        >>> grey = np.arange(4).reshape(2, 2, 1).repeat(3, 2)
        >>> equal_channels(grey), equal_channels(grey[:, :, :1])
        ((0, 0, 0), ())
    """
    firsts: list[int] = []
    numbers = []
    for c in range(samples.shape[2]):
        like = [i for i, f in enumerate(firsts) if np.array_equal(samples[..., f], samples[..., c])]
        if not like:
            firsts.append(c)
        numbers.append(like[0] if like else len(firsts) - 1)
    return tuple(numbers) if len(firsts) < len(numbers) else ()


def merge(samples: Samples, merged: Sequence[int]) -> Samples:
    """Return one channel of each number in `merged`, which has one for every channel.

    Examples:
        >>> merge(np.array([[[7, 7, 7, 9]]]), (0, 0, 0, 1)).tolist()
        [[[7, 9]]]
    """
    return samples[:, :, [merged.index(n) for n in range(max(merged) + 1)]]


def differences(samples: Samples, bit_depth: int) -> Samples:
    """Return x - left - above + above left of samples `(h, w, channels)`, modulo 2^bit_depth; what
    lies outside is 0.

    Examples:
        >>> planar = np.add.outer(np.arange(3), np.arange(3))[:, :, None]
        >>> differences(planar, 8)[:, :, 0].tolist()
        [[0, 1, 1], [1, 0, 0], [1, 0, 0]]
    """
    down = np.diff(samples.astype(np.int64), axis=0, prepend=0)
    planes: NDArray[np.int64] = np.diff(down, axis=1, prepend=0).astype(np.int64)
    return np.asarray((planes & (1 << bit_depth) - 1).astype(samples.dtype))


def sums(planes: Samples, bit_depth: int) -> Samples:
    """Invert `differences`.

    Examples:
        >>> x = np.arange(24, dtype=np.uint8).reshape(4, 6, 1)
        >>> np.array_equal(sums(differences(x, 8), 8), x)
        True
    """
    total = planes.astype(np.uint32).cumsum(0, dtype=np.uint32).cumsum(1, dtype=np.uint32)
    return np.asarray((total & np.uint32((1 << bit_depth) - 1)).astype(planes.dtype))
