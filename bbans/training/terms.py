"""-log2 p(x | z) - log2 p(z) + log2 q(z | x): the terms of the ELBO, the settings of training and
the source of randomness, for every family with latents.
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
    """The terms of one sample of z per item, in bits.

    likelihood `(B,)`: -log2 p(x | z_1). divergence `(B, latents)`: -log2 p(z) + log2 q(z) of each
    latent, or its KL divergence where that is known. prior `(B,)`: the bits that the coder pushes
    for the latents, so that posterior = prior - divergence are the bits that it pops. surrogate
    `()`: an additional part of the loss that is no rate, such as that of a score function or a
    codebook.
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
    """The estimators and objectives that networks of a family support.

    estimators: of gradients by q. objectives: names of `training.registry`. weighted: objectives
    registered outside the package are supported as well. sampled: latents are discrete, and their
    gradients estimated. relaxed_particles: the concrete estimator trains a bound of several
    particles.
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
    """Settings of training that are no part of a model file.

    Examples:
        >>> Training(estimator=VIMCO, particles=5).bounded
        True
    """

    # estimator of gradients by q, one of ESTIMATORS; all but lax are for discrete latents
    estimator: str = STRAIGHT_THROUGH
    temperature: float = 0.5  # fixed for concrete, initial for rebar and relax
    commitment: float = 0.25  # weight of a VQ-VAE's commitment loss
    dropout: float = 0.0  # share of a pyramid's inner features that are set to 0
    objective: str = ELBO  # a name of `training.registry`, for Gaussian latents
    # samples of z per item, K: for the objective, or for vimco and concrete, which have bounds of
    # their own
    particles: int = 1
    groups: int = 1  # number M of groups of particles, for miwae and piwae
    elbo_share: float = 0.5  # weight of the ELBO in ciwae
    # decay of the moving average that updates the codebook; 0: it is trained by its loss instead
    codebook_average: float = 0.0

    @property
    def own_terms(self) -> bool:
        """Whether the objective is the sum of a network's own terms for one sample per item."""
        return OBJECTIVES[self.objective].own_terms

    @property
    def bounded(self) -> bool:
        """Whether the estimator trains another bound than the rate, whatever the objective."""
        return self.estimator in (CONCRETE, VIMCO)


def alone(part: Tensor) -> Tensor:
    """Sum a tensor over the processes if there is only one: return it.

    Examples:
        >>> alone(torch.ones(1)).item()
        1.0
    """
    return part


@dataclass(frozen=True)
class Draws:
    """Random numbers for some items of a batch, the same however many processes share it.

    Numbers are generated for all `items` on the generator's device, so that those of a CPU
    generator are the same on every device; those of the items from `first` on are returned. `total`
    sums a tensor over the processes.
    """

    generator: Generator
    items: int
    first: int = 0
    total: Callable[[Tensor], Tensor] = alone

    def normal(self, like: Tensor) -> Tensor:
        """Return standard normal numbers, `(B, ...)` shaped like the tensor, whose rows are this
        process's items.
        """
        numbers = torch.randn(
            (self.items, *like.shape[1:]),
            generator=self.generator,
            dtype=like.dtype,
            device=self.generator.device,
        )
        return numbers[self.first : self.first + len(like)].to(like.device)

    def uniform(self, like: Tensor) -> Tensor:
        """Return uniform numbers in [0, 1), `(B, ...)` shaped like the tensor, whose rows are this
        process's items.
        """
        numbers = torch.rand(
            (self.items, *like.shape[1:]),
            generator=self.generator,
            dtype=like.dtype,
            device=self.generator.device,
        )
        return numbers[self.first : self.first + len(like)].to(like.device)


def draws(source: Generator | Draws, items: int) -> Draws:
    """Return the randomness of a whole batch of `items` items from a generator; return `Draws`
    unchanged.

    Examples:
        >>> draws(Generator().manual_seed(0), 3).uniform(torch.empty(3, 2)).shape
        torch.Size([3, 2])
    """
    return source if isinstance(source, Draws) else Draws(source, items)


class Trainable(Protocol):
    """What training needs of a family's network, besides being a torch module."""

    def terms(
        self,
        x: Tensor,
        labels: Tensor | None,
        generator: Generator | Draws,
        drop: Tensor | None = None,
    ) -> Terms:
        """Sample z once per item and return the terms. x int64 `(B, dims)`; labels int64 `(B,)`, or
        other side information; drop bool `(B,)`: items whose z_1 is the default latent, at no cost.
        """

    def means(self, x: Tensor, labels: Tensor | None) -> Tensor:
        """E_q[z | x]: return it, `(B, latents)`, to count active latents."""


class Weighted(Trainable, Protocol):
    """What bounds of several samples of z need besides: the part of q that does not depend on the
    samples, computed once.
    """

    def encoded(self, x: Tensor, labels: Tensor | None) -> Sequence[Tensor]:
        """Return the outputs of q's networks that depend on x alone, `(B, ...)` each; empty if
        there are none.
        """

    def terms(
        self,
        x: Tensor,
        labels: Tensor | None,
        generator: Generator | Draws,
        drop: Tensor | None = None,
        encoded: Sequence[Tensor] | None = None,
    ) -> Terms:
        """Sample z once per item and return the terms, as `Trainable.terms`; `encoded` is the
        result of the method of that name for the same x and labels, or None.
        """
