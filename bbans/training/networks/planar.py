"""z = u + v tanh(w u + b), log |det dz / du| = log(1 + tanh'(w u + b) w v): a planar flow, which
can be trained but not coded.

Its inverse is the root of an equation in one unknown, found iteratively in floats, so that two
machines may arrive at neighbouring bins. Networks with such a posterior (`rich_vae`) are trained
and measured in floats, and their export is refused.

Source: Rezende and Mohamed 2015 (arXiv:1505.05770); v is modified as in their appendix A.1, so that
the map is invertible.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

LN2 = math.log(2)
SMALLEST = 1e-12  # lower bound of |w|^2 in the division


def planar(u: Tensor, v: Tensor, w: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Return z `(B, dims)` and log2 |det dz / du| `(B,)` for u, v, w `(B, dims)` and b `(B,)`.

    v is replaced by v + (m(w v) - w v) w / |w|^2, m(a) = log(1 + e^a) - 1 > -1, so that the
    determinant is positive.

    Examples:
        >>> u = torch.tensor([[1.0, 2.0]])
        >>> planar(u, torch.zeros(1, 2), torch.zeros(1, 2), torch.zeros(1))[0].tolist()
        [[1.0, 2.0]]
    """
    product = (w * v).sum(1, keepdim=True)
    v = v + (F.softplus(product) - 1 - product) * w / (w**2).sum(1, keepdim=True).clamp_min(
        SMALLEST
    )
    bent = torch.tanh((w * u).sum(1, keepdim=True) + b[:, None])
    log_det = torch.log1p((1 - bent**2) * (w * v).sum(1, keepdim=True))[:, 0] / LN2
    return u + v * bent, log_det
