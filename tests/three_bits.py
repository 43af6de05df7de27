"""A function of three bits, its exact gradient by the eight states, and the exact moments of any
estimator of it.

An estimator's noise is a uniform number or two a bit. Where it depends on the bits alone, eight
points are all there is; where it depends on z and z~, Gauss and Legendre's rule integrates it,
split where the bit changes. No test that uses these draws anything.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import numpy as np
import torch

from bbans.training.networks.discrete_latents import BITS

LOGITS = torch.tensor([0.4, -0.7, 1.1], dtype=torch.float64)
STATES = torch.tensor(list(itertools.product((0.0, 1.0), repeat=3)), dtype=torch.float64)


def f(x):
    """Of `(..., 3)`, nats: a curved function with an offset, of points between the bits too."""
    w = torch.tensor([1.5, -2.0, 1.0], dtype=x.dtype)
    curved = torch.nn.functional.softplus((x * w).sum(-1) - 0.3)
    return 2 + curved + ((x - 0.45) ** 2).sum(-1) + 0.8 * x[..., 0] * x[..., 1] - 1.5 * x[..., 2]


def masses(logits, states=STATES):
    """q(b) of each state, `(S,)`."""
    return torch.exp(
        -torch.nn.functional.binary_cross_entropy_with_logits(
            logits.expand_as(states), states, reduction="none"
        ).sum(-1)
    )


def exact_gradient(function=f, logits=LOGITS):
    """d/d logits E[function(b)] by enumeration, `(3,)`."""
    leaf = logits.clone().requires_grad_()
    return torch.autograd.grad((masses(leaf) * function(STATES)).sum(), leaf)[0].detach()


@dataclass
class Preset:
    """Noise that gives the tensors it holds, one a call."""

    held: list[torch.Tensor]
    used: int = field(default=0)

    def uniform(self, like):
        self.used += 1
        return self.held[self.used - 1].to(like.dtype)


@dataclass(frozen=True)
class Moments:
    """Mean and variance of an estimator, `(3,)`."""

    mean: torch.Tensor
    variance: torch.Tensor


def moments(gradient, weights):
    mean = (weights[:, None] * gradient).sum(0)
    return Moments(mean, (weights[:, None] * (gradient - mean) ** 2).sum(0))


def enumerated(estimator, samples=1, logits=LOGITS):
    """Moments of an estimator that depends on bits alone; `estimator(logits, noise)` gives an
    Estimate, from `samples` vectors of bits.
    """
    p = torch.sigmoid(logits)
    u = torch.where(STATES > 0.5, 1 - p / 2, (1 - p) / 2)
    chosen = list(itertools.product(range(8), repeat=samples))
    weights = torch.stack([masses(logits)[list(states)].prod() for states in chosen])
    columns = torch.tensor(chosen).T
    found = estimator(logits.expand(len(chosen), 3), Preset([u[column] for column in columns]))
    return moments(found.gradient.detach(), weights)


def _rule(n, pieces):
    nodes, weights = np.polynomial.legendre.leggauss(n)
    found = [
        ((a + (b - a) * (nodes + 1) / 2), weights * (b - a) / 2)
        for a, b in itertools.pairwise(pieces)
    ]
    return (torch.from_numpy(np.concatenate(part)) for part in zip(*found, strict=True))


def integrated(estimator, calls=2, n=6, logits=LOGITS):
    """Moments of an estimator that draws uniform numbers `calls` times (1 or 2), by n nodes a
    smooth piece and call.
    """
    bits = []
    for p in torch.sigmoid(logits).tolist():
        u, weight = _rule(n, [0.0, 1 - p, 1.0])
        if calls == 2:
            v, other = _rule(n, [0.0, 1.0])
            u, v, weight = (
                u.repeat_interleave(n),
                v.repeat(2 * n),
                weight.repeat_interleave(n) * other.repeat(2 * n),
            )
            bits.append((torch.stack([u, v]), weight))
        else:
            bits.append((u[None], weight))
    size = len(bits[0][1])
    index = torch.cartesian_prod(*[torch.arange(size)] * 3)
    weights = torch.stack([weight[index[:, i]] for i, (_, weight) in enumerate(bits)]).prod(0)
    held = [
        torch.stack([points[call][index[:, i]] for i, (points, _) in enumerate(bits)], 1)
        for call in range(calls)
    ]
    found = estimator(logits.expand(len(weights), 3), Preset(held))
    return moments(found.gradient.detach(), weights)


def network(seed=0, features=BITS.soft):
    """An untrained control variate of z `(B, 3)`: arbitrary, smooth, with parameters."""
    generator = torch.Generator().manual_seed(seed)
    shapes = ((3, 8), (8,), (8,))
    parameters = [
        torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_()
        for shape in shapes
    ]
    first, bias, last = parameters

    def control(z):
        return torch.tanh(2 * features(z, 1.0) @ first - 1 + bias) @ last

    return control, parameters
