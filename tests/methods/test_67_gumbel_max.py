"""Item 67: argmax_k (log a_k + Gumbel) is Categorical(a / sum a), as [logit p + logistic > 0] is
Bernoulli(p).
"""

import numpy as np
import torch

from bbans.training.networks.discrete_latents import BITS, CATEGORIES
from tests.methods.toys import chi_square

DRAWS = 100_000


def test_categories():
    """Chi-square of 4 degrees of freedom beyond 33.4: false alarms 1e-6.

    The likeliest state 5 % too frequent adds 120.
    """
    logits = torch.tensor([0.3, -1.0, 1.2, 0.0, -0.4], dtype=torch.float64)
    u = torch.rand(DRAWS, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    counts = (
        CATEGORIES.sample(logits.expand(DRAWS, 5) + 7, u).sum(0).long().numpy()
    )  # 7: a scale that normalising takes out
    assert counts.sum() == DRAWS
    assert chi_square(counts, torch.softmax(logits, 0).numpy()) < 33.4


def test_bits_are_exact():
    """[z > 0] is [u > 1 - p]: no draws needed."""
    for logit in (-3.0, 0.0, 0.7, 4.0):
        l = torch.tensor([[logit]], dtype=torch.float64)
        edge = float(torch.sigmoid(-l))
        assert float(BITS.sample(l, torch.tensor([[edge + 1e-12]], dtype=torch.float64))) == 1
        assert float(BITS.sample(l, torch.tensor([[edge - 1e-12]], dtype=torch.float64))) == 0


def test_noise_at_its_ends():
    """Uniform numbers of 0 are drawn once in 2^24: z stays finite."""
    for kind in (BITS, CATEGORIES):
        for dtype in (torch.float32, torch.float64):
            ends = torch.tensor([[0.0, 0.5, 1 - np.finfo(np.float32).eps]], dtype=dtype)
            assert torch.isfinite(kind.continuous(torch.zeros(1, 3, dtype=dtype), ends)).all()
