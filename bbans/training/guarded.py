"""g min(1, c / |g|), and 0 where |g| is no number: a clipped gradient that leaves nothing to be
read back from a GPU.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch.nn import Parameter


def clip(parameters: Iterable[Parameter], norm: float, beside: Iterable[Parameter] = ()) -> None:
    """Clip the norm of the parameters' gradients; where it is infinite or NaN, all gradients become
    0.

    Those of `beside` become 0 as well, and are not clipped. Adam goes on from its moments in such a
    step, which no NaN reaches.
    """
    own = list(parameters)
    total = torch.nn.utils.clip_grad_norm_(own, norm)
    lost = ~torch.isfinite(total)
    for parameter in (*own, *beside):
        if parameter.grad is not None:
            parameter.grad.masked_fill_(lost, 0.0)
