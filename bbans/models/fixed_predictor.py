"""p(x) = prod p(pixel | known neighbours): the fixed predictor, a pyramid model without weights, so
that reading a file needs numpy alone.

It takes the place of a network in `schemes.pyramid.self_funding`, and has no latents. A pixel is a
mixture of four logistics: two around a linear interpolation of the known neighbours (narrow and
wide), one around the mean of each of the two opposite pairs among the four nearest. Scales follow
the logarithms of two local magnitudes: the spread of the four nearest neighbours, and the errors
that the same interpolation made next to the pixel. The constants were fitted by maximum likelihood
on the training photographs (`benchmarks/fixed_fit.py`); they are part of the file format.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbans.distributions.mixture_layout import columns, of_colour, width
from bbans.distributions.tables import SCALES, log_magnitude
from bbans.models.base import Int32Array

MIXTURES = 4
RING = 3  # weight of the outer ring of the interpolation, in 1/32
MAGNITUDE_TOP = 1020
LOGIT_TOP = 255


@dataclass(frozen=True)
class Constants:
    """Constants of one phase: logits in 1/16 log2, scale offsets in 1/16 log2 (R, G, B by
    component), slopes and couplings in 1/64.
    """

    logits: tuple[int, ...]
    direction: int
    offsets: tuple[tuple[int, ...], ...]
    spread: tuple[int, ...]
    error: tuple[int, ...]
    couplings: tuple[int, int, int]


PHASES: tuple[Constants, ...] = (
    Constants(
        logits=(-28, -34, -4, -6),
        direction=19,
        offsets=((-8, 13, -6, 2), (-29, -2, -24, -17), (-32, -3, -26, -19)),
        spread=(19, 17, 41, 41),
        error=(37, 49, 20, 11),
        couplings=(56, 7, 52),
    ),
    Constants(
        logits=(-12, -30, -6, -9),
        direction=26,
        offsets=((-19, 3, 2, 6), (-40, -9, -14, -10), (-42, -10, -17, -12)),
        spread=(33, 26, 29, 28),
        error=(31, 39, 15, 13),
        couplings=(54, 12, 46),
    ),
    Constants(
        logits=(-14, -31, -8, -11),
        direction=26,
        offsets=((-19, 1, 4, 4), (-41, -9, -12, -13), (-43, -10, -14, -15)),
        spread=(25, 18, 28, 26),
        error=(42, 48, 15, 18),
        couplings=(54, 12, 46),
    ),
)


@dataclass(frozen=True)
class Features:
    """What a phase's distributions depend on, int32 on the grid `(..., h, w)`.

    locations `(3, 3, h, w)`: of the interpolation and of the two pairs, in 1/32 grey level relative
    to the prediction. direction, spread, error `(h, w)`: log2 of magnitudes in 1/16; direction is
    the log-ratio of pair one to pair two. magnitude `(h, w)`: the errors themselves, in quarters of
    a grey level, summed over the three channels.
    """

    locations: Int32Array
    direction: Int32Array
    spread: Int32Array
    error: Int32Array
    magnitude: Int32Array


def shifted(x: Int32Array, rows: int, columns: int) -> Int32Array:
    """x[..., i + rows, j + columns] with the edge repeated: return it for x `(..., h, w)`.

    Examples:
        >>> shifted(np.array([[1, 2, 3]], np.int32), 0, 1).tolist()
        [[2, 3, 3]]
    """
    h, w = x.shape[-2:]
    moved: Int32Array = x[
        ...,
        np.clip(np.arange(h) + rows, 0, h - 1)[:, None],
        np.clip(np.arange(w) + columns, 0, w - 1),
    ]
    return moved


def nearest(phase: int, known: list[Int32Array]) -> list[Int32Array]:
    """Return the four nearest known pixels, `(3, h, w)` each, opposite ones next to each other.

    `known` holds the phases 00, 11, 01 that are known; `phase` is the index of the one to predict.

    Examples:
        >>> len(nearest(0, [np.zeros((3, 2, 2), np.int32)]))
        4
    """
    a = known[0]
    if phase == 0:
        return [a, shifted(a, 1, 1), shifted(a, 0, 1), shifted(a, 1, 0)]
    d = known[1]
    if phase == 1:
        return [a, shifted(a, 0, 1), d, shifted(d, -1, 0)]
    return [shifted(d, 0, -1), d, a, shifted(a, 1, 0)]


def neighbours(phase: int, known: list[Int32Array]) -> tuple[list[Int32Array], list[Int32Array]]:
    """Return the four nearest known pixels as `nearest` orders them, and the next eight, `(3, h,
    w)` each.

    Examples:
        >>> [len(ring) for ring in neighbours(0, [np.zeros((3, 2, 2), np.int32)])]
        [4, 8]
    """
    inner, a = nearest(phase, known), known[0]
    if phase == 0:
        outer = [(-1, 0), (-1, 1), (0, -1), (0, 2), (1, -1), (1, 2), (2, 0), (2, 1)]
        return inner, [shifted(a, *at) for at in outer]
    d = known[1]
    if phase == 1:
        outer_a, outer_d = [(-1, 0), (-1, 1), (1, 0), (1, 1)], [(0, -1), (0, 1), (-1, -1), (-1, 1)]
    else:
        outer_a, outer_d = [(0, -1), (1, -1), (0, 1), (1, 1)], [(-1, 0), (1, 0), (-1, -1), (1, -1)]
    return inner, [shifted(a, *at) for at in outer_a] + [shifted(d, *at) for at in outer_d]


def log2_sixteenths(magnitude: Int32Array) -> Int32Array:
    """round(16 log2(1 + m)): return it as int32 for magnitudes m >= 0, clipped at 1020.

    Examples:
        >>> log2_sixteenths(np.array([0, 1, 3], np.int32)).tolist()
        [0, 16, 32]
    """
    table = log_magnitude()
    return np.asarray((table[np.minimum(magnitude, MAGNITUDE_TOP)] + 4) >> 3, np.int32)


def features(
    phase: int, known: list[Int32Array], sums: Int32Array, carried: Int32Array
) -> Features:
    """Compute the features of a phase.

    known: the known phases, int32 `(3, h, w)` each; sums `(3, h, w)`: four times the prediction;
    carried `(h, w)`: error magnitudes of the phases and levels before.

    Examples:
        >>> flat = np.full((3, 2, 2), 7, np.int32)
        >>> int(features(0, [flat], 4 * flat, np.zeros((2, 2), np.int32)).spread.max())
        0
    """
    (p, q, r, s), outer = neighbours(phase, known)
    ring: Int32Array = 2 * sums - np.sum(outer, axis=0, dtype=np.int32)
    one, two = np.abs(p - q).sum(0), np.abs(r - s).sum(0)
    spread = (
        np.sum([np.abs(4 * n - sums).sum(0) for n in (p, q, r, s)], axis=0, dtype=np.int32) >> 2
    )
    magnitude = carried
    if phase:
        made = np.abs(4 * known[phase] - _sums(phase - 1, known)).sum(0)
        other = shifted(
            made, -1 if phase == 1 else 1, 0
        )  # the other pixel of the earlier phase next to this one
        magnitude = (made + other + 2 * carried) >> 2
    return Features(
        locations=np.stack([RING * ring, 16 * (p + q) - 8 * sums, 16 * (r + s) - 8 * sums]),
        direction=log2_sixteenths(one) - log2_sixteenths(two),
        spread=log2_sixteenths(spread),
        error=log2_sixteenths(magnitude),
        magnitude=magnitude,
    )


def _sums(phase: int, known: list[Int32Array]) -> Int32Array:
    inner = nearest(phase, known)
    return np.asarray(np.sum(inner, axis=0, dtype=np.int32))


def mixture_parameters(f: Features, constants: Constants) -> NDArray[np.int16]:
    """Return mixture parameters, int16 `(h * w, 10 K)`: K logits, then 3 K locations, log-scales
    and couplings each, as `schemes.pyramid.pixels` reads them.

    Examples:
        >>> flat = np.full((3, 2, 2), 7, np.int32)
        >>> at = features(0, [flat], 4 * flat, np.zeros((2, 2), np.int32))
        >>> mixture_parameters(at, PHASES[0]).shape
        (4, 40)
    """
    h, w = f.direction.shape
    k = MIXTURES
    groups = columns(k)
    out = np.empty((width(k), h, w), np.int16)
    turn = constants.direction * f.direction >> 6
    for i, sign in enumerate((0, 0, -1, 1)):
        out[groups.logits][i] = np.clip(constants.logits[i] + sign * turn, -LOGIT_TOP, LOGIT_TOP)
    for channel in range(3):
        locations, scales, couplings = (out[of_colour(group, channel, k)] for group in groups[1:])
        for i, source in enumerate((0, 0, 1, 2)):
            locations[i] = f.locations[source, channel]
            slope = constants.spread[i] * f.spread + constants.error[i] * f.error
            scales[i] = np.clip(constants.offsets[channel][i] + (slope >> 6), 0, SCALES - 1)
        couplings[:] = constants.couplings[channel]
    return np.ascontiguousarray(out.reshape(width(k), -1).T)


class FixedPredictor:
    """The fixed predictor as a `schemes.pyramid.level.PyramidPredictor` whose latents are always
    switched off.
    """

    def latent_shape(self, h: int, w: int) -> tuple[int, int, int]:
        """Return `(0, h, w)`: there are no latents."""
        return 0, h, w

    def start(self, h: int, w: int) -> Any:
        """Return the error magnitudes before the coarsest level, int32 `(h, w)`: a large constant,
        since nothing is known.
        """
        return np.full((h, w), 128, np.int32)

    def carry_up(self, trunk: Any, h: int, w: int) -> Any:
        """Return the error magnitudes of a level on the `h x w` grid of the next finer one."""
        wide: Int32Array = np.repeat(np.repeat(trunk.magnitude, 2, 0), 2, 1)
        return wide[:h, :w]

    def trunk(
        self, phase: int, known: list[Int32Array], sums: Int32Array, carried: Any, level: int
    ) -> Any:
        """Compute the features of a phase from the known pixels, four times the prediction and the
        magnitudes carried on.
        """
        return features(phase, known, sums, carried.magnitude if phase else carried)

    def posterior(self, trunk: Any, residuals: list[Int32Array]) -> tuple[Int32Array, Int32Array]:
        """Raise NotImplementedError: there are no latents, and no caller evaluates their
        posterior.
        """
        raise NotImplementedError("the fixed predictor has no latents")

    def outputs(self, phase: int, trunk: Any, u: Int32Array) -> NDArray[np.int16]:
        """Return mixture parameters, int16 `(h * w, 10 K)`."""
        return mixture_parameters(trunk, PHASES[phase])
