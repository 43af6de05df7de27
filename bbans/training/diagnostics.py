"""ESS = (sum w)^2 / sum w^2, SNR = |E g| / sd(g): how good samples from q and gradients of a bound
are.

Sources: Rainforth et al. 2018 (arXiv:1802.04537) for the signal-to-noise ratio and its rates in K
and M; Kong 1992 for the effective sample size; Burda et al. 2016 (arXiv:1509.00519) for
self-normalised weights.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def normalised_weights(log_w: Tensor) -> Tensor:
    """w_k / sum w of log2 w `(K, B)`: what the gradient of IWAE averages the gradients of log w_k
    with.
    """
    return torch.softmax(log_w * math.log(2), -2)


def effective_samples(log_w: Tensor) -> Tensor:
    """ESS of log2 w `(K, B)`, `(B,)`, 1 to K."""
    found: Tensor = 1 / (normalised_weights(log_w) ** 2).sum(-2)
    return found


def signal_to_noise(gradients: Tensor) -> float:
    """Root of sum (E g_p)^2 / sum var g_p over parameters, of R independent gradients `(R, P)`; 0
    where it cannot be told from 0.

    (mean g)^2 exceeds (E g)^2 by var g / R, which is taken off: without that no estimate falls
    below about 1 / sqrt(R).
    """
    variance = gradients.var(0).sum()
    signal = (gradients.mean(0) ** 2).sum() - variance / len(gradients)
    return math.sqrt(max(0.0, float(signal / variance)))
