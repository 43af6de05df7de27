"""-log2 p(x | z) - log2 p(z) + log2 q(z | x): the three terms of the ELBO as a trainer sees them,
for every family with a latent chain.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Generator, Tensor

from bbans.training.registry import OBJECTIVES


@dataclass(frozen=True)
class Terms:
    """One sample of z an item, all in bits.

    likelihood `(B,)`: -log2 p(x | z_1). divergence `(B, latents)`: each latent's -log2 p(z) + log2
    q(z), or its KL divergence where that is known. prior `(B,)`: what the coder pushes for the
    latents, so that posterior = prior - divergence is what it pops. surrogate `()`: what the loss
    has besides: no rate (a score function's, a codebook's).
    """

    likelihood: Tensor
    divergence: Tensor
    prior: Tensor
    surrogate: Tensor


STRAIGHT_THROUGH, LAX, SCORE, NVIL, MUPROP, VIMCO, CONCRETE, REBAR, RELAX = ESTIMATORS = (
    "straight-through",
    "lax",
    "score",
    "nvil",
    "muprop",
    "vimco",
    "concrete",
    "rebar",
    "relax",
)
ELBO, IWAE, MIWAE, CIWAE, PIWAE, SIVI = "elbo", "iwae", "miwae", "ciwae", "piwae", "sivi"
WEIGHTED = (IWAE, MIWAE, CIWAE, PIWAE)
"""Objectives of Gaussian latents that weight several particles."""


@dataclass(frozen=True)
class Trains:
    """What networks of a family can be trained by and on.

    estimators: of gradients by q. objectives: names of `training.registry`; weighted: also those
    that are not in the package. sampled: latents are bits or categories, whose gradients are
    estimated. relaxed_particles: the concrete estimator trains a bound of several particles.
    """

    estimators: tuple[str, ...] = (STRAIGHT_THROUGH,)
    objectives: tuple[str, ...] = (ELBO,)
    weighted: bool = False
    sampled: bool = False
    relaxed_particles: bool = False


DISCRETE = Trains(
    (STRAIGHT_THROUGH, SCORE, NVIL, MUPROP, VIMCO, CONCRETE, REBAR, RELAX), sampled=True
)
GAUSSIAN = Trains(objectives=(ELBO, *WEIGHTED), weighted=True)


@dataclass(frozen=True)
class Training:
    """What some families train by, and no model file holds."""

    # of gradients by q, one of ESTIMATORS: all through bits and categories but lax
    estimator: str = STRAIGHT_THROUGH
    temperature: float = 0.5  # of concrete; where rebar's and relax's start
    commitment: float = 0.25  # weight of a VQ-VAE's commitment loss
    dropout: float = 0.0  # share of a pyramid's inner features that a step leaves out
    objective: str = ELBO  # one of `training.objectives`, of Gaussian latents
    # draws of z an item, K: of an objective, or of vimco and concrete, which train a bound of their
    # own
    particles: int = 1
    groups: int = 1  # M that they are divided into, by miwae and piwae
    elbo_share: float = 0.5  # of the ELBO in ciwae
    # share of the old codebook kept by moving averages at each step; 0: it follows its loss instead
    codebook_average: float = 0.0

    @property
    def own_terms(self) -> bool:
        """Whether the objective is the sum of a network's own terms for one sample an item."""
        return OBJECTIVES[self.objective].own_terms

    @property
    def bounded(self) -> bool:
        """Whether the estimator trains another bound than the rate, whatever the objective."""
        return self.estimator in (CONCRETE, VIMCO)


def alone(part: Tensor) -> Tensor:
    """The sum over processes where there is one."""
    return part


@dataclass(frozen=True)
class Draws:
    """Randomness for some of a batch's items, the same however many processes share the batch.

    Numbers are drawn for all `items` on the generator's device, so that those of a CPU's are the
    same on every device, and those of the items from `first` on are kept. `total` sums a tensor
    over the processes.
    """

    generator: Generator
    items: int
    first: int = 0
    total: Callable[[Tensor], Tensor] = alone

    def normal(self, like: Tensor) -> Tensor:
        """Standard normal numbers, `(B, d)` like the tensor given, whose rows are the items
        kept.
        """
        drawn = torch.randn(
            (self.items, *like.shape[1:]),
            generator=self.generator,
            dtype=like.dtype,
            device=self.generator.device,
        )
        return drawn[self.first : self.first + len(like)].to(like.device)

    def uniform(self, like: Tensor) -> Tensor:
        """Numbers from [0, 1), `(B, d)` like the tensor given."""
        drawn = torch.rand(
            (self.items, *like.shape[1:]),
            generator=self.generator,
            dtype=like.dtype,
            device=self.generator.device,
        )
        return drawn[self.first : self.first + len(like)].to(like.device)


def draws(source: Generator | Draws, items: int) -> Draws:
    """A generator as the randomness of a whole batch."""
    return source if isinstance(source, Draws) else Draws(source, items)


class Trainable(Protocol):
    """What a trainer needs of a family's network, besides being a torch module."""

    def terms(
        self,
        x: Tensor,
        labels: Tensor | None,
        generator: Generator | Draws,
        drop: Tensor | None = None,
    ) -> Terms:
        """x int64 `(B, dims)`; labels int64 `(B,)`, or what else is given with x; drop bool `(B,)`:
        items whose z_1 is idle and free.
        """

    def means(self, x: Tensor, labels: Tensor | None) -> Tensor:
        """E_q[z | x], `(B, latents)`: what activity is measured on."""


class Weighted(Trainable, Protocol):
    """What bounds of several draws of z need besides: the part of q that no draw changes, once for
    all of them.
    """

    def encoded(self, x: Tensor, labels: Tensor | None) -> Sequence[Tensor]:
        """What networks that see x alone make of it, each `(B, ...)`; empty where there are
        none.
        """

    def terms(
        self,
        x: Tensor,
        labels: Tensor | None,
        generator: Generator | Draws,
        drop: Tensor | None = None,
        encoded: Sequence[Tensor] | None = None,
    ) -> Terms:
        """As of `Trainable`; `encoded` is what that function made of the same x and labels, or
        None.
        """
