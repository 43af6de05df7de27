"""Item 47: the gradient of IWAE is sum_k w~_k grad log w_k with self-normalised weights; for K = 1
it is the VAE's.
"""

import pytest
import torch

from bbans.training.diagnostics import normalised_weights
from bbans.training.objectives import elbo, iwae

X = torch.tensor([1.5, -0.5, 2.0], dtype=torch.float64)


def log_weights(mean, log2_sigma, noise):
    """log2 w `(K, B)` of z ~ N(0, 1), x ~ N(z, 1), q = N(mean, sigma^2)."""
    z = mean + torch.exp2(log2_sigma) * noise
    normal = [
        torch.distributions.Normal(*p).log_prob(v)
        for p, v in (((0.0, 1.0), z), ((z, 1.0), X), ((mean, torch.exp2(log2_sigma)), z))
    ]
    return (normal[0] + normal[1] - normal[2]) / torch.log(torch.tensor(2.0, dtype=torch.float64))


@pytest.mark.parametrize("particles", [1, 2, 50])
def test_against_autodiff_of_the_bound(particles):
    noise = torch.randn(
        particles, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )
    q = [
        torch.tensor(v, dtype=torch.float64, requires_grad=True)
        for v in ([0.2, 0.1, 1.3], [-0.3, 0.2, 0.0])
    ]
    log_w = log_weights(*q, noise)
    whole = torch.autograd.grad(iwae(log_w).sum(), q, retain_graph=True)
    weighted = torch.autograd.grad(
        (normalised_weights(log_w.detach()) * log_w).sum(), q, retain_graph=True
    )
    for a, b in zip(whole, weighted, strict=True):
        assert torch.allclose(a, b, rtol=1e-10)
    single = torch.autograd.grad(elbo(log_w).sum(), q)
    assert all(torch.allclose(a, b, rtol=1e-10) for a, b in zip(whole, single, strict=True)) == (
        particles == 1
    )
