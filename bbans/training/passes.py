"""Passes over a latent chain's items, each in an order of its own, cut into batches; items and
orders are put on a device once.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


class Passes:
    """Batches of x `(N, dims)` and labels `(N,)` or `(N, told)`, if any: functions of seed and
    step.
    """

    def __init__(
        self,
        x: NDArray[np.integer],
        labels: NDArray[np.integer] | None,
        seed: int,
        batch: int,
        device: torch.device,
    ) -> None:
        self._x = _stored(x).to(device)
        self._labels = None if labels is None else _stored(labels).to(device)
        self._seed = seed
        self.items = min(batch, len(x))
        self._steps = len(x) // self.items
        self._order: tuple[int, Tensor] | None = None

    def batch(self, step: int, share: slice) -> tuple[Tensor, Tensor | None]:
        """A share of the step's `items` items, as int64 tensors."""
        a_pass, part = divmod(step, self._steps)
        if self._order is None or self._order[0] != a_pass:
            order = np.random.default_rng((self._seed, a_pass)).permutation(len(self._x))
            self._order = a_pass, torch.from_numpy(order).to(self._x.device)
        rows = self._order[1][part * self.items :][: self.items][share]
        return self._x[rows].long(), None if self._labels is None else self._labels[rows].long()


def _stored(a: NDArray[np.integer]) -> Tensor:
    """Bytes stay bytes; others, which torch does not index in every width, become int64."""
    kept = a if a.dtype == np.uint8 else a.astype(np.int64)
    return torch.from_numpy(np.require(kept, requirements=["C", "W"]))
