"""g = d/d logits f(soft(z / temperature)): Concrete or Gumbel-softmax; and f'(b) passed straight
through b. Both are biased.

Maddison, Mnih and Teh 2017 (arXiv:1611.00712); Jang, Gu and Poole 2017 (arXiv:1611.01144): the bias
vanishes with the temperature, while the variance grows. Straight-through: Bengio, Leonard and
Courville 2013 (arXiv:1308.3432). f must take values between 0 and 1.
"""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from bbans.training.estimators.estimate import Estimate, Function, Noise, noise
from bbans.training.networks.discrete_latents import BITS, Latent


def concrete(
    f: Function,
    logits: Tensor,
    source: Generator | Noise,
    temperature: Tensor | float,
    latent: Latent = BITS,
) -> Estimate:
    """Biased at every temperature above 0. The value is f(soft), which is no rate."""
    leaf = logits.detach().requires_grad_()
    soft = latent.soft(latent.continuous(leaf, noise(source, logits).uniform(logits)), temperature)
    value = f(soft)
    (gradient,) = torch.autograd.grad(value.sum(), leaf, retain_graph=True)
    return Estimate(gradient, value)


def straight_through(
    f: Function,
    logits: Tensor,
    source: Generator | Noise,
    temperature: Tensor | float | None = None,
    latent: Latent = BITS,
) -> Estimate:
    """f'(b) dp/d logits, or with a temperature f'(b) d soft/d logits.

    Without one it is exact for a linear f, else biased.
    """
    leaf = logits.detach().requires_grad_()
    z = latent.continuous(leaf, noise(source, logits).uniform(logits))
    b = latent.hard(z.detach()).requires_grad_()
    through = latent.probabilities(leaf) if temperature is None else latent.soft(z, temperature)
    value = f(b)
    (slope,) = torch.autograd.grad(value.sum(), b, retain_graph=True)
    (gradient,) = torch.autograd.grad((slope * through).sum(), leaf)
    return Estimate(gradient, value)
