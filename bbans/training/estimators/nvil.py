"""g = (f(b) - C(x) - m) (b - p) / max(1, s): the score function with a learned baseline, centred
and scaled by running moments.

NVIL (Mnih and Gregor 2014, arXiv:1402.0030). C(x) is any network of f's inputs besides b, trained
to predict f; m and s^2 are the running mean and variance of earlier steps. Unbiased without
`scaled`; with it the expectation is the gradient over max(1, s).
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
    """Running mean and variance of f - C(x) over earlier steps, in f's unit and its square.

    The values are numbers, or tensors `()`: training keeps them on f's device, so that no step
    waits for them.
    """

    mean: float | Tensor = 0.0
    variance: float | Tensor = 0.0
    steps: float | Tensor = 0

    @property
    def scale(self) -> Tensor:
        """NVIL's divisor max(1, s), float64 `()`."""
        return torch.as_tensor(self.variance, dtype=torch.float64).sqrt().clamp(min=1.0)


def updated(
    moments: Moments,
    value: Tensor,
    baseline: Tensor | float = 0.0,
    keep: float = 0.8,
    total: Callable[[Tensor], Tensor] = alone,
) -> Moments:
    """Return the moments after a step with f = `value` `(B,)`; using them before the next step
    would bias g.

    `keep` is the largest decay of the moving average; `total` sums a tensor over the processes that
    share the step.

    Examples:
        >>> updated(Moments(), torch.tensor([1.0, 3.0])).mean.item()
        2.0
    """
    residual = (value - baseline).detach().double()
    items = total(residual.new_full((), len(residual)))
    steps = torch.as_tensor(moments.steps, dtype=residual.dtype, device=residual.device)
    share = 1 - (steps / (steps + 1)).clamp(max=keep)
    mean = total(residual.sum()) / items
    spread = total(((residual - mean) ** 2).sum()) / items
    return Moments(
        moments.mean + share * (mean - moments.mean),
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
    """Estimate d/d logits E[f(b)] by NVIL. `baseline` `(B,)` is C(x), of which only the value is
    used; `baseline_loss` trains it.

    Examples:
        >>> source = Generator().manual_seed(0)
        >>> estimate = nvil(lambda b: b.sum(1) ** 2, torch.zeros(5, 3), source)
        >>> estimate.gradient.shape, estimate.value.shape
        (torch.Size([5, 3]), torch.Size([5]))
    """
    moments = moments or Moments()
    b = latent.sample(logits, noise(source, logits).uniform(logits))
    value = f(b)
    signal = (value - baseline - moments.mean).detach() / (moments.scale if scaled else 1.0)
    return Estimate(column(signal, logits) * (b - latent.probabilities(logits.detach())), value)


def baseline_loss(value: Tensor, baseline: Tensor, moments: Moments | None = None) -> Tensor:
    """Return the mean squared residual of f `(B,)`; its derivative reaches the baseline alone.

    Examples:
        >>> baseline_loss(torch.tensor([1.0, 3.0]), torch.tensor([1.0, 1.0])).item()
        2.0
    """
    centre = 0.0 if moments is None else moments.mean
    return ((value.detach() - centre - baseline) ** 2).mean()
