"""ELBO <= CIWAE, MIWAE <= IWAE_K <= log2 p(x): bounds from K log-weights log2 w_k, w_k = p(x, z_k)
/ q(z_k | x), z_k ~ q.

Each function takes log-weights in bits, `(K, B)`, or `(M, K, B)` for M groups, and returns an
unbiased estimate of its bound for each of B items, `(B,)` in bits: to be maximised, and minus the
net rate of a coder (`schemes.bits_back` for the ELBO, `schemes.importance` for IWAE). All are
differentiable; gradients reach q through reparameterised samples.

Sources: Burda, Grosse and Salakhutdinov 2016 (arXiv:1509.00519) for IWAE; Rainforth, Kosiorek, Le,
Maddison, Igl, Wood and Teh 2018 (arXiv:1802.04537) for MIWAE, CIWAE and PIWAE, and for the
signal-to-noise ratio.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor, nn

from bbans.errors import InputError
from bbans.models.rich_vae import SEMI_IMPLICIT
from bbans.training.registry import OBJECTIVES
from bbans.training.terms import ELBO, SIVI, Draws, Training, Trains, Weighted

LN2 = math.log(2)
DEFAULT_PARTICLES = 8


class Weights(NamedTuple):
    """The parts of log-weights in bits, `(K, B)` each: -log2 p(x | z) and log2 q(z | x) - log2
    p(z).
    """

    likelihood: Tensor
    divergence: Tensor

    def logs(self, beta: float = 1.0) -> Tensor:
        """log2 w = -(likelihood + beta divergence): return it, `(K, B)`; beta below 1 is for KL
        warm-up.
        """
        return -(self.likelihood + beta * self.divergence)


class Pair(NamedTuple):
    """The bounds, `(B,)` each, that the parameters of p(x, z) and those of q are trained on; one
    tensor if they agree.
    """

    model: Tensor
    posterior: Tensor


def elbo(log_w: Tensor) -> Tensor:
    """ELBO = mean_k log2 w_k: return it for `(K, B)`.

    Examples:
        >>> elbo(torch.tensor([[0.0], [2.0]])).tolist()
        [1.0]
    """
    return log_w.mean(-2)


def iwae(log_w: Tensor) -> Tensor:
    """IWAE = log2 (1 / K) sum_k w_k: return it for `(K, B)` as `(B,)`, or for `(M, K, B)` as `(M,
    B)`.

    Examples:
        >>> iwae(torch.tensor([[0.0], [0.0]])).tolist()
        [0.0]
    """
    return torch.logsumexp(log_w * LN2, -2) / LN2 - math.log2(log_w.shape[-2])


def miwae(log_w: Tensor) -> Tensor:
    """MIWAE = mean_m log2 (1 / K) sum_k w_mk: return it for `(M, K, B)`; more groups lower the
    variance, more particles tighten the bound.

    Examples:
        >>> miwae(torch.zeros(2, 4, 1)).tolist()
        [0.0]
    """
    return iwae(log_w).mean(0)


def ciwae(log_w: Tensor, elbo_share: float) -> Tensor:
    """CIWAE = share ELBO + (1 - share) IWAE: return it for `(K, B)`.

    Examples:
        >>> ciwae(torch.zeros(4, 1), 0.5).tolist()
        [0.0]
    """
    return elbo_share * elbo(log_w) + (1 - elbo_share) * iwae(log_w)


def piwae(log_w: Tensor) -> Pair:
    """PIWAE: return IWAE of all M K particles for p and MIWAE for q, for `(M, K, B)`: a tight bound
    for p, a gradient of high signal-to-noise ratio for q.

    Examples:
        >>> piwae(torch.zeros(2, 4, 1)).model.tolist()
        [0.0]
    """
    return Pair(iwae(log_w.flatten(0, 1)), miwae(log_w))


def elbo_pair(log_w: Tensor, training: Training) -> Pair:
    """Return the ELBO of `(K, B)` for both p and q.

    Examples:
        >>> elbo_pair(torch.zeros(2, 1), Training()).posterior.tolist()
        [0.0]
    """
    return both(elbo(log_w))


def iwae_pair(log_w: Tensor, training: Training) -> Pair:
    """Return IWAE of `(K, B)` for both p and q.

    Examples:
        >>> iwae_pair(torch.zeros(2, 1), Training()).posterior.tolist()
        [0.0]
    """
    return both(iwae(log_w))


def miwae_pair(log_w: Tensor, training: Training) -> Pair:
    """Return MIWAE of `(K, B)`, divided into the recipe's groups, for both p and q.

    Examples:
        >>> miwae_pair(torch.zeros(4, 1), Training(groups=2)).posterior.tolist()
        [0.0]
    """
    return both(miwae(_grouped(log_w, training)))


def ciwae_pair(log_w: Tensor, training: Training) -> Pair:
    """Return CIWAE of `(K, B)` with the recipe's share of the ELBO for both p and q.

    Examples:
        >>> ciwae_pair(torch.zeros(4, 1), Training(elbo_share=0.5)).model.tolist()
        [0.0]
    """
    return both(ciwae(log_w, training.elbo_share))


def piwae_pair(log_w: Tensor, training: Training) -> Pair:
    """Return PIWAE of `(K, B)`, divided into the recipe's groups.

    Examples:
        >>> piwae_pair(torch.zeros(4, 1), Training(groups=2)).posterior.tolist()
        [0.0]
    """
    return piwae(_grouped(log_w, training))


def both(bound: Tensor) -> Pair:
    """Return one bound, `(B,)`, for both p and q.

    Examples:
        >>> both(torch.zeros(1)).model.tolist()
        [0.0]
    """
    return Pair(bound, bound)


def _grouped(log_w: Tensor, training: Training) -> Tensor:
    return log_w.reshape(training.groups, -1, log_w.shape[-1])


def bounds(training: Training, log_w: Tensor) -> Pair:
    """Return the bounds of a recipe's objective for log-weights `(K, B)` in bits.

    Examples:
        >>> bounds(Training(objective="iwae", particles=2), torch.zeros(2, 1)).model.tolist()
        [0.0]
    """
    pair: Pair = OBJECTIVES[training.objective](log_w, training)
    return pair


def check(training: Training, free_bits: float, declared: Trains) -> None:
    """Raise InputError unless a network with these capabilities can be trained on the objective.

    Examples:
        >>> check(Training(), 0.0, Trains())
    """
    t = training
    if t.objective not in OBJECTIVES:
        raise InputError(f"an objective is one of {', '.join(OBJECTIVES)}; found {t.objective!r}")
    if t.particles < 1 or t.groups < 1 or t.particles % t.groups or not 0 <= t.elbo_share <= 1:
        raise InputError(
            f"particles are a multiple of groups, elbo_share lies in 0..1; found {t.particles}, "
            f"{t.groups}, {t.elbo_share}"
        )
    if t.objective == ELBO and t.particles > 1 and not t.bounded:
        raise InputError(
            "the ELBO trains on one particle an item, whose divergence is exact; found "
            f"{t.particles}: take a larger batch"
        )
    if t.objective == SIVI and t.particles > 1:
        raise InputError(
            f"objective {SIVI!r} trains on one particle an item, whose draws of noise are `parts` "
            "of the model: set these"
        )
    if t.objective == SIVI and SIVI not in declared.objectives:
        raise InputError(
            f"objective {SIVI!r} is the surrogate bound of a semi-implicit posterior, and this "
            "model has another: "
            f"name --posterior {SEMI_IMPLICIT}, or the objective {ELBO!r}"
        )
    if not t.own_terms and (free_bits or not declared.weighted):
        raise InputError(
            f"objective {t.objective!r} needs Gaussian latents and no free_bits: it is no sum "
            "over latents"
        )


def chosen(training: Training, objective: str | None, particles: int | None) -> Training:
    """Return the settings with another objective and number of particles, where these are given.

    The default is 8 particles, 64 for miwae and piwae, which are divided, unless the recipe says
    otherwise, into about as many groups as each has particles. Raises InputError on several
    particles for an objective of one sample.

    Examples:
        >>> chosen(Training(), "miwae", None).groups
        8
    """
    if objective is None and particles is None:
        return training
    if training.bounded and objective in (None, ELBO):
        return replace(training, particles=particles or training.particles)
    name = objective or training.objective
    if name in OBJECTIVES and OBJECTIVES[name].own_terms:
        if (particles or 1) > 1:
            raise InputError(
                f"several particles are for another objective than {name}; name one with "
                "--objective"
            )
        return replace(training, objective=name, particles=1, groups=1)
    grouped = name in OBJECTIVES and OBJECTIVES[name].grouped
    count = particles or (
        training.particles
        if training.particles > 1
        else DEFAULT_PARTICLES**2
        if grouped
        else DEFAULT_PARTICLES
    )
    groups = training.groups
    if not grouped or groups == 1:
        groups = max(d for d in range(1, math.isqrt(count) + 1) if not count % d) if grouped else 1
    return replace(training, objective=name, particles=count, groups=groups)


def weights(
    net: Weighted,
    x: Tensor,
    labels: Tensor | None,
    draws: Draws,
    particles: int,
    drop: Tensor | None = None,
) -> Weights:
    """Sample z K = `particles` times per item and return the log-weights' parts; q reads x once. x
    int64 `(B, dims)`, drop bool `(B,)`: items with default latents.

    Examples:
        >>> from bbans.models.vae import VaeConfig
        >>> from bbans.training.networks.vae import VaeNet
        >>> net = VaeNet(VaeConfig(2, 2, latents=(3,)), Training(objective="iwae"))
        >>> draws = Draws(torch.Generator().manual_seed(0), 5)
        >>> weights(net, torch.zeros(5, 4).long(), None, draws, 2).logs().shape
        torch.Size([2, 5])
    """
    encoded = net.encoded(x, labels)
    terms = [net.terms(x, labels, draws, drop, encoded) for _ in range(particles)]
    return Weights(
        torch.stack([t.likelihood for t in terms]),
        torch.stack([t.divergence.sum(1) for t in terms]),
    )


def backward(net: nn.Module, bounds: Pair, share: float) -> None:
    """Write the gradients of -share mean(bound) to `grad`: q's networks follow the bound for q, all
    others that for p.

    Examples:
        >>> net = nn.Linear(1, 1, bias=False)
        >>> backward(net, both(net(torch.ones(2, 1))[:, 0]), share=1.0)
        >>> net.weight.grad.item()
        -1.0
    """
    named = [(name.startswith("nets.posterior"), p) for name, p in net.named_parameters()]
    if bounds.model is bounds.posterior:
        (-share * bounds.model.mean()).backward()  # type: ignore[no-untyped-call]
        return
    for for_q, bound in ((True, bounds.posterior), (False, bounds.model)):
        parameters = [p for is_q, p in named if is_q == for_q]
        gradients = torch.autograd.grad(
            -share * bound.mean(), parameters, retain_graph=for_q, allow_unused=True
        )
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
