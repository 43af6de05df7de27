"""-log2 p(x | .) and KL divergences on reals: the densities of `models.heads`, for training. All
code lengths are in bits.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from bbans.distributions.sample_grid import UNIT
from bbans.models.heads import BERNOULLI, BETA_BINOMIAL, CATEGORICAL, LOCATION_STEP, LOGISTIC, Head

LN2 = math.log(2)


def sample_bits(
    head: Head,
    outputs: list[Tensor],
    x: Tensor,
    shared: Callable[[Tensor], list[Tensor]] | None = None,
) -> Tensor:
    """-log2 p(x | .): return it in bits, `(B, dims)`; x int64 `(B, dims)`; `shared` evaluates the
    shared linear map of a categorical head.

    Examples:
        >>> head = Head(3, 2, BERNOULLI, 0)
        >>> sample_bits(head, [torch.zeros(1, 3)], torch.tensor([[0, 1, 1]])).tolist()
        [[1.0, 1.0, 1.0]]
    """
    if head.kind == BERNOULLI:
        return bernoulli_bits(outputs[0], x.to(outputs[0].dtype))
    if head.kind == BETA_BINOMIAL:
        return _beta_binomial_bits(
            head.levels - 1, torch.exp2(outputs[0]), torch.exp2(outputs[1]), x.to(outputs[0].dtype)
        )
    if head.kind == CATEGORICAL:
        logits = outputs[0].view(*x.shape, -1)
        if shared is not None:
            logits = shared(logits.flatten(0, 1))[0].view(*x.shape, -1)
        return (
            F.cross_entropy(logits.flatten(0, 1) * LN2, x.flatten(), reduction="none").view(x.shape)
            / LN2
        )
    return _mixture_bits(head, outputs, x)


def bernoulli_bits(logit: Tensor, b: Tensor) -> Tensor:
    """-log2 of a Bernoulli variable's mass at b: return it in bits, any shape; b may lie between 0
    and 1 (a cross-entropy).

    Examples:
        >>> bernoulli_bits(torch.zeros(1), torch.ones(1)).item()
        1.0
    """
    return F.binary_cross_entropy_with_logits(logit, b, reduction="none") / LN2


def gaussian_bits(u: Tensor, mean: Tensor, log2_sigma: Tensor) -> Tensor:
    """-log2 N(u; mean, sigma^2) / N(u; 0, 1): return it in bits, any shape.

    Examples:
        >>> zero = torch.zeros(1)
        >>> gaussian_bits(zero, zero, -torch.ones(1)).item()
        -1.0
    """
    return log2_sigma + (((u - mean) * torch.exp2(-log2_sigma)) ** 2 - u**2) / (2 * LN2)


def standard_divergence(mean: Tensor, log2_sigma: Tensor) -> Tensor:
    """KL(N(mean, sigma^2) || N(0, 1)) = (mean^2 + sigma^2 - 1) / (2 ln 2) - log2 sigma: return it
    in bits, any shape.

    Examples:
        >>> standard_divergence(torch.zeros(1), torch.zeros(1)).item()
        0.0
    """
    return (mean**2 + torch.exp2(2 * log2_sigma) - 1) / (2 * LN2) - log2_sigma


def start(head: Head, net: Any) -> None:
    """Set the initial biases of p(x | .): the components of a logistic mixture are spread over the
    grey levels, one of them below black.

    Examples:
        >>> from bbans.models.vae import VaeConfig
        >>> from bbans.training.networks.vae import VaeNet
        >>> config = VaeConfig(2, 2, latents=(3,), hidden=4)
        >>> likelihood = VaeNet(config).net("likelihood0")
        >>> with torch.no_grad():
        ...     start(config.head, likelihood)
        >>> (likelihood.output_bias(1)[:3] * LOCATION_STEP).tolist()
        [-8.0, 123.5, 255.0]
    """
    if head.kind == LOGISTIC:
        K, locations = head.components, net.output_bias(1)
        times = locations.shape[-1] // K
        locations.copy_(torch.linspace(-8.0, 255.0, K).repeat(times) / LOCATION_STEP)
        net.output_bias(2).copy_(torch.linspace(2.0, 4.0, K).repeat(times))


def _mixture_bits(head: Head, outputs: list[Tensor], x: Tensor) -> Tensor:
    logits, locations, log2_scales = (o.view(*x.shape, head.components) for o in outputs)
    boundaries = _boundaries(head, logits.dtype, logits.device)
    inverse = torch.exp2(-log2_scales)
    m = locations * LOCATION_STEP
    upper = (boundaries[x + 1][..., None] - m) * inverse
    lower = (boundaries[x][..., None] - m) * inverse
    # log(S(U) - S(L)) = log S(U) + log S(-L) + log(1 - e^(L - U)), which holds at infinity too
    log_p = torch.log(-torch.expm1(lower - upper)) - F.softplus(-upper) - F.softplus(lower)
    return -torch.logsumexp(torch.log_softmax(logits * LN2, -1) + log_p, -1) / LN2


@lru_cache(maxsize=16)
def _boundaries(head: Head, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return the boundaries between levels in grey levels, cached per device."""
    boundaries = head.axis.boundaries / 2.0**UNIT
    boundaries[0], boundaries[-1] = -1e6, 1e6  # the outermost levels reach to infinity
    return torch.from_numpy(boundaries).to(device, dtype)


def _beta_binomial_bits(n: int, a: Tensor, b: Tensor, x: Tensor) -> Tensor:
    def log_beta(a: Tensor, b: Tensor) -> Tensor:
        return torch.lgamma(a) + torch.lgamma(b) - torch.lgamma(a + b)

    log_choose = -math.log(n + 1) - log_beta(x + 1, n - x + 1)
    return (log_beta(a, b) - log_beta(x + a, n - x + b) - log_choose) / LN2
