"""Item 76: RELAX is unbiased for any c, and following d/d phi g^2 lowers its variance, on (b - t)^2
at t = 0.45, 0.49, 0.499 too.
"""

import math

import pytest
import torch

from bbans.training.estimators.estimate import improve
from bbans.training.estimators.relax import relax, tempered
from bbans.training.estimators.score import score
from tests.three_bits import LOGITS, enumerated, exact_gradient, f, integrated, network


@pytest.mark.parametrize("seed", [0, 1])
def test_unbiased_for_arbitrary_controls(seed):
    """6 nodes a piece and call are exact to 1e-5: a bias of 5 % is 1e-2."""
    control, _ = network(seed)
    found = integrated(lambda l, n: relax(f, control, l, n))
    assert torch.allclose(found.mean, exact_gradient(), atol=5e-5)
    wrong = integrated(
        lambda l, n: relax(f, lambda z: control(z) * (1 + (z > 0).double().mean(1)), l, n), n=3
    )
    assert (
        wrong.mean - exact_gradient()
    ).abs().max() > 0.01  # a c that jumps with b is no differentiable one


def test_the_derivative_of_the_variance():
    """`improve` against central differences of the exact variance by the control's last layer."""
    control, (_, _, last) = network(2)

    def variance(i, step):
        with torch.no_grad():
            last[i] += step
        found = integrated(lambda l, n: relax(f, control, l, n), n=3).variance.sum()
        with torch.no_grad():
            last[i] -= step
        return float(found)

    generator = torch.Generator().manual_seed(0)
    (slope,) = improve(relax(f, control, LOGITS.expand(400_000, 3), generator), [last])
    for i in (0, 5):
        assert float(slope[i]) == pytest.approx(
            (variance(i, 1e-3) - variance(i, -1e-3)) / 2e-3, rel=0.05, abs=0.05
        )


@pytest.mark.parametrize("t", [0.45, 0.49, 0.499])
def test_the_log_variance_drops(t):
    """The paper's toy, three bits of it: 200 steps take the variance below a tenth of the score
    function's, and of c's own start.
    """

    def toy(b):
        return ((b - t) ** 2).sum(-1)

    net, parameters = network(0)
    log_temperature = torch.tensor(0.0, dtype=torch.float64, requires_grad=True)
    base = tempered(toy, log_temperature)

    def estimator(l, n):
        return relax(toy, lambda z: base(z) + net(z), l, n)

    logits = torch.zeros(3, dtype=torch.float64)
    before = integrated(estimator, n=3, logits=logits).variance.sum()
    generator, learned = torch.Generator().manual_seed(0), [log_temperature, *parameters]
    optimiser = torch.optim.Adam(learned, 3e-2)
    for _ in range(200):
        for parameter, slope in zip(
            learned, improve(estimator(logits.expand(100, 3), generator), learned), strict=True
        ):
            parameter.grad = slope
        optimiser.step()
    after = integrated(estimator, n=4, logits=logits)
    plain = enumerated(lambda l, n: score(toy, l, n), logits=logits).variance.sum()
    assert torch.allclose(after.mean, exact_gradient(toy, logits), atol=1e-3)
    assert (
        math.log(after.variance.sum()) < math.log(plain) - math.log(10)
        and after.variance.sum() < 0.1 * before
    )
