"""z_k = F^-1(u + s_k mod 1): particles coupled by shared quantiles u, and the cells of u in which
none of them changes.

Used by `importance.coupled_codec` (BB-CIS), which pops cells instead of all digits of u.

Source: Ruan, Ullrich, Severo, Townsend, Khisti, Doucet, Makhzani and Maddison 2021 (McBits,
arXiv:2102.11086); cells are new here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from bbans.distributions.distribution import Distribution, Factors, Ints

SHIFT_SEED = 0


@lru_cache(maxsize=8)
def shifts(particles: int, dims: int, precision: int) -> Ints:
    """Return s_k in units of 2^-precision: floor(2^precision pi_d(k) / K), int64 `(K, dims)`.

    pi_d is a permutation of 0, ..., K - 1 with pi_d(0) = 0, another one in each dimension d. The
    array is cached and read-only.

    Examples:
        >>> shifts(particles=2, dims=3, precision=4).tolist()
        [[0, 0, 0], [8, 8, 8]]
    """
    keys = (
        np.random.PCG64(SHIFT_SEED).random_raw((particles - 1) * dims).reshape(particles - 1, dims)
    )
    order = np.concatenate(
        [np.zeros((1, dims), np.int64), 1 + keys.argsort(0, kind="stable").astype(np.int64)]
    )
    quantile_shifts: Ints = (order << precision) // particles
    quantile_shifts.setflags(write=False)
    return quantile_shifts


@dataclass(frozen=True, eq=False)
class Cells:
    """For every symbol of q, the cell of u in which no particle changes.

    Calling `locate` over all symbols fills `z` with the particles, int64 `(K, items * dims)`, and
    `freqs` with the widths of the cells out of 2^precision.
    """

    q: Factors
    shifts: Ints
    z: Ints
    freqs: Ints

    @property
    def mask(self) -> int:
        """Return the bit mask of numbers of q's precision."""
        return (1 << self.q.precision) - 1

    def locate(self, cf: Ints, first: int, last: int) -> tuple[Ints, Ints, Ints]:
        """Return `(start, start, freq)` of the cells that contain `cf`, for symbols first..last-1.

        A cell is identified by its start.
        """
        u = cf.astype(np.int64)
        below = np.full(last - first, self.mask + 1)
        above = below.copy()
        for k, shift in enumerate(self.shifts):
            shifted = (u + shift[np.arange(first, last) % len(shift)]) & self.mask
            self.z[k, first:last], start, freq = self.q.symbol(shifted, first, last)
            below = np.minimum(below, shifted - start)
            above = np.minimum(above, start + freq - shifted)
        self.freqs[first:last] = below + above
        return u - below, u - below, below + above

    def shift_of(self, j: Ints) -> Ints:
        """Return the shifts of the chosen particles, int64 `(items * dims,)`; j int64 `(items,
        1)`.
        """
        return self.shifts[j[:, 0]].reshape(-1)


def cells_of(q: Factors, particles: int) -> Cells:
    """Allocate the cells of a posterior for K `particles`; `Cells.locate` fills them.

    Examples:
        >>> from bbans.distributions import uniform
        >>> q = factors_of(uniform.uniform((2, 3), 4))
        >>> cells_of(q, particles=5).z.shape
        (5, 6)
    """
    items, dims = q.shape
    quantile_shifts = shifts(particles, dims, q.precision)
    return Cells(
        q,
        quantile_shifts,
        np.empty((particles, items * dims), np.int64),
        np.empty(items * dims, np.int64),
    )


def factors_of(q: Distribution) -> Factors:
    """Return the factors of q, its independent symbols. Raises ValueError where it has none.

    Examples:
        >>> from bbans.distributions import uniform
        >>> factors_of(uniform.uniform((2, 3), 4)).shape
        (2, 3)
    """
    if q.factors is None:
        raise ValueError("coupled particles need a posterior of independent symbols; use `codec`")
    return q.factors
