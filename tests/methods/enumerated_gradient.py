"""grad_phi L_K in nats of a latent of three states, q = softmax(phi), by enumeration: E of every
estimator of that gradient.
"""

import math
from itertools import combinations

import numpy as np
import torch

JOINT = torch.tensor([0.05, 0.12, 0.08], dtype=torch.float64)
PHI = torch.tensor([0.3, 0.1, -0.2], dtype=torch.float64)
EVIDENCE = JOINT.sum()


def bound_gradient(particles: int) -> torch.Tensor:
    """Of E log (1 / K) sum w, `(3,)`."""
    phi = PHI.clone().requires_grad_()
    log_q = torch.log_softmax(phi, 0)
    bars = np.array(list(combinations(range(particles + 2), 2)))
    counts = torch.from_numpy(
        np.stack([bars[:, 0], bars[:, 1] - bars[:, 0] - 1, particles + 1 - bars[:, 1]], 1)
    ).double()
    log_p = math.lgamma(particles + 1) - torch.lgamma(counts + 1).sum(1) + counts @ log_q
    mean_w = counts @ (JOINT / log_q.exp()) / particles
    (gradient,) = torch.autograd.grad((log_p.exp() * mean_w.log()).sum(), phi)
    return gradient


def variance_gradient() -> torch.Tensor:
    """Of Var_q w = sum p^2 / q - Z^2, `(3,)`."""
    phi = PHI.clone().requires_grad_()
    (gradient,) = torch.autograd.grad((JOINT**2 / torch.softmax(phi, 0)).sum(), phi)
    return gradient
