"""Small untrained chains of every family, and the laws that any latent chain must keep."""

import numpy as np
import torch

from bbans.coding.rans import message_equal, pseudo_random_message
from bbans.exact.numpy_ops import NumpyOps
from bbans.exact.torch_ops import TorchOps
from bbans.models.bernoulli_config import BernoulliVaeConfig
from bbans.models.conv_vae_config import ConvVaeConfig
from bbans.models.families import FAMILIES, export, family_name, float_network
from bbans.models.vae_config import VaeConfig
from bbans.models.vqvae_config import AUTOREGRESSIVE, VqVaeConfig

SHAPE = {"height": 4, "width": 5, "hidden": 24}
CONFIGS = {
    "binary": VaeConfig(**SHAPE, levels=2, likelihood="bernoulli", components=0, latents=(6,)),
    "beta-binomial": VaeConfig(**SHAPE, likelihood="beta_binomial", components=0, latents=(6,)),
    "logistic": VaeConfig(**SHAPE, likelihood="logistic", components=3, latents=(6,)),
    "categorical": VaeConfig(**SHAPE, levels=17, likelihood="categorical", components=0, latents=(6,)),
    "low rank": VaeConfig(**SHAPE, likelihood="categorical", components=3, latents=(6,)),
    "three layers": VaeConfig(**SHAPE, levels=2, likelihood="bernoulli", components=0, latents=(8, 6, 4), skip=True),
    "fixed sigma": VaeConfig(**SHAPE, levels=2, likelihood="bernoulli", components=0, latents=(6,), fixed_sigma=36),
    "colour": VaeConfig(**SHAPE, channels=3, likelihood="logistic", components=3, latents=(6,), hidden_layers=1),
    "convolutional": ConvVaeConfig(7, 5, latents=(6,), maps=8),
    "convolutional in two layers": ConvVaeConfig(8, 3, 2, 2, "bernoulli", 0, latents=(6, 4), maps=6, halvings=1, blocks=2, hidden=12),
    "bits": BernoulliVaeConfig(4, 5, latents=(12,)),
    "two layers of bits": BernoulliVaeConfig(4, 5, latents=(12, 8), hidden=16, hidden_layers=1),
    "codes": VqVaeConfig(4, 5, codes=3, codebook=8, dims=4, hidden=24),
    "codes with a prior": VqVaeConfig(4, 5, codes=3, codebook=8, dims=4, hidden=24, prior=AUTOREGRESSIVE, prior_hidden=16),
}


def fresh(config, seed=0, gain=1.0):
    """An untrained network and its integer layers; `gain` makes its weights larger."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = float_network(config).eval()
        with torch.no_grad():
            for parameter in net.parameters():
                parameter.mul_(gain)
    return net, export(net)


def exact(config, layers, ops=None):
    return FAMILIES[family_name(config)].network(config, layers, ops or NumpyOps())


def samples(config, items, seed=0):
    return np.random.default_rng(seed).integers(0, config.levels, (items, config.head.dims))


def check_chain(chain, x, *schemes):
    """Each scheme returns the samples and leaves the message as it was."""
    for scheme in schemes:
        codec = scheme.codec(chain, len(x))
        start = pseudo_random_message((16,), 4000, 3)
        (message,) = codec.push(start, x)
        back, found = codec.pop(message)
        assert np.array_equal(found, x) and message_equal(back, start), scheme.__name__


def all_integers(chain, x):
    """What every network of a chain emits, for latents drawn by the chain itself."""
    from bbans.schemes.bounds import drawn

    found, below = [], x
    for layer in range(1, chain.depth + 1):
        above = drawn(chain.posterior(layer, below), (layer,))
        found += [above, chain.posterior(layer, below).bits(above), chain.likelihood(layer - 1, above).bits(below)]
        below = above
    return [*found, chain.prior(len(x)).bits(below)]


BACKENDS = (NumpyOps(), NumpyOps(np.float32), TorchOps(), TorchOps(wide=True))
