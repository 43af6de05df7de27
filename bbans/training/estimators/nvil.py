"""g = (f(b) - C(x) - m) (b - p) / max(1, s): the score function with a learned baseline, centred
and scaled by running moments.

NVIL (Mnih and Gregor 2014, arXiv:1402.0030). C(x) is any network of what f is given besides b,
trained to predict f; m and s^2 are the mean and variance that earlier steps saw. Unbiased with
`scaled` off; with it the expectation is the gradient over max(1, s).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from bbans.training.estimators.estimate import Estimate, Function, Noise, column, noise
from bbans.training.networks.discrete_latents import BITS, Latent
from bbans.training.terms import alone


@dataclass(frozen=True)
class Moments:
    """Running mean and variance of f - C(x) over the steps so far, in f's unit and its square.

    Numbers, or tensors `()`: a trainer keeps them where f is, so that no step waits for them.
    """

    mean: float | Tensor = 0.0
    variance: float | Tensor = 0.0
    steps: float | Tensor = 0

    @property
    def scale(self) -> Tensor:
        """What NVIL divides by, float64 `()`."""
        return torch.as_tensor(self.variance, dtype=torch.float64).sqrt().clamp(min=1.0)


def updated(
    moments: Moments,
    value: Tensor,
    baseline: Tensor | float = 0.0,
    keep: float = 0.8,
    total: Callable[[Tensor], Tensor] = alone,
) -> Moments:
    """Moments after a step whose f was `value` `(B,)`; to be used from the next step on, or g would
    be biased.

    `total` sums a tensor over the processes that share the step.
    """
    residual = (value - baseline).detach().double()
    items = total(residual.new_full((), len(residual)))
    steps = torch.as_tensor(moments.steps, dtype=residual.dtype, device=residual.device)
    share = 1 - (steps / (steps + 1)).clamp(max=keep)
    found = total(residual.sum()) / items
    spread = total(((residual - found) ** 2).sum()) / items
    return Moments(
        moments.mean + share * (found - moments.mean),
        moments.variance + share * (spread - moments.variance),
        steps + 1,
    )


def nvil(
    f: Function,
    logits: Tensor,
    source: Generator | Noise,
    baseline: Tensor | float = 0.0,
    moments: Moments | None = None,
    latent: Latent = BITS,
    scaled: bool = False,
) -> Estimate:
    """`baseline` `(B,)` is C(x), of which only the value is used; `baseline_loss` trains it."""
    moments = moments or Moments()
    b = latent.sample(logits, noise(source, logits).uniform(logits))
    value = f(b)
    signal = (value - baseline - moments.mean).detach() / (moments.scale if scaled else 1.0)
    return Estimate(column(signal, logits) * (b - latent.probabilities(logits.detach())), value)


def baseline_loss(value: Tensor, baseline: Tensor, moments: Moments | None = None) -> Tensor:
    """Mean squared residual of f `(B,)`, whose derivative reaches the baseline alone."""
    centre = 0.0 if moments is None else moments.mean
    return ((value.detach() - centre - baseline) ** 2).mean()
