"""g min(1, c / |g|), or 0 where |g| is not finite: gradient clipping that reads nothing back from a
GPU.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch.nn import Parameter


def clip(parameters: Iterable[Parameter], norm: float, beside: Iterable[Parameter] = ()) -> None:
    """Clip the norm of the parameters' gradients to `norm`; where the norm is infinite or NaN, set
    all gradients to 0.

    Gradients of `beside` are set to 0 in that case as well, but never clipped. Adam then steps by
    its moments, which no NaN reaches.

    Examples:
        >>> p = Parameter(torch.zeros(1))
        >>> p.grad = torch.full((1,), 8.0)
        >>> clip([p], 2.0)
        >>> round(p.grad.item(), 3)
        2.0
    """
    own = list(parameters)
    total = torch.nn.utils.clip_grad_norm_(own, norm)
    lost = ~torch.isfinite(total)
    for parameter in (*own, *beside):
        if parameter.grad is not None:
            parameter.grad.masked_fill_(lost, 0.0)
