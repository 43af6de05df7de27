"""Item 37. sigma fixed at s: KL(q || N(0, 1)) >= (s^2 - 1 - log s^2) / 2 nats a latent, whatever
the mean (delta-VAE).
"""

from dataclasses import replace

import numpy as np
import pytest
import torch

from bbans.distributions import gaussian_bins
from tests.chains import CONFIGS, exact, fresh, samples


@pytest.mark.parametrize("index", [24, 36, 44])
def test_the_divergence_never_falls_below_the_floor(index):
    """The float one exactly; the integer one by summing over all bins, whose widths hide up to
    0.004 bit.
    """
    config = replace(CONFIGS["fixed sigma"], fixed_sigma=index)
    s = 2.0 ** (index / 8 - 6)
    floor = (s**2 - 1 - np.log(s**2)) / 2 / np.log(2)
    net, layers = fresh(config, gain=2.0)
    x = samples(config, 10)
    terms = net.terms(torch.from_numpy(x), None, torch.Generator().manual_seed(0))
    assert (terms.divergence >= floor - 1e-5).all()
    i = np.arange(4096)
    means = exact(config, layers).means(x)[0].ravel()[:12]
    for mean in (*means.clip(-128, 128), 0):
        q = (
            gaussian_bins.interval(np.full(4096, mean), np.full(4096, index), 12, i, True)[1]
            / 2**24
        )
        divergence = (q * (12 + np.log2(q))).sum()
        assert floor - 4e-3 < divergence and (mean or divergence < floor + 1e-3)
