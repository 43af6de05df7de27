"""g = sum_k (L - L_-k) (b_k - p), L = log (1/K) sum_i w(b_i), where L_-k replaces w(b_k) by a
prediction from the other samples.

VIMCO (Mnih and Rezende 2016, arXiv:1602.06725): unbiased for the gradient of E[L], since L_-k does
not depend on b_k. The prediction is the geometric mean of the others, or their arithmetic mean.
"""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor

from bbans.errors import InputError
from bbans.training.estimators.estimate import Estimate, Function, Noise, column, noise
from bbans.training.networks.discrete_latents import BITS, Latent


def signals(log_w: Tensor, geometric: bool = True) -> Tensor:
    """L - L_-k: return it for log w `(K, B)` in nats, same shape.

    Raises InputError for K = 1, which leaves no other sample.

    Examples:
        >>> signals(torch.zeros(2, 1)).tolist()
        [[0.0], [0.0]]
    """
    K = len(log_w)
    if K < 2:
        raise InputError(
            f"VIMCO needs two samples an item or more; found {K}: raise the number or use another "
            "estimator"
        )
    own = torch.eye(K, dtype=torch.bool, device=log_w.device)[:, :, None]
    others = log_w.expand(K, *log_w.shape).masked_fill(own, -math.inf)  # (k, i, B)
    guess = (
        (log_w.sum(0) - log_w) / (K - 1)
        if geometric
        else torch.logsumexp(others, 1) - math.log(K - 1)
    )
    without = torch.logsumexp(torch.where(own, guess[:, None], others), 1)
    return torch.logsumexp(log_w, 0) - without


def vimco(
    log_w: Function,
    logits: Tensor,
    source: Generator | Noise,
    samples: int,
    geometric: bool = True,
    latent: Latent = BITS,
) -> Estimate:
    """Estimate d/d logits E[L] by VIMCO; the value `(B,)` is L in nats, a bound to be maximised.

    `log_w` takes samples `(K, B, ...)` and returns `(K, B)` in nats; where log q(b) is part of it,
    it depends on the logits and `surrogate` adds their direct derivative. Raises InputError for
    fewer than two samples.

    Examples:
        >>> source = Generator().manual_seed(0)
        >>> estimate = vimco(lambda b: -b.sum(2), torch.zeros(5, 3), source, samples=2)
        >>> estimate.gradient.shape, estimate.value.shape
        (torch.Size([5, 3]), torch.Size([5]))
    """
    uniform = noise(source, logits)
    b = torch.stack([latent.sample(logits, uniform.uniform(logits)) for _ in range(samples)])
    logs = log_w(b)
    signal = column(signals(logs.detach(), geometric), logits)
    gradient = (signal * (b - latent.probabilities(logits.detach()))).sum(0)
    return Estimate(gradient, torch.logsumexp(logs, 0) - math.log(samples))
