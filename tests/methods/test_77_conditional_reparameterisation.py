"""Item 77: z~ given b has H(z~) = b always, and with b ~ q the law of z; the formula with v' is the
same number.
"""

import math

import pytest
import torch

from bbans.training.networks.discrete_latents import BITS, CATEGORIES

DRAWS = 100_000
KOLMOGOROV = math.sqrt(
    math.log(2 / 1e-6) / (2 * DRAWS)
)  # Dvoretzky, Kiefer and Wolfowitz: false alarms 1e-6


def uniforms(seed, *shape, dtype=torch.float64):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def distance(samples, cdf):
    """Kolmogorov's, of each column."""
    place = torch.arange(1, len(samples) + 1, dtype=samples.dtype) / len(samples)
    return float((cdf(samples.sort(0).values) - place[:, None]).abs().max())


def test_the_formula_of_the_lecture():
    """v' = v[(1 - p)(1 - b) + p b] + (1 - p) b, z~ = logit p + logit v'."""
    logits, v, b = (
        4 * uniforms(0, 1000, 3) - 2,
        uniforms(1, 1000, 3),
        (uniforms(2, 1000, 3) < 0.5).double(),
    )
    p = torch.sigmoid(logits)
    inside = v * ((1 - p) * (1 - b) + p * b) + (1 - p) * b
    assert torch.allclose(BITS.conditional(logits, b, v), logits + torch.logit(inside), atol=1e-11)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_bits_come_back_always(dtype):
    """For logits to 80, where p is 1 in floats, and noise at its ends."""
    logits = torch.tensor([-80.0, -10.0, 0.0, 10.0, 80.0], dtype=dtype)[:, None, None]
    b = torch.tensor([0.0, 1.0], dtype=dtype)[:, None]
    v = torch.tensor([0.0, 1e-9, 0.5, 1 - 1e-7], dtype=dtype)
    shape = (5, 2, 4)
    z = BITS.conditional(logits.expand(shape), b.expand(shape), v.expand(shape))
    assert torch.isfinite(z).all() and torch.equal(BITS.hard(z), b.expand(shape))


def test_categories_come_back():
    logits = torch.tensor([0.3, -3.0, 1.2, 0.0], dtype=torch.float64).expand(DRAWS, 4)
    b = torch.eye(4, dtype=torch.float64)[torch.arange(DRAWS) % 4]
    assert torch.equal(CATEGORIES.hard(CATEGORIES.conditional(logits, b, uniforms(0, DRAWS, 4))), b)


def test_marginals_are_those_of_z():
    """7 columns at 1e-6 each.

    Of b drawn with p 5 % off the distances are 0.009 to 0.036, the threshold is 0.0085.
    """
    logits = torch.tensor([-1.5, 0.2, 0.9], dtype=torch.float64).expand(DRAWS, 3)
    z = BITS.conditional(logits, BITS.sample(logits, uniforms(0, DRAWS, 3)), uniforms(1, DRAWS, 3))
    assert distance(z, lambda z: torch.sigmoid(z - logits)) < KOLMOGOROV
    logits = torch.tensor([0.3, -1.0, 1.2, 0.0], dtype=torch.float64).expand(DRAWS, 4)
    z = CATEGORIES.conditional(
        logits, CATEGORIES.sample(logits, uniforms(2, DRAWS, 4)), uniforms(3, DRAWS, 4)
    )
    place = torch.log_softmax(logits, 1)
    assert distance(z, lambda z: torch.exp(-torch.exp(place - z))) < KOLMOGOROV
    mixed = (
        z[:, 0] - z[:, 2]
    )  # of two independent Gumbel variables: logistic, which marginals alone do not give
    assert (
        distance(mixed[:, None], lambda d: torch.sigmoid(d - (place[:, :1] - place[:, 2:3])))
        < KOLMOGOROV
    )
