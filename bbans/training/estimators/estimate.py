"""d/d logits E_q(b)[f(b)] and d/d theta E_q(b)[f_theta(b)] by one backward pass of `surrogate`.

Every estimator returns an `Estimate`. f takes samples `(B, ...)` shaped like the logits and returns
`(B,)`; item i of its result depends on item i of its samples alone. f may also depend on the logits
directly (a log q in it): the surrogate's backward pass adds that derivative.
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
    """A source of uniform numbers, such as `training.terms.Draws`."""

    def uniform(self, like: Tensor) -> Tensor:
        """Return numbers in [0, 1) with the shape, dtype and device of the tensor."""


def noise(source: Generator | Noise, like: Tensor) -> Noise:
    """Return a generator as the noise of a whole batch, shaped like the tensor; return other noise
    unchanged.

    Examples:
        >>> noise(Generator().manual_seed(0), torch.zeros(5, 3)).uniform(torch.zeros(5, 3)).shape
        torch.Size([5, 3])
    """
    return Draws(source, len(like)) if isinstance(source, Generator) else source


@dataclass(frozen=True)
class Estimate:
    """An estimate of d/d logits E[f].

    gradient, shaped like the logits: one estimate per item. value `(B,)`: f at the sample, with f's
    graph. signal `(B,)`: the factor of the score before the baseline is subtracted, where it is not
    the value.

    The gradient has a graph to the parameters of a control variate or baseline, for `improve`, and
    none to the logits.
    """

    gradient: Tensor
    value: Tensor
    signal: Tensor | None = None


def surrogate(estimate: Estimate, logits: Tensor) -> Tensor:
    """Return a scalar, the mean of f over items, whose derivatives by the logits' and f's
    parameters are the estimates.

    Examples:
        >>> logits = torch.zeros(1, 1, requires_grad=True)
        >>> surrogate(Estimate(torch.full((1, 1), 3.0), torch.zeros(1)), logits).backward()
        >>> logits.grad.item()
        3.0
    """
    inner = estimate.gradient.detach() * (logits - logits.detach())
    return estimate.value.mean() + inner.sum() / len(logits)


def improve(estimate: Estimate, parameters: Iterable[Tensor]) -> tuple[Tensor, ...]:
    """d/d phi Var(g) = E[d/d phi g^2]: return the derivatives of the summed variance, a mean over
    items, by a control variate's parameters.

    The identity holds for unbiased g, whose mean does not depend on phi (Grathwohl et al. 2018,
    arXiv:1711.00123; for REBAR's temperature Tucker et al. 2017, arXiv:1703.07370).

    Examples:
        >>> phi = torch.ones(1, requires_grad=True)
        >>> improve(Estimate(3 * phi, torch.zeros(1)), [phi])[0].item()
        18.0
    """
    square = (estimate.gradient**2).sum() / len(estimate.gradient)
    return torch.autograd.grad(square, tuple(parameters), retain_graph=True)


def column(signal: Tensor, like: Tensor) -> Tensor:
    """Reshape one number per item, `(..., B)`, so that it multiplies samples `(..., B, *dims)`;
    `like` is one batch of them, `(B, *dims)`.

    Examples:
        >>> column(torch.ones(5), torch.zeros(5, 3)).shape
        torch.Size([5, 1])
    """
    return signal.reshape(*signal.shape, *(1,) * (like.dim() - 1))
