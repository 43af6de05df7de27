"""Item 84. dL / dz_e = dL / dz_q: the gradient passes the quantiser as if it were not there, and
the codebook gets none of it.
"""

import torch

from bbans.training.networks.vqvae import VqVaeNet
from tests.chains import CONFIGS, fresh


def test_gradients_pass_straight_through():
    net, _ = fresh(CONFIGS["codes"])
    assert isinstance(net, VqVaeNet)
    z_e = torch.randn(5, 3, 4, generator=torch.Generator().manual_seed(0), requires_grad=True)
    codes, z_q, _ = net.quantise(z_e)
    assert torch.allclose(z_q, net.codebook[codes], atol=1e-6)
    weights = torch.randn(5, 3, 4, generator=torch.Generator().manual_seed(1))
    (z_q**2 * weights).sum().backward()
    assert torch.allclose(z_e.grad, (2 * z_q * weights).detach()) and net.codebook.grad is None
