"""Bounds of discrete latents that are no rates: the bound of relaxed samples, and that of several
particles.

`concrete` trains the bound of relaxed samples in all parameters; `vimco` trains the
importance-weighted bound of several samples, with one learning signal for all layers.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Generator, Tensor

from bbans.schemes.sampling import SEED_STRIDE
from bbans.training.estimators.estimate import Noise
from bbans.training.estimators.vimco import signals
from bbans.training.networks.bernoulli_vae import BernoulliVaeNet
from bbans.training.networks.heads import LN2
from bbans.training.terms import (
    CONCRETE,
    VIMCO,
    Draws,
    Terms,
    Training,
    draws,
)


class ReplayedNoise:
    """A source of noise that repeats the numbers of an earlier sample once, then continues with new
    ones.
    """

    def __init__(self, first: Tensor, source: Noise) -> None:
        self._first: Tensor | None = first
        self._source = source

    def uniform(self, like: Tensor) -> Tensor:
        """Return numbers from [0, 1) shaped like the tensor."""
        first, self._first = self._first, None
        return self._source.uniform(like) if first is None else first


def relaxed(
    net: BernoulliVaeNet,
    x: Tensor,
    seen: Tensor,
    source: Draws,
    temperature: float,
    drop: Tensor | None = None,
) -> Terms:
    """Compute the bound of Concrete samples in place of discrete ones (Maddison, Mnih and Teh 2017,
    arXiv:1611.00712), which is no code length.

    x int64 `(B, dims)`; `seen` is the input of q.

    Examples:
        >>> from bbans.models.bernoulli_vae import BernoulliVaeConfig
        >>> net, x = BernoulliVaeNet(BernoulliVaeConfig(2, 2)), torch.ones(5, 4).long()
        >>> terms = relaxed(net, x, net.seen(x, None), Draws(Generator(), 5), temperature=0.5)
        >>> terms.likelihood.shape
        torch.Size([5])
    """

    def soft(logits: Tensor, layer: int) -> Tensor:
        return net.default_latent(
            net.latent.soft(net.latent.continuous(logits, source.uniform(logits)), temperature),
            drop,
        )

    return net.bound(x, net.infer(seen, soft), drop)


def weighted(
    net: BernoulliVaeNet,
    x: Tensor,
    seen: Tensor,
    source: Draws,
    samples: int,
    drop: Tensor | None = None,
    beta: float = 1.0,
    temperature: float | None = None,
) -> Terms:
    """-log2 (1 / K) sum_k p(x, z_k) / q(z_k | x): compute it as the likelihood, with VIMCO's
    estimate (Mnih and Rezende 2016, arXiv:1602.06725) as the surrogate.

    x int64 `(B, dims)`; K is `samples`. With a temperature the samples are relaxed, gradients flow
    through them, and the surrogate is 0.

    Examples:
        >>> from bbans.models.bernoulli_vae import BernoulliVaeConfig
        >>> net, x = BernoulliVaeNet(BernoulliVaeConfig(2, 2)), torch.ones(5, 4).long()
        >>> weighted(net, x, net.seen(x, None), Draws(Generator(), 5), samples=3).likelihood.shape
        torch.Size([5])
    """
    B, latent, lost = len(x), net.latent, None if drop is None else drop.repeat(samples)

    def draw(logits: Tensor, layer: int) -> Tensor:
        u = torch.cat([source.uniform(logits[:B].detach()) for _ in range(samples)])
        soft = temperature is not None
        return net.default_latent(
            latent.soft(latent.continuous(logits, u), temperature or 1.0)
            if soft
            else latent.sample(logits, u),
            lost,
        )

    z = net.infer(seen.repeat(samples, 1), draw)
    information = sum(
        (latent.bits(q, b).sum(1) for q, b in zip(z.logits, z.samples, strict=True)),
        torch.zeros(()),
    )
    divergence = sum(
        (net.prior(layer, z, sampled=True).sum(1) for layer in range(1, net.depth + 1)),
        -information,
    )
    if lost is not None:
        information, divergence = (
            information.masked_fill(lost, 0.0),
            divergence.masked_fill(lost, 0.0),
        )
    log_w = -LN2 * (net.likelihood(x.repeat(samples, 1), z) + beta * divergence).view(samples, B)
    bound = (math.log(samples) - torch.logsumexp(log_w, 0)) / LN2
    surrogate = bound.new_zeros(())
    if samples > 1 and temperature is None:
        surrogate = (signals(log_w.detach()) * information.view(samples, B)).sum(0).mean()
    return Terms(bound, bound.new_zeros((B, 1)), bound.new_zeros(B), surrogate - surrogate.detach())


def trained_bound(
    net: BernoulliVaeNet,
    training: Training,
    x: Tensor,
    seen: Tensor,
    source: Draws,
    drop: Tensor | None = None,
    beta: float = 1.0,
) -> Terms:
    """Compute the bound that concrete or vimco trains on, as its terms; x int64 `(B, dims)`, `seen`
    is the input of q, drop bool `(B,)`: items with default latents.

    Examples:
        >>> from bbans.models.bernoulli_vae import BernoulliVaeConfig
        >>> net, x = BernoulliVaeNet(BernoulliVaeConfig(2, 2)), torch.ones(5, 4).long()
        >>> training, source = Training(estimator=VIMCO, particles=3), Draws(Generator(), 5)
        >>> trained_bound(net, training, x, net.seen(x, None), source).likelihood.shape
        torch.Size([5])
    """
    if training.estimator == CONCRETE and training.particles == 1:
        return relaxed(net, x, seen, source, training.temperature, drop)
    temperature = training.temperature if training.estimator == CONCRETE else None
    return weighted(net, x, seen, source, training.particles, drop, beta, temperature)


@torch.no_grad()
def measured(
    net: Any, x: Tensor, labels: Tensor | None, training: Training, seed: int = 0, batch: int = 500
) -> dict[str, float]:
    """Measure the bound that concrete or vimco trains on, in bits per dimension: `relaxed` for
    concrete, `bound` for vimco.

    x int64 `(N, dims)`, labels int64 or None; noise is seeded by `seed` and the position of a
    batch.

    Examples:
        >>> from bbans.models.bernoulli_vae import BernoulliVaeConfig
        >>> net = BernoulliVaeNet(BernoulliVaeConfig(height=2, width=2, latents=(3,)))
        >>> list(measured(net, torch.ones(5, 4).long(), None, Training(VIMCO, particles=2)))
        ['bound']
    """
    total = 0.0
    for first in range(0, len(x), batch):
        rows = slice(first, first + batch)
        source = draws(Generator().manual_seed(seed * SEED_STRIDE + first), len(x[rows]))
        terms = trained_bound(
            net,
            training,
            x[rows],
            net.seen(x[rows], None if labels is None else labels[rows]),
            source,
        )
        total += float((terms.likelihood + terms.divergence.sum(1)).sum())
    return {"bound" if training.estimator == VIMCO else "relaxed": total / x.numel()}
