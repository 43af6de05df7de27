"""Epochs over a data set, each a permutation cut into batches; the data and the permutation are
copied to a device once.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


class Passes:
    """Batches of x `(N, dims)` and labels `(N,)` or `(N, conditioning)`, if any, as functions of
    seed and step.

    Examples:
        >>> data = Passes(np.zeros((10, 4), np.uint8), None, 0, 5, torch.device("cpu"))
        >>> data.batch(step=3, share=slice(None))[0].shape
        torch.Size([5, 4])
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
        """Return a share of the step's `items` items, x and labels as int64 tensors."""
        a_pass, part = divmod(step, self._steps)
        if self._order is None or self._order[0] != a_pass:
            order = np.random.default_rng((self._seed, a_pass)).permutation(len(self._x))
            self._order = a_pass, torch.from_numpy(order).to(self._x.device)
        rows = self._order[1][part * self.items :][: self.items][share]
        return self._x[rows].long(), None if self._labels is None else self._labels[rows].long()


def _stored(a: NDArray[np.integer]) -> Tensor:
    """Keep uint8 as it is and convert other types, which torch cannot all index, to int64."""
    kept = a if a.dtype == np.uint8 else a.astype(np.int64)
    return torch.from_numpy(np.require(kept, requirements=["C", "W"]))
