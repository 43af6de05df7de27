"""Item 68: x = softmax((log a + g) / temperature); g's path gradient is exact for the relaxed
objective E[f(x)], which is not E[f(b)].
"""

import torch

from bbans.training.networks.discrete_latents import BITS, CATEGORIES
from tests.methods.relaxed import concrete
from tests.three_bits import LOGITS, exact_gradient, f, integrated


def test_the_gradient_is_that_of_the_relaxed_objective():
    """Central differences of E[f(soft)] by quadrature, at temperature 0.5; the discrete gradient is
    elsewhere.
    """

    def objective(logits):
        """E[f(soft)] as the mean of an estimator that returns f in every entry."""

        def value(l, noise):
            found = concrete(f, l, noise, 0.5)
            return type(found)(found.value[:, None].expand(-1, 3), found.value)

        return float(integrated(value, 1, 20, logits).mean[0])

    found = integrated(lambda l, n: concrete(f, l, n, 0.5), 1, 20).mean
    for i, step in enumerate(1e-4 * torch.eye(3, dtype=torch.float64)):
        slope = (objective(LOGITS + step) - objective(LOGITS - step)) / 2e-4
        assert abs(slope - float(found[i])) < 1e-6
    assert (found - exact_gradient()).abs().max() > 0.01


def test_a_category_of_two_is_a_bit():
    """Softmax of two Gumbel variables is a sigmoid of their difference, which is logistic: the same
    law, here of the same quantiles.
    """
    generator = torch.Generator().manual_seed(0)
    logit = torch.tensor(0.8, dtype=torch.float64)
    pair = torch.stack([logit, torch.zeros_like(logit)]).expand(200_000, 2)
    two = CATEGORIES.soft(
        CATEGORIES.continuous(
            pair, torch.rand(200_000, 2, generator=generator, dtype=torch.float64)
        ),
        0.7,
    )
    assert torch.allclose(two.sum(1), torch.ones((), dtype=torch.float64))
    levels = torch.linspace(0.05, 0.95, 19, dtype=torch.float64)
    one = BITS.soft(BITS.continuous(logit, levels), 0.7)
    # Dvoretzky, Kiefer and Wolfowitz: a distance of 0.0062 has probability 4e-7
    below = (two[:, :1] <= one).double().mean(0)
    assert (below - levels).abs().max() < 0.0062
