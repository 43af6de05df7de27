"""ESS = (sum w)^2 / sum w^2 and SNR = |E g| / sd(g): the quality of samples from q, and of
gradients of a bound.

Sources: Rainforth et al. 2018 (arXiv:1802.04537) for the signal-to-noise ratio and its rates in K
and M; Kong 1992 for the effective sample size; Burda et al. 2016 (arXiv:1509.00519) for
self-normalised weights.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def normalised_weights(log_w: Tensor) -> Tensor:
    """w_k / sum w: return it for log2 w `(K, B)`, same shape: the weights with which IWAE averages
    the gradients of log w_k.

    Examples:
        >>> normalised_weights(torch.tensor([[0.0], [1.0]])).flatten().tolist()
        [0.333..., 0.666...]
    """
    return torch.softmax(log_w * math.log(2), -2)


def effective_samples(log_w: Tensor) -> Tensor:
    """ESS = (sum w)^2 / sum w^2: return it for log2 w `(K, B)`, as `(B,)` in 1..K.

    Examples:
        >>> effective_samples(torch.zeros(4, 1)).item()
        4.0
    """
    size: Tensor = 1 / (normalised_weights(log_w) ** 2).sum(-2)
    return size


def signal_to_noise(gradients: Tensor) -> float:
    """SNR = sqrt(sum (E g_p)^2 / sum var g_p) over parameters p: estimate it from R independent
    gradients `(R, P)`; 0 where the signal is below the noise.

    (mean g)^2 exceeds (E g)^2 by var g / R in expectation, which is subtracted; without that no
    estimate would fall below about 1 / sqrt(R).

    Examples:
        >>> signal_to_noise(torch.tensor([[1.0], [-1.0]]))
        0.0
    """
    variance = gradients.var(0).sum()
    signal = (gradients.mean(0) ** 2).sum() - variance / len(gradients)
    return math.sqrt(max(0.0, float(signal / variance)))
