"""Item 85. |sg(z_e) - e|^2 moves the codebook, beta |z_e - sg(e)|^2 the encoder, and neither moves
the other.
"""

from dataclasses import replace

import pytest
import torch

from bbans.training.networks.vqvae import VqVaeNet, perplexity
from tests.chains import CONFIGS
from tests.methods.trained import trained


def quantised(options):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = VqVaeNet(CONFIGS["codes"])
        net.options = replace(net.options, **options)
        z_e = torch.randn(5, 3, 4, requires_grad=True)
    codes, _, loss = net.quantise(z_e)
    loss.backward()
    return net, z_e, codes


@pytest.mark.parametrize("commitment", [0.25, 1.0])
def test_each_loss_moves_its_own(commitment):
    net, z_e, codes = quantised({"commitment": commitment})
    distance = (z_e - net.codebook[codes]).detach()
    assert torch.allclose(z_e.grad, 2 * commitment * distance / 5)
    expected = torch.zeros_like(net.codebook).index_put(
        (codes,), -2 * distance / 5, accumulate=True
    )
    assert torch.allclose(net.codebook.grad, expected, atol=1e-6)


def test_moving_averages_replace_the_codebook_loss():
    """One step with nothing kept puts each vector that is used on the mean of what it stands
    for.
    """
    net, z_e, codes = quantised({"codebook_average": 1e-9, "commitment": 0.0})
    assert net.codebook.grad is None and not z_e.grad.any()
    for k in codes.unique():
        assert torch.allclose(net.codebook[k], z_e[codes == k].mean(0), atol=1e-5)


def test_perplexity_counts_the_vectors_in_use():
    assert perplexity(torch.tensor([[0, 1], [2, 3]]), 8) == pytest.approx(4)
    assert perplexity(torch.zeros(3, 2, dtype=torch.int64), 8) == pytest.approx(1)
    _, chain, _, test = trained("codes")
    assert 2 < perplexity(torch.from_numpy(chain.codes(test.x.astype(int))), 16) <= 16
