"""g = f(b) d/d logits log q(b) = f(b) (b - p), and with a control variate g - a (c(b) (b - p) - d/d
logits E[c]).

Score function or REINFORCE (Williams 1992; Ranganath, Gerrish and Blei 2014, arXiv:1401.0118):
unbiased for any f, differentiable or not.
"""

from __future__ import annotations

from torch import Generator, Tensor

from bbans.training.estimators.estimate import Estimate, Function, Noise, column, noise
from bbans.training.networks.discrete_latents import BITS, Latent


def score(
    f: Function,
    logits: Tensor,
    source: Generator | Noise,
    latent: Latent = BITS,
    baseline: Tensor | float = 0.0,
) -> Estimate:
    """Estimate d/d logits E[f(b)] by the score function; unbiased if the baseline, a number or
    `(B,)`, does not depend on the item's b.

    Examples:
        >>> import torch
        >>> source = Generator().manual_seed(0)
        >>> estimate = score(lambda b: b.sum(1) ** 2, torch.zeros(5, 3), source)
        >>> estimate.gradient.shape, estimate.value.shape
        (torch.Size([5, 3]), torch.Size([5]))
    """
    b = latent.sample(logits, noise(source, logits).uniform(logits))
    value = f(b)
    return Estimate(
        column(value.detach() - baseline, logits) * (b - latent.probabilities(logits.detach())),
        value,
    )


def score_surrogate(value: Tensor, log_q: Tensor, baseline: Tensor | float = 0.0) -> Tensor:
    """Return a scalar, the mean of f, whose derivatives by the parameters of q and f are
    score-function estimates, for any explicit q.

    value `(B,)`: f at samples without a gradient; log_q `(B,)`: their log density in nats, with q's
    graph.

    Examples:
        >>> import torch
        >>> score_surrogate(torch.tensor([1.0, 3.0]), torch.zeros(2)).item()
        2.0
    """
    signal = value.detach() - baseline
    return value.mean() + (signal * (log_q - log_q.detach())).mean()


def control_variate(
    f: Function,
    control: Function,
    mean_gradient: Tensor,
    logits: Tensor,
    source: Generator | Noise,
    latent: Latent = BITS,
    coefficient: Tensor | float = 1.0,
) -> Estimate:
    """Estimate d/d logits E[f(b)] by the score function with a control variate; unbiased if
    `mean_gradient`, shaped like the logits, is exactly d/d logits E[control(b)].

    For a linear control b . w that is w p (1 - p). The coefficient is one number, or one per logit;
    see `best_coefficient`.

    Examples:
        >>> import torch
        >>> logits, known = torch.zeros(5, 3), torch.full((5, 3), 0.25)
        >>> count, source = lambda b: b.sum(1), Generator().manual_seed(0)
        >>> control_variate(count, count, known, logits, source).gradient.unique().tolist()
        [0.25]
    """
    b = latent.sample(logits, noise(source, logits).uniform(logits))
    value, p = f(b), latent.probabilities(logits.detach())
    known = column(control(b).detach(), logits) * (b - p) - mean_gradient.detach()
    return Estimate(column(value.detach(), logits) * (b - p) - coefficient * known, value)


def best_coefficient(plain: Tensor, known: Tensor) -> Tensor:
    """Cov(plain, known) / Var(known) over the first axis: return the coefficient of least variance.

    `plain` and `known` `(B, ...)` are score estimates of f and of the control, at the same b.
    Applied to the batch it was estimated from, it causes a bias of order 1 / B.

    Examples:
        >>> import torch
        >>> best_coefficient(torch.tensor([2.0, 4.0]), torch.tensor([1.0, 2.0])).item()
        2.0
    """
    centred = known - known.mean(0)
    return (plain * centred).sum(0) / (centred**2).sum(0)
