"""Item 15, Problem 8.2: z = m + s e gives unbiased gradients of the ELBO, of far less variance than
the score function's.
"""

import math

import pytest
import torch

from bbans.models.analytic import LinearGaussian

DRAWS = 20_000
LATENTS = 4
# samples (LATENTS, 3) in units of sigma, k = 1, and a q that is not the posterior
Y = torch.tensor(
    [[1.5, -0.25, 2.0], [0.5, 0.25, -1.5], [-1.0, -2.5, -1.75], [0.0, 1.0, 2.25]],
    dtype=torch.float64,
)
M, S = (
    torch.tensor([0.9, 0.2, -1.0, 0.6], dtype=torch.float64),
    torch.tensor([0.8, 0.6, 0.7, 0.4], dtype=torch.float64),
)


def log_normal(value, mean, sd):
    return (
        -0.5 * ((value - mean) / sd) ** 2
        - torch.log(torch.as_tensor(sd, dtype=torch.float64))
        - 0.5 * math.log(2 * math.pi)
    )


def log_joint(z):
    """Of z `(draws, LATENTS)`: one number a draw."""
    return (log_normal(z, 0.0, 1.0) + log_normal(Y, z[:, :, None], 1.0).sum(2)).sum(1)


def exact_gradient():
    """ELBO = log p(x) - sum_j KL(N(m_j, s_j^2) || N(mu_j, 1/4)), mu_j = sum_r y_jr / 4."""
    return torch.cat([-4 * (M - Y.sum(1) / 4), 1 / S - 4 * S])


def draws():
    """Per-draw gradients by all m and s of both estimators, `(DRAWS, 2 LATENTS)` each, from the
    same noise.
    """
    e = torch.randn(DRAWS, LATENTS, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    m, s = (v.repeat(DRAWS, 1).requires_grad_() for v in (M, S))
    z = m + s * e
    pathwise = torch.autograd.grad((log_joint(z) - log_normal(z, m, s).sum(1)).sum(), (m, s))
    fixed = z.detach()
    log_q = log_normal(fixed, m, s).sum(1)
    weight = (log_joint(fixed) - log_q).detach()
    score = torch.autograd.grad((weight * log_q).sum(), (m, s))
    return torch.cat(pathwise, 1), torch.cat(score, 1)


def test_unbiased_and_of_low_variance():
    """16 comparisons at 4 standard errors: false alarms 1e-3.

    The score's variance has the noise of all latents in every entry.
    """
    pathwise, score = draws()
    for gradients in (pathwise, score):
        error = gradients.std(0) / math.sqrt(DRAWS)
        assert ((gradients.mean(0) - exact_gradient()).abs() < 4 * error).all()
    assert (score.var(0) > 10 * pathwise.var(0)).all()


def test_the_gradient_leads_to_the_evidence():
    """At the exact posterior log w is the same for every z: -density_bits of the model, whose sigma
    is 32 grey levels.
    """
    model = LinearGaussian(latents=LATENTS, k=1)
    x = (512 + 32 * Y).round().long().reshape(1, -1).numpy()
    z = torch.randn(50, LATENTS, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    log_w = log_joint(z) - log_normal(z, Y.sum(1) / 4, 0.5).sum(1)
    assert float(log_w.max() - log_w.min()) < 1e-11
    bits = -float(log_w[0]) / math.log(2) + Y.numel() * 5
    assert model.density_bits(x)[0] == pytest.approx(bits, abs=1e-9)
    assert model.evidence_bits(x)[0] == pytest.approx(bits, abs=0.05)
