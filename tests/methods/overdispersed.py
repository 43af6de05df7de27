"""q = N(0, s^2 I) of a posterior N(0, S), S of correlation 0.9, trained by s alone on each bound:
what the objective makes of one q.
"""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor

from bbans.training.objectives import ciwae, elbo, iwae, miwae, piwae

CORRELATION = 0.9
PARTICLES, GROUPS = 16, 4
BOUNDS = {
    "elbo": elbo,
    "ciwae": functools.partial(ciwae, elbo_share=0.5),
    "miwae": lambda log_w: miwae(log_w.reshape(GROUPS, -1, log_w.shape[1])),
    "piwae": lambda log_w: piwae(log_w.reshape(GROUPS, -1, log_w.shape[1])).posterior,
    "iwae": iwae,
}


def log_weights(log_s: Tensor, items: int, seed: int, particles: int = PARTICLES) -> Tensor:
    """log2 w `(K, items)`; p(x) is 1."""
    e = torch.randn(
        particles, items, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )
    z = torch.exp(log_s) * e
    square = ((z**2).sum(2) - 2 * CORRELATION * z.prod(2)) / (1 - CORRELATION**2)
    log_p = -0.5 * square - 0.5 * math.log(1 - CORRELATION**2)
    return (log_p + 0.5 * (e**2).sum(2) + 2 * log_s) / math.log(2)


@functools.cache
def optimum(name: str) -> float:
    """s that maximises a bound's mean over 4000 items of fixed noise."""
    log_s = torch.tensor(-0.5, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([log_s], max_iter=30, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss = -BOUNDS[name](log_weights(log_s, 4000, 0)).mean()
        loss.backward()
        return loss

    optimiser.step(closure)
    return math.exp(float(log_s.detach()))
