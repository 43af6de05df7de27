"""-ELBO of one layer of Gaussian latents whose q is trained by LAX: g = [f(z) - c(z)] d log q(z) +
d c(z) with f(z) = -log2 p(x | z).

f is only evaluated, never differentiated; the control variate c is a network of z and x plus the
running mean of f, trained to lower the variance of g (Grathwohl et al. 2018, arXiv:1711.00123;
`estimators.relax`). The KL divergence is exact and no part of f. Where f has a derivative, as here,
the reparameterised gradient has less variance; it is the default for Gaussian latents.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from bbans.errors import InputError
from bbans.models.registry import family_name
from bbans.training.estimators.control import Control
from bbans.training.estimators.estimate import improve
from bbans.training.estimators.nvil import updated
from bbans.training.estimators.relax import lax
from bbans.training.networks.families import families_where, trains
from bbans.training.networks.heads import LN2, standard_divergence
from bbans.training.networks.vae import VaeNet
from bbans.training.terms import ELBO, LAX, Draws, Terms, Training


@dataclass(frozen=True)
class Gaussian:
    """z ~ N(mean, sigma^2) as `lax` takes it, parametrised by mean and log2 sigma: parameters `(B,
    2, D)`, z `(B, D)`.
    """

    def continuous(self, parameters: Tensor, u: Tensor, /) -> Tensor:
        """Sample z from uniform u, shaped like the parameters, by the transform of Box and Muller
        1958.
        """
        mean, log2_sigma = parameters.unbind(1)
        radius = torch.sqrt(-2 * torch.log1p(-u[:, 0]))
        return mean + torch.exp2(log2_sigma) * radius * torch.cos(2 * math.pi * u[:, 1])

    def hard(self, z: Tensor, /) -> Tensor:
        """Return z: the latent is not discretised."""
        return z

    def log_density(self, parameters: Tensor, z: Tensor, /) -> Tensor:
        """log q(z): return it in nats, `(B,)`, up to a constant."""
        mean, log2_sigma = parameters.unbind(1)
        return -(((z - mean) * torch.exp2(-log2_sigma)) ** 2 / 2 + LN2 * log2_sigma).sum(1)


def check(training: Training, model: Any) -> None:
    """Raise InputError unless a model of this config can be trained by LAX on the ELBO.

    Examples:
        >>> from bbans.models.vae import VaeConfig
        >>> check(Training(estimator=LAX), VaeConfig())
    """
    family = family_name(model)
    if LAX not in trains(model).estimators:
        raise InputError(
            f"estimator {training.estimator!r} is for one layer of Gaussian latents without "
            f"labels ({families_where(lambda declared: LAX in declared.estimators)}); found the "
            f"family {family}: a pyramid, a rich posterior and more layers are reparameterised, "
            "and bits and categories have 'relax'"
        )
    if training.objective != ELBO:
        raise InputError(
            f"estimator {training.estimator!r} trains the ELBO; found objective "
            f"{training.objective!r}: leave one of them out"
        )


def terms(net: VaeNet, control: Control, x: Tensor, source: Draws, drop: Tensor | None) -> Terms:
    """Compute the bound of a batch x `(B, dims)`, with a surrogate whose derivatives are LAX's
    estimates.

    Adds the gradients of the control variate to `control`'s parameters. drop bool `(B,)`: items
    with default latents, or None.

    Examples:
        >>> from bbans.models.vae import VaeConfig
        >>> net, x = VaeNet(VaeConfig(2, 2, latents=(3,), hidden=4)), torch.ones(5, 4).long()
        >>> control, source = Control(net, Training(estimator=LAX)), Draws(torch.Generator(), 5)
        >>> terms(net, control, x, source, drop=None).likelihood.shape
        torch.Size([5])
    """
    seen = x.to(torch.get_default_dtype()) / (net.config.levels - 1)
    mean, log2_sigma = net.posterior(1, seen)
    parameters, moments = torch.stack([mean, log2_sigma], 1), control.running(1)

    def f(z: Tensor) -> Tensor:
        return net.likelihood(x, z if drop is None else z.masked_fill(drop[:, None], 0.0))

    estimate = lax(
        f, lambda z: moments.mean + control.surrogate(z, seen), parameters, source, Gaussian()
    )
    divergence, gradient = standard_divergence(mean, log2_sigma), estimate.gradient
    if drop is not None:
        divergence, gradient = (
            divergence.masked_fill(drop[:, None], 0.0),
            gradient.masked_fill(drop[:, None, None], 0.0),
        )
    learned = control.learned(1)
    for parameter, slope in zip(learned, improve(estimate, learned), strict=True):
        parameter.grad = slope * (len(x) / source.items)
    control.keep(1, updated(moments, estimate.value, total=source.total))
    surrogate = (gradient.detach() * (parameters - parameters.detach())).sum() / len(x)
    prior = divergence.new_full((len(x),), float(net.config.latent_precision * mean.shape[1]))
    return Terms(estimate.value, divergence, prior, surrogate)
