"""Item 78: NVIL, MuProp and REBAR are unbiased, by enumeration and quadrature; Concrete is not."""

import pytest
import torch

from bbans.training.estimators.muprop import muprop
from bbans.training.estimators.nvil import Moments, baseline_loss, nvil
from bbans.training.estimators.relax import rebar
from bbans.training.estimators.score import score
from tests.methods.relaxed import concrete
from tests.three_bits import LOGITS, STATES, enumerated, exact_gradient, f, integrated, masses


@pytest.mark.parametrize("baseline", [0.0, 2.5])
def test_nvil_and_muprop(baseline):
    for estimator in (
        lambda l, n: nvil(f, l, n, baseline, Moments(0.3, 4.0, 7)),
        lambda l, n: muprop(f, l, n, baseline),
    ):
        assert torch.allclose(enumerated(estimator).mean, exact_gradient(), atol=1e-13)


def test_scaled_signals_scale_the_gradient():
    found = enumerated(lambda l, n: nvil(f, l, n, 0.0, Moments(2.0, 4.0, 7), scaled=True))
    assert torch.allclose(2 * found.mean, exact_gradient(), atol=1e-13)


def test_muprop_has_no_noise_where_f_is_linear():
    w = torch.tensor([1.0, -0.5, 0.3], dtype=torch.float64)
    found = enumerated(lambda l, n: muprop(lambda b: b @ w, l, n))
    assert (
        torch.allclose(found.mean, exact_gradient(lambda b: b @ w), atol=1e-15)
        and found.variance.max() < 1e-30
    )


@pytest.mark.parametrize(("temperature", "scale"), [(0.5, 0.7), (1.0, 1.0), (2.0, -0.4)])
def test_rebar(temperature, scale):
    """At any temperature and scale; quadrature is exact to 1e-4, a bias of 5 % is 1e-2."""
    log_temperature = torch.tensor(temperature, dtype=torch.float64).log()
    found = integrated(lambda l, n: rebar(f, l, n, log_temperature, scale))
    assert torch.allclose(found.mean, exact_gradient(), atol=1e-4)


def test_concrete_is_biased():
    found = integrated(lambda l, n: concrete(f, l, n, 0.5), 1, 20)
    assert (found.mean - exact_gradient()).norm() > 0.05 * exact_gradient().norm()


def test_an_input_dependent_baseline_is_learned():
    """Inputs shift f by 0, 5 and 10: one running mean leaves that in the signal, a learned C(x)
    does not. Of 300 draws an input.
    """
    shifts = torch.tensor([0.0, 5.0, 10.0], dtype=torch.float64)
    x = torch.eye(3, dtype=torch.float64).repeat_interleave(300, 0)
    weights = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    rows = LOGITS.expand(900, 3)
    generator = torch.Generator().manual_seed(0)
    optimiser = torch.optim.Adam([weights], 0.2)
    for _ in range(300):
        estimate = nvil(lambda b: f(b) + x @ shifts, rows, generator, x @ weights)
        (weights.grad,) = torch.autograd.grad(baseline_loss(estimate.value, x @ weights), weights)
        optimiser.step()
    expected = float((masses(LOGITS) * f(STATES)).sum()) + shifts
    assert (weights - expected).abs().max() < 0.1
    totals = [
        0.0,
        0.0,
        0.0,
    ]  # mean variance of the score function, of one constant, of the learned baseline
    for shift, learned in zip(shifts, weights.detach(), strict=True):
        function = lambda b, shift=shift: f(b) + shift  # noqa: E731
        for i, estimator in enumerate(
            (
                lambda l, n, g=function: score(g, l, n),
                lambda l, n, g=function: nvil(g, l, n, moments=Moments(float(expected.mean()))),
                lambda l, n, g=function, c=learned: nvil(g, l, n, c),
            )
        ):
            totals[i] += float(enumerated(estimator).variance.sum()) / 3
    assert totals[2] < 0.2 * totals[1] < 0.1 * totals[0]
