"""g = [f(b) - c(z~)] (b - p) + d/d logits [c(z) - c(z~)], b = H(z), z~ from q(z | b): RELAX,
unbiased for any differentiable c.

Grathwohl, Choi, Wu, Roeder and Duvenaud 2018 (arXiv:1711.00123). REBAR (Tucker, Mnih, Maddison,
Lawson and Sohl-Dickstein 2017, arXiv:1703.07370) has c(z) = eta f(soft(z / temperature)). LAX needs
no z~: [f(b) - c(z)] d/d logits log q(z) + d/d logits c(z). The parameters of c are trained by
`estimate.improve`, which lowers the variance of g itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Generator, Tensor

from bbans.training.estimators.estimate import Estimate, Function, Noise, column, noise
from bbans.training.networks.discrete_latents import BITS, Latent


class Continuous(Protocol):
    """What LAX needs of a latent: z from parameters and uniform numbers of the same shape, the
    argument H(z) of f, and log q(z) `(B,)` in nats.
    """

    @property
    def continuous(self) -> Callable[[Tensor, Tensor], Tensor]:
        """The function of parameters and uniform numbers that returns z, differentiable in the
        parameters.
        """

    @property
    def hard(self) -> Function:
        """The function H of z."""

    @property
    def log_density(self) -> Callable[[Tensor, Tensor], Tensor]:
        """The function of parameters and z that returns log q(z), `(B,)` in nats."""


def lax(
    f: Function,
    control: Function,
    logits: Tensor,
    source: Generator | Noise,
    latent: Continuous = BITS,
) -> Estimate:
    """Estimate d/d logits E[f(H(z))] by LAX, with the density of the continuous z; c (`control`)
    takes z and returns `(B,)`.

    The logits may be any parameters of q(z).

    Examples:
        >>> source = Generator().manual_seed(0)
        >>> estimate = lax(lambda b: b.sum(1), lambda z: z.sum(1), torch.zeros(5, 3), source)
        >>> estimate.gradient.shape, estimate.value.shape
        (torch.Size([5, 3]), torch.Size([5]))
    """
    leaf = logits.detach().requires_grad_()
    z = latent.continuous(leaf, noise(source, logits).uniform(logits))
    value, c = f(latent.hard(z.detach())), control(z)
    (score,) = torch.autograd.grad(latent.log_density(leaf, z.detach()).sum(), leaf)
    (path,) = torch.autograd.grad(c.sum(), leaf, create_graph=True)
    return Estimate(column(value.detach() - c, logits) * score + path, value)


def relax(
    f: Function, control: Function, logits: Tensor, source: Generator | Noise, latent: Latent = BITS
) -> Estimate:
    """Estimate d/d logits E[f(b)] by RELAX. Two uniform numbers per logit, first that of z; c
    (`control`) takes z like the logits and returns `(B,)`; f is only evaluated.

    Examples:
        >>> source = Generator().manual_seed(0)
        >>> estimate = relax(lambda b: b.sum(1), lambda z: z.sum(1), torch.zeros(5, 3), source)
        >>> estimate.gradient.shape, estimate.value.shape
        (torch.Size([5, 3]), torch.Size([5]))
    """
    leaf, uniform = logits.detach().requires_grad_(), noise(source, logits)
    z = latent.continuous(leaf, uniform.uniform(logits))
    b = latent.hard(z.detach())
    conditional = latent.conditional(leaf, b, uniform.uniform(logits))
    value, c = f(b), control(conditional)
    (path,) = torch.autograd.grad((control(z) - c).sum(), leaf, create_graph=True)
    return Estimate(
        column(value.detach() - c, logits) * (b - latent.probabilities(logits.detach())) + path,
        value,
    )


def tempered(
    f: Function, log_temperature: Tensor, scale: Tensor | float = 1.0, latent: Latent = BITS
) -> Function:
    """Return REBAR's control variate, c(z) = scale f(soft(z / temperature)); RELAX adds a network
    of z to it.

    Examples:
        >>> tempered(lambda b: b.sum(1), torch.zeros(()))(torch.zeros(1, 2)).item()
        1.0
    """
    return lambda z: scale * f(latent.soft(z, torch.exp(log_temperature)))


def rebar(
    f: Function,
    logits: Tensor,
    source: Generator | Noise,
    log_temperature: Tensor,
    scale: Tensor | float = 1.0,
    latent: Latent = BITS,
) -> Estimate:
    """Estimate d/d logits E[f(b)] by REBAR: unbiased at every temperature and scale, which are
    scalars and may be learned; f must accept values between 0 and 1.

    Examples:
        >>> source = Generator().manual_seed(0)
        >>> estimate = rebar(lambda b: b.sum(1), torch.zeros(5, 3), source, torch.zeros(()))
        >>> estimate.gradient.shape, estimate.value.shape
        (torch.Size([5, 3]), torch.Size([5]))
    """
    return relax(f, tempered(f, log_temperature, scale, latent), logits, source, latent)
