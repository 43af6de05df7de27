"""Item 49: VIMCO's signal with either mean is unbiased for E[log (1/K) sum w], by all 8^K states,
and of less noise than the score's.
"""

import itertools
import math

import pytest
import torch

from bbans.training.estimators.estimate import surrogate
from bbans.training.estimators.score import score
from bbans.training.estimators.vimco import signals, vimco
from tests.three_bits import LOGITS, STATES, Preset, enumerated, f, masses


def log_w(b):
    return -2 * f(b)


def bound(K, logits=LOGITS):
    """E[L] by enumeration."""
    states = torch.tensor(list(itertools.product(range(8), repeat=K)))
    return (
        masses(logits)[states].prod(1) * (torch.logsumexp(log_w(STATES)[states], 1) - math.log(K))
    ).sum()


def exact(K):
    leaf = LOGITS.clone().requires_grad_()
    return torch.autograd.grad(bound(K, leaf), leaf)[0]


@pytest.mark.parametrize("geometric", [True, False])
@pytest.mark.parametrize("K", [2, 3])
def test_unbiased(K, geometric):
    found = enumerated(lambda l, n: vimco(log_w, l, n, K, geometric), K)
    plain = enumerated(lambda l, n: whole(l, n, K), K)
    assert torch.allclose(found.mean, exact(K), atol=1e-13) and torch.allclose(
        plain.mean, exact(K), atol=1e-13
    )
    assert found.variance.sum() < 0.1 * plain.variance.sum()


def whole(logits, noise, K):
    """L times the sum of all samples' scores: what one signal for all of them gives."""
    drawn = torch.cat([noise.uniform(logits) for _ in range(K)], 1)

    def function(b):
        return torch.logsumexp(log_w(b.view(len(b), K, 3)), 1) - math.log(K)

    found = score(function, logits.repeat(1, K), Preset([drawn]))
    return type(found)(found.gradient.view(-1, K, 3).sum(1), found.value)


def test_signals_by_hand():
    """w = 1, 2, 4 of one item.

    L = log 7/3; without the third: geometric (1 + 2 + sqrt 2)/3, arithmetic (1 + 2 + 1.5)/3.
    """
    w = torch.tensor([[1.0], [2.0], [4.0]], dtype=torch.float64).log()
    assert float(signals(w)[2]) == pytest.approx(math.log(7 / (3 + math.sqrt(2))))
    assert float(signals(w, geometric=False)[2]) == pytest.approx(math.log(7 / 4.5))


def test_parameters_of_the_model_get_the_normalised_weights():
    """d L / d theta = sum_k w_k / sum w d log w_k / d theta, through the value."""
    theta = torch.zeros((), dtype=torch.float64, requires_grad=True)
    logits = LOGITS.expand(5, 3)
    seen = []

    def function(b):
        seen.append(b)
        return log_w(b) + theta * b[..., 0]

    loss = surrogate(vimco(function, logits, torch.Generator().manual_seed(0), 4), logits)
    weights = torch.softmax(log_w(seen[0]), 0)
    assert float(torch.autograd.grad(loss, theta)[0]) == pytest.approx(
        float((weights * seen[0][..., 0]).sum(0).mean()), rel=1e-12
    )
