"""Item 33. A posterior fitted to each image by stochastic ascent has a better ELBO than the
encoder's, and takes far more to find.
"""

import torch
from torch.utils.flop_counter import FlopCounterMode

from bbans.training.networks.heads import sample_bits, standard_divergence
from tests.methods.trained import trained

STEPS, DRAWS = 150, 200


def rate(net, x, mean, log2_sigma, noise):
    """-ELBO of each item in bits, `(items,)`, over draws `(draws, items, dims)`."""
    u = mean + torch.exp2(log2_sigma) * noise
    outputs = net.net("likelihood0")(u.reshape(-1, u.shape[-1]))
    likelihood = sample_bits(net.config.head, outputs, x.repeat(len(noise), 1)).sum(1)
    return likelihood.reshape(len(noise), -1).mean(0) + standard_divergence(mean, log2_sigma).sum(1)


def fitted(net, x, mean, log2_sigma, generator):
    """Stochastic variational inference (Hoffman et al. 2013) for each item, from the encoder's q
    on.
    """
    free = [mean.clone().requires_grad_(), log2_sigma.clone().requires_grad_()]
    optimiser = torch.optim.Adam(free, 0.02)
    for _ in range(STEPS):
        optimiser.zero_grad()
        rate(net, x, *free, torch.randn(4, *mean.shape, generator=generator)).sum().backward()
        optimiser.step()
    return [part.detach() for part in free]


def test_the_amortisation_gap():
    """A gap of the mean rate above four standard errors over items (false alarm: 3e-5), and an
    encoder of a hundredth of the operations.
    """
    net, _, _, test = trained("binary")
    x = torch.from_numpy(test.x.astype("int64"))
    generator = torch.Generator().manual_seed(0)

    def encoded():
        with torch.no_grad():
            return net.posterior(1, x.float())

    with FlopCounterMode(display=False) as encoding:
        q = encoded()
    with FlopCounterMode(display=False) as fitting:
        best = fitted(net, x, *q, generator)
    assert fitting.get_total_flops() > 100 * encoding.get_total_flops() > 0
    noise = torch.randn(DRAWS, *q[0].shape, generator=generator)
    with torch.no_grad():
        gap = rate(net, x, *q, noise) - rate(net, x, *best, noise)
    assert gap.mean() > 4 * gap.std() / len(gap) ** 0.5
    assert gap.mean() > 0.1
