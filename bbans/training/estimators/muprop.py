"""g = (f(b) - f(p) - f'(p) . (b - p) - C) (b - p) + f'(p) dp/d logits: the score function applied
to the remainder of a Taylor expansion at p.

MuProp (Gu, Levine, Sutskever and Mnih 2016, arXiv:1511.05176). Unbiased for every f that accepts
values between 0 and 1 and is differentiable there; without any noise where f is linear.
"""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from bbans.training.estimators.estimate import Estimate, Function, Noise, column, noise
from bbans.training.networks.discrete_latents import BITS, Latent


def muprop(
    f: Function,
    logits: Tensor,
    source: Generator | Noise,
    baseline: Tensor | float = 0.0,
    latent: Latent = BITS,
    smooth: Function | None = None,
) -> Estimate:
    """Estimate d/d logits E[f(b)] by MuProp.

    `baseline`, a number or `(B,)`, is a prediction of the remainder (the estimate's `signal`).
    `smooth`, if given, is expanded instead of f: any function near f, such as f at the means of the
    layers above.

    Examples:
        >>> source = Generator().manual_seed(0)
        >>> estimate = muprop(lambda b: b.sum(1) ** 2, torch.zeros(5, 3), source)
        >>> estimate.gradient.shape, estimate.value.shape
        (torch.Size([5, 3]), torch.Size([5]))
    """
    leaf = logits.detach().requires_grad_()
    p = latent.probabilities(leaf)
    centre = p.detach().requires_grad_()
    middle = (smooth or f)(centre)
    (slope,) = torch.autograd.grad(middle.sum(), centre)
    (mean_field,) = torch.autograd.grad((slope * p).sum(), leaf)
    b = latent.sample(logits, noise(source, logits).uniform(logits))
    value, away = f(b), b - p.detach()
    remainder = (value - middle - (slope * away).flatten(1).sum(1)).detach()
    return Estimate(
        column((remainder - baseline).detach(), logits) * away + mean_field, value, remainder
    )
