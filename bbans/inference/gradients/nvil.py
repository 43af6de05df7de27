"""g = (f(b) - C(x) - m) (b - p) / max(1, s): the score function with a learned baseline, centred and scaled by running moments.

NVIL (Mnih and Gregor 2014, arXiv:1402.0030). C(x) is any network of what f is given besides b, trained to predict f; m and s^2 are the
mean and variance that earlier steps saw. Unbiased with `scaled` off; with it the expectation is the gradient over max(1, s).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from torch import Generator, Tensor

from bbans.inference.gradients.estimate import Estimate, Function, Noise, column, noise
from bbans.models.latents import BITS, Latent
from bbans.models.terms import alone


@dataclass(frozen=True)
class Moments:
    """Running mean and variance of f - C(x) over the steps so far, in f's unit and its square."""

    mean: float = 0.0
    variance: float = 0.0
    steps: int = 0

    @property
    def scale(self) -> float:
        """What NVIL divides by."""
        return max(1.0, math.sqrt(self.variance))


def updated(
    moments: Moments, value: Tensor, baseline: Tensor | float = 0.0, keep: float = 0.8, total: Callable[[Tensor], Tensor] = alone
) -> Moments:
    """Moments after a step whose f was `value` `(B,)`; to be used from the next step on, or g would be biased.

    `total` sums a tensor over the processes that share the step.
    """
    residual = (value - baseline).detach().double()
    items = float(total(residual.new_tensor(len(residual))))
    share = 1 - min(keep, moments.steps / (moments.steps + 1))
    found = float(total(residual.sum())) / items
    spread = float(total(((residual - found) ** 2).sum())) / items
    return Moments(moments.mean + share * (found - moments.mean), moments.variance + share * (spread - moments.variance), moments.steps + 1)


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
