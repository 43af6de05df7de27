"""d/d logits E_q(b)[f(b)] and d/d theta E_q(b)[f_theta(b)] by one backward pass of `surrogate`.

Every estimator returns an `Estimate`. f takes samples `(B, ...)` shaped like the logits and returns
`(B,)`; item i of its result depends on item i of its samples alone. It may close over the logits
too (a log q in it): the surrogate's backward pass adds that direct derivative.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import torch
from torch import Generator, Tensor

from bbans.training.terms import Draws

Function: TypeAlias = Callable[[Tensor], Tensor]


class Noise(Protocol):
    """Where uniform numbers come from, such as `training.terms.Draws`."""

    def uniform(self, like: Tensor) -> Tensor:
        """Numbers from [0, 1), shaped like the tensor given, in its dtype and on its device."""


def noise(source: Generator | Noise, like: Tensor) -> Noise:
    """A generator as the noise of a whole batch."""
    return Draws(source, len(like)) if isinstance(source, Generator) else source


@dataclass(frozen=True)
class Estimate:
    """gradient, like the logits: each item's estimate of d/d logits E[f]. value `(B,)`: f at the
    sample, with f's graph.

    signal `(B,)`: what multiplies the score before the baseline is taken off, where that is not the
    value. The gradient has a graph to the parameters of a control variate or baseline, for
    `improve`, and none to the logits that were given.
    """

    gradient: Tensor
    value: Tensor
    signal: Tensor | None = None


def surrogate(estimate: Estimate, logits: Tensor) -> Tensor:
    """A scalar, mean of f over items, whose derivatives by the logits' and f's parameters are the
    estimates.
    """
    inner = estimate.gradient.detach() * (logits - logits.detach())
    return estimate.value.mean() + inner.sum() / len(logits)


def improve(estimate: Estimate, parameters: Iterable[Tensor]) -> tuple[Tensor, ...]:
    """d/d phi Var(g) = E[d/d phi g^2]: the derivative by a control variate's parameters of the
    summed variance, a mean over items.

    It holds for an unbiased g, whose mean no phi changes (Grathwohl et al. 2018, arXiv:1711.00123;
    for REBAR's temperature Tucker et al. 2017, arXiv:1703.07370). Of no use for a biased one.
    """
    square = (estimate.gradient**2).sum() / len(estimate.gradient)
    return torch.autograd.grad(square, tuple(parameters), retain_graph=True)


def column(signal: Tensor, like: Tensor) -> Tensor:
    """A number an item, `(..., B)`, shaped to multiply samples `(..., B, *dims)` of which `like` is
    a batch `(B, *dims)`.
    """
    return signal.reshape(*signal.shape, *(1,) * (like.dim() - 1))
