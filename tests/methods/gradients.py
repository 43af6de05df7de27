"""Gradients of IWAE and MIWAE in the toy of Rainforth et al. 2018 (arXiv:1802.04537): z ~ N(mu, I),
x ~ N(z, I), q = N(A x + b, 2/3 I).

A and b are near their best, I / 2 and mu / 2. With z = A x + b + s e, d log w / d b = mu + x - 2 z
and d log w / d mu = z - mu.
"""

from __future__ import annotations

import functools

import torch
from torch import Tensor

DIMS = 20
CHUNK = 2_000_000
S = (2 / 3) ** 0.5


@functools.cache
def setting(seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """mu, x and the mean of q."""
    g = torch.Generator().manual_seed(seed)
    mu, off_a, off_b = (
        torch.randn(DIMS, generator=g),
        0.01 * torch.randn(DIMS, DIMS, generator=g),
        0.01 * torch.randn(DIMS, generator=g),
    )
    x = mu + 2**0.5 * torch.randn(DIMS, generator=g)
    return mu, x, (0.5 * torch.eye(DIMS) + off_a) @ x + mu / 2 + off_b


def gradients(runs: int, particles: int, groups: int = 1, seed: int = 1) -> tuple[Tensor, Tensor]:
    """Of mu and of b, each `(runs, DIMS)`, of MIWAE of these groups of particles: IWAE where there
    is one.
    """
    mu, x, mean = setting()
    g = torch.Generator().manual_seed(seed)
    at_once = max(1, CHUNK // (groups * particles * DIMS))
    found = []
    for first in range(0, runs, at_once):
        z = torch.randn(min(at_once, runs - first), groups, particles, DIMS, generator=g)
        log_q = -0.5 * (z**2).sum(3)
        z = z.mul_(S).add_(mean)
        log_w = -0.5 * (((z - mu) ** 2).sum(3) + ((x - z) ** 2).sum(3)) - log_q
        average = torch.einsum("rmk,rmkd->rmd", torch.softmax(log_w, 2), z).mean(1)
        found.append(torch.stack([average - mu, mu + x - 2 * average]))
    by_mu, by_b = torch.cat(found, 1)
    return by_mu, by_b
