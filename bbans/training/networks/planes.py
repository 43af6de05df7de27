"""Operations on the planes of a pyramid: phases, neighbours, pooling, and bits of pixels under
mixtures of logistics.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor
from torch.nn import functional as F

LOG2_SCALE_RANGE = (-4.0, 6.0)
LOG2_SIGMA_RANGE = (-6.0, 1.0)  # range of log2 sigma of q(u)
ACT_MAX = 8.0
LOCATION_UNIT = 4.0  # head output 1.0 is four grey levels
PixelBits: TypeAlias = Callable[[Tensor, Tensor, Tensor, int, Tensor], Tensor]  # `mixture_bits`


def activate(x: Tensor) -> Tensor:
    """clip(x, 0, ACT_MAX): apply the clipped rectifier, the only nonlinearity, whose range integers
    cover.

    Examples:
        >>> activate(torch.tensor([-1.0, 9.0])).tolist()
        [0.0, 8.0]
    """
    return F.hardtanh(x, 0.0, ACT_MAX)


def split_phases(x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the phases 00, 11, 01, 10 of `(B, C, H, W)`, each `(B, C, H/2, W/2)`.

    Examples:
        >>> [phase.item() for phase in split_phases(torch.arange(4.0).view(1, 1, 2, 2))]
        [0.0, 3.0, 1.0, 2.0]
    """
    return x[..., 0::2, 0::2], x[..., 1::2, 1::2], x[..., 0::2, 1::2], x[..., 1::2, 0::2]


def shift(x: Tensor, rows: int, columns: int) -> Tensor:
    """x[..., i + rows, j + columns] with the edge repeated: return it for rows and columns in {-1,
    0, 1}.

    Examples:
        >>> shift(torch.tensor([[1, 2, 3]]), 0, 1).tolist()
        [[2, 3, 3]]
    """
    if rows:
        x = (
            torch.cat([x[..., 1:, :], x[..., -1:, :]], -2)
            if rows > 0
            else torch.cat([x[..., :1, :], x[..., :-1, :]], -2)
        )
    if columns:
        x = (
            torch.cat([x[..., 1:], x[..., -1:]], -1)
            if columns > 0
            else torch.cat([x[..., :1], x[..., :-1]], -1)
        )
    return x


def neighbour_sums(phase: int, known: list[Tensor]) -> Tensor:
    """Return four times the prediction: the sum of the four nearest known pixels, `(B, 3, h, w)`.

    `known` is [00], [00, 11] or [00, 11, 01].

    Examples:
        >>> neighbour_sums(0, [torch.ones(1, 3, 1, 1)]).flatten().tolist()
        [4.0, 4.0, 4.0]
    """
    a = known[0]
    if phase == 0:
        return a + shift(a, 0, 1) + shift(a, 1, 0) + shift(a, 1, 1)
    d = known[1]
    if phase == 1:
        return a + shift(a, 0, 1) + d + shift(d, -1, 0)
    return a + shift(a, 1, 0) + d + shift(d, 0, -1)


def pool(x: Tensor, block: int) -> Tensor:
    """Average over blocks, `(B, C, h, w)` to `(B, C, ceil(h / block), ceil(w / block))`; incomplete
    blocks are filled by repeating the edge.

    Examples:
        >>> pool(torch.ones(1, 1, 3, 3), 2).shape
        torch.Size([1, 1, 2, 2])
    """
    h, w = x.shape[-2:]
    x = F.pad(x, (0, -w % block, 0, -h % block), mode="replicate")
    return F.avg_pool2d(x, block)


def spread(x: Tensor, block: int, h: int, w: int) -> Tensor:
    """Upsample by `block` with nearest neighbours, cropped to `(h, w)`.

    Examples:
        >>> spread(torch.ones(1, 1, 2, 2), 2, 3, 4).shape
        torch.Size([1, 1, 3, 4])
    """
    return x.repeat_interleave(block, -2)[..., :h, :].repeat_interleave(block, -1)[..., :w]


def mixture_bits(parameters: Tensor, x: Tensor, sums: Tensor, K: int, grey: Tensor) -> Tensor:
    """-log2 p of each pixel under the logistic mixture: return bits `(B, h, w)`; images in `grey`
    count one channel only.

    parameters `(B, 10K, h, w)`; x and sums `(B, 3, h, w)` in grey levels, where sums is four times
    the prediction.

    Examples:
        >>> zero = torch.zeros(1, 3, 2, 2)
        >>> mixture_bits(torch.zeros(1, 10, 2, 2), zero, zero, 1, torch.tensor([False])).shape
        torch.Size([1, 2, 2])
    """
    B, _, h, w = parameters.shape
    p = parameters.float()
    log_pi = torch.log_softmax(p[:, :K] * math.log(2), 1)
    m, log2_s, a = p[:, K:].reshape(B, 3, 3, K, h, w).unbind(1)
    r = (x - sums / 4)[:, :, None]
    m = m * LOCATION_UNIT
    e = r[:, :2] - m[:, :2]
    # innovation form: G follows R's error, B follows R's and G's
    centre = torch.stack(
        [
            e[:, 0],
            r[:, 1] - m[:, 1] - a[:, 0] * e[:, 0],
            r[:, 2] - m[:, 2] - a[:, 1] * e[:, 0] - a[:, 2] * e[:, 1],
        ],
        1,
    )
    inverse = torch.exp2(-log2_s.clamp(*LOG2_SCALE_RANGE))
    # the outermost bins reach to infinity: log(S(U) - S(L)) = log S(U) + log S(-L) + log(1 - e^(L -
    # U)) covers that too
    upper = (centre + 0.5) * inverse + (x > 254.5)[:, :, None] * 1e4
    lower = (centre - 0.5) * inverse - (x < 0.5)[:, :, None] * 1e4
    log_p = torch.log(-torch.expm1(lower - upper)) - F.softplus(-upper) - F.softplus(lower)
    weight = (~grey).to(log_p.dtype)[:, None, None, None, None].expand(B, 2, 1, 1, 1)
    weight = torch.cat([torch.ones_like(weight[:, :1]), weight], 1)
    return -torch.logsumexp(log_pi + (log_p * weight).sum(1), 1) / math.log(2)
