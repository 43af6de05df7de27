"""Item 87. Where a strong decoder makes a Gaussian VAE's posterior collapse (item 35), a VQ-VAE's
codes stay in use.
"""

import torch

from bbans.training.networks.vqvae import perplexity
from tests.methods.strong_decoder import VqVae, fit, runs


def test_codes_stay_in_use():
    """The bound on their cost is a constant, so nothing drives them to one value: some of 16 are in
    use.
    """
    net = fit(VqVae, runs(1500), 300)
    codes = net.coder.quantise(net.coder.encode(torch.from_numpy(runs(300, 1))))[0]
    assert perplexity(codes, 16) > 2
