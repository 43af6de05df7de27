"""Item 29: flows that code exactly: an autoregressive one, whose latents are Gaussians given those
before, and couplings of the grid.
"""

import numpy as np
import pytest

from bbans.coding.rans import pseudo_random_message
from bbans.distributions import composite, gaussian_bins
from bbans.schemes import bits_back
from bbans.schemes.bounds import ideal_bits, push_measured
from bbans.schemes.sampling import sample_items
from tests.laws import check_bits_back, check_codec
from tests.methods.analytic_posteriors import FLOW, MEAN_FIELD, Correlated

N = 1 << 8
X = sample_items(Correlated(), 60, 1)


def shift(s, a):
    """Something of no structure, of 3 or 4 columns."""
    return (
        (37 * a[:, :1] ** 2 + 11 * s * a.sum(1, keepdims=True))
        % 91
        * np.ones((1, 3 if s % 2 == 0 else 4), np.int64)
    )


def test_a_coupling_is_a_bijection():
    """Inverse and forward are the identity both ways, and no two points of the grid meet."""
    forward, inverse = composite.coupled(shift, 3, N)
    z = np.random.default_rng(0).integers(0, N, (4000, 7))
    assert np.array_equal(inverse(forward(z)), z) and np.array_equal(forward(inverse(z)), z)
    assert not np.array_equal(forward(z), z) and forward(z).min() >= 0 and forward(z).max() < N
    small = np.stack(np.meshgrid(*[np.arange(12)] * 2, indexing="ij"), 2).reshape(-1, 2)
    turned = composite.coupled(lambda s, a: 5 * a + s, 2, 12)[0](small)
    assert len(np.unique(turned, axis=0)) == 144


def test_a_transformed_conditional_keeps_the_laws():
    """Bits are those of the base where it came from: the grid has no volume to change."""
    rng = np.random.default_rng(1)
    base = gaussian_bins.gaussian(
        rng.integers(-200, 200, (30, 7)), rng.integers(10, 50, (30, 7)), 8
    )
    forward, inverse = composite.coupled(shift, 3, N)
    flow = composite.transformed(base, forward, inverse)
    message = pseudo_random_message((8,), 500, 0)
    check_bits_back(flow, message)
    _, z = flow.pop(message)
    check_codec(flow, message, z)
    assert np.array_equal(flow.bits(z), base.bits(inverse(z))) and np.array_equal(
        flow.fixed_bits(z), base.fixed_bits(inverse(z))
    )


def test_a_flow_that_is_the_posterior_costs_nothing():
    """Net = -log2 p(x) for every message to rounding (means to 1/128, a sigma to 1/8 octave);
    mean-field pays (log2 (16 / 7)) / 2.
    """
    evidence = Correlated().evidence_bits(X)
    check_codec(bits_back.codec(Correlated(), len(X)), pseudo_random_message((8,), 2000, 0), X)
    for seed in range(20):
        account = push_measured(
            bits_back.codec,
            Correlated(FLOW),
            pseudo_random_message((1,), 60, seed),
            X[seed : seed + 1],
        )[1]
        assert account.net - account.coder == pytest.approx(evidence[seed], abs=0.25)
    flow, diagonal = (
        ideal_bits(Correlated(kind), X, 64).total - evidence for kind in (FLOW, MEAN_FIELD)
    )
    assert abs(flow.mean()) < 0.01
    assert diagonal.mean() == pytest.approx(Correlated().gap_bits(), abs=0.08)


def test_the_volume_of_a_coupling_in_training():
    """Of v = Phi(u) -> v', by autodiff: its Jacobian's determinant is 1, so that u's density
    relative to N(0, 1) is that of the base.
    """
    import torch

    from bbans.training.networks.rich_vae import RichVaeNet
    from tests.chains import CONFIGS

    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = RichVaeNet(CONFIGS["coupling flow"]).double()
        with torch.no_grad():
            for parameter in net.parameters():
                parameter.mul_(3)
    seen, inner = (
        torch.rand(1, 20, dtype=torch.float64),
        torch.special.ndtri(torch.linspace(0.2, 0.7, 5, dtype=torch.float64))[None],
    )

    class Fixed:
        def normal(self, like):
            return self.e

    def outer(v):
        mean, log2_sigma = net.net("posterior1")(seen)
        noise = Fixed()
        noise.e = (torch.special.ndtri(v) - mean) / torch.exp2(log2_sigma)
        return torch.special.ndtr(net._coupling(seen, net.net("posterior1")(seen), noise)[0])[0]

    jacobian = torch.autograd.functional.jacobian(outer, torch.special.ndtr(inner))[:, 0]
    assert float(torch.linalg.det(jacobian)) == pytest.approx(1.0, abs=1e-6)
    assert float((jacobian - torch.eye(5)).abs().max()) > 0.01
