"""b = H(z) with z = logits + noise: discrete latents as a hard function of a variable that is
differentiable in the logits.

Bits: z = l + logit u, b = [z > 0]. Categories: Gumbel-max, z_k = log p_k - log(-log u_k), b the
one-hot argmax. For both, d/d logits log q(b) = b - p. The conditional z~ given b is the
reparameterisation of Tucker et al. 2017 (arXiv:1703.07370, appendix) and Grathwohl et al. 2018
(arXiv:1711.00123); their v' = v[(1 - p)(1 - b) + p b] + (1 - p) b is rewritten so that it cannot
overflow.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from bbans.training.networks.heads import LN2, bernoulli_bits


@dataclass(frozen=True)
class Latent:
    """The operations of one kind of discrete latent.

    Logits are natural: `(B, D)` for bits, `(B, ..., K)` for categories of K states.

    bits(logits, b): -log2 q(b) of each latent; b may lie between the states (a cross-entropy).
    probabilities(logits): q's probabilities. continuous(logits, u): z from uniform u. hard(z): b.
    conditional(logits, b, v): z~ from q(z | b) by uniform v. soft(z, temperature): the Concrete
    variable, a point of the cube or simplex. log_density(logits, z): log q(z) in nats, summed to
    `(B,)`.

    Examples:
        >>> BITS.entropy(torch.zeros(1, 1)).item()
        1.0
    """

    bits: Callable[[Tensor, Tensor], Tensor]
    probabilities: Callable[[Tensor], Tensor]
    continuous: Callable[[Tensor, Tensor], Tensor]
    hard: Callable[[Tensor], Tensor]
    conditional: Callable[[Tensor, Tensor, Tensor], Tensor]
    soft: Callable[[Tensor, Tensor | float], Tensor]
    log_density: Callable[[Tensor, Tensor], Tensor]

    def entropy(self, logits: Tensor) -> Tensor:
        """Return the entropy of each latent in bits."""
        return self.bits(logits, self.probabilities(logits))

    def sample(self, logits: Tensor, u: Tensor) -> Tensor:
        """Sample b from uniform u, without a gradient."""
        return self.hard(self.continuous(logits.detach(), u))


def _categorical_bits(logits: Tensor, b: Tensor) -> Tensor:
    return -(b * torch.log_softmax(logits, -1)).sum(-1) / LN2


def _inside(u: Tensor) -> Tensor:
    eps = torch.finfo(u.dtype).eps
    return u.clamp(eps, 1 - eps)


def _gumbel(u: Tensor) -> Tensor:
    return -torch.log(-torch.log(_inside(u)))


def _logistic(logits: Tensor, u: Tensor) -> Tensor:
    return logits + torch.logit(_inside(u))


def _bits(z: Tensor) -> Tensor:
    return (z > 0).to(z.dtype)


def _conditional_bits(logits: Tensor, b: Tensor, v: Tensor) -> Tensor:
    e = torch.logit(_inside(v))
    return torch.where(
        b > 0.5, F.softplus(e + F.softplus(logits)), -F.softplus(F.softplus(-logits) - e)
    )


def _soft_bits(z: Tensor, temperature: Tensor | float) -> Tensor:
    return torch.sigmoid(z / temperature)


def _logistic_density(logits: Tensor, z: Tensor) -> Tensor:
    d = z - logits
    return (-d - 2 * F.softplus(-d)).flatten(1).sum(1)


def _softmax(logits: Tensor) -> Tensor:
    return torch.softmax(logits, -1)


def _perturbed(logits: Tensor, u: Tensor) -> Tensor:
    return torch.log_softmax(logits, -1) + _gumbel(u)


def _one_hot(z: Tensor) -> Tensor:
    return torch.zeros_like(z).scatter(-1, z.argmax(-1, keepdim=True), 1.0)


def _conditional_categories(logits: Tensor, b: Tensor, v: Tensor) -> Tensor:
    log_e = -_gumbel(v)  # log of one exponential variable per category
    # max z is one Gumbel variable, independent of the category that attains it
    largest = (b * log_e).sum(-1, keepdim=True)
    return -torch.where(
        b > 0.5, largest, torch.logaddexp(log_e - torch.log_softmax(logits, -1), largest)
    )


def _soft_categories(z: Tensor, temperature: Tensor | float) -> Tensor:
    return torch.softmax(z / temperature, -1)


def _gumbel_density(logits: Tensor, z: Tensor) -> Tensor:
    d = z - torch.log_softmax(logits, -1)
    return (-d - torch.exp(-d)).flatten(1).sum(1)


BITS = Latent(
    bernoulli_bits,
    torch.sigmoid,
    _logistic,
    _bits,
    _conditional_bits,
    _soft_bits,
    _logistic_density,
)
CATEGORIES = Latent(
    _categorical_bits,
    _softmax,
    _perturbed,
    _one_hot,
    _conditional_categories,
    _soft_categories,
    _gumbel_density,
)
