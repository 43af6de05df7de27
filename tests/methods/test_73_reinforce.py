"""Item 73: REINFORCE is unbiased whatever constant is taken from f, and its variance is lowest near
E[f].
"""

import torch

from bbans.training.estimators.score import score
from tests.three_bits import LOGITS, STATES, enumerated, exact_gradient, f, masses


def test_a_constant_changes_the_variance_only():
    mean = float((masses(LOGITS) * f(STATES)).sum())
    found = [
        enumerated(lambda l, n, c=c: score(f, l, n, baseline=c))
        for c in (-10.0, 0.0, mean, mean + 10.0)
    ]
    for moments in found:
        assert torch.allclose(moments.mean, exact_gradient(), atol=1e-13)
    far, none, near, beyond = (float(m.variance.sum()) for m in found)
    assert near < 0.2 * none and none < 0.2 * far and near < 0.02 * beyond
