"""Small untrained chains of every family, and the laws that any latent chain must keep."""

import functools
import zlib

import numpy as np
import torch

from bbans import container, tiles
from bbans.coding.rans import message_equal, pseudo_random_message
from bbans.exact.numpy_ops import NumpyOps
from bbans.exact.torch_ops import TorchOps
from bbans.models.bernoulli_vae import BernoulliVaeConfig
from bbans.models.categorical_vae import CategoricalVaeConfig
from bbans.models.conv_vae import ConvVaeConfig
from bbans.models.image_model import image_model
from bbans.models.model_file import Model, model_id, to_tensors
from bbans.models.pyramid import PyramidConfig
from bbans.models.registry import FAMILIES, family_name
from bbans.models.rich_vae import RichVaeConfig
from bbans.models.vae import VaeConfig
from bbans.models.vqvae import AUTOREGRESSIVE, VqVaeConfig
from bbans.tiles.codecs import latent
from bbans.training.networks.families import export, float_network

SHAPE = {"height": 4, "width": 5, "hidden": 24}
CONFIGS = {
    "binary": VaeConfig(**SHAPE, levels=2, likelihood="bernoulli", components=0, latents=(6,)),
    "beta-binomial": VaeConfig(**SHAPE, likelihood="beta_binomial", components=0, latents=(6,)),
    "logistic": VaeConfig(**SHAPE, likelihood="logistic", components=3, latents=(6,)),
    "categorical": VaeConfig(
        **SHAPE, levels=17, likelihood="categorical", components=0, latents=(6,)
    ),
    "low rank": VaeConfig(**SHAPE, likelihood="categorical", components=3, latents=(6,)),
    "three layers": VaeConfig(
        **SHAPE, levels=2, likelihood="bernoulli", components=0, latents=(8, 6, 4), skip=True
    ),
    "fixed sigma": VaeConfig(
        **SHAPE, levels=2, likelihood="bernoulli", components=0, latents=(6,), fixed_sigma=36
    ),
    "colour": VaeConfig(
        **SHAPE, channels=3, likelihood="logistic", components=3, latents=(6,), hidden_layers=1
    ),
    "convolutional": ConvVaeConfig(7, 5, latents=(6,), maps=8),
    "convolutional in two layers": ConvVaeConfig(
        8, 3, 2, 2, "bernoulli", 0, latents=(6, 4), maps=6, halvings=1, blocks=2, hidden=12
    ),
    "pyramid": PyramidConfig(
        **SHAPE, levels=2, likelihood="bernoulli", components=0, latents=(6,), trunk=8, planes=2
    ),
    "pyramid of colours": PyramidConfig(7, 3, 3, latents=(6,), hidden=24, trunk=6, blocks=2),
    "wide pyramid": PyramidConfig(3, 66, 1, 2, "bernoulli", 0, latents=(6,), hidden=16, trunk=6),
    "low-rank pyramid": PyramidConfig(
        **SHAPE, levels=17, likelihood="categorical", components=3, latents=(6,), trunk=8, blocks=0
    ),
    "mixture": RichVaeConfig(
        **SHAPE,
        levels=2,
        likelihood="bernoulli",
        components=0,
        latents=(5,),
        posterior="mixture",
        parts=3,
    ),
    "autoregressive flow": RichVaeConfig(
        **SHAPE, likelihood="logistic", latents=(5,), posterior="flow", hidden_layers=1
    ),
    "coupling flow": RichVaeConfig(
        **SHAPE,
        levels=2,
        likelihood="bernoulli",
        components=0,
        latents=(5,),
        posterior="coupling",
        parts=3,
    ),
    "semi-implicit": RichVaeConfig(
        **SHAPE,
        levels=2,
        likelihood="bernoulli",
        components=0,
        latents=(5,),
        posterior="semi-implicit",
        noise=2,
    ),
    "bits": BernoulliVaeConfig(4, 5, latents=(12,)),
    "two layers of bits": BernoulliVaeConfig(4, 5, latents=(12, 8), hidden=16, hidden_layers=1),
    "categories": CategoricalVaeConfig(4, 5, latents=(6,), states=5),
    "two layers of categories": CategoricalVaeConfig(
        4, 5, latents=(6, 4), states=3, hidden=16, hidden_layers=1
    ),
    "codes": VqVaeConfig(4, 5, codes=3, codebook=8, dims=4, hidden=24),
    "codes with a prior": VqVaeConfig(
        4, 5, codes=3, codebook=8, dims=4, hidden=24, prior=AUTOREGRESSIVE, prior_hidden=16
    ),
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


@functools.cache
def chain_model(name):
    """An untrained model by the name of its config."""
    config = CONFIGS[name]
    _, layers = fresh(config)
    return Model(name, config, layers, {}, model_id(config, to_tensors(layers)))


@functools.cache
def large_chain():
    """A chain over images large enough to pay for initial bits, and one of them."""
    config = VaeConfig(40, 30, 1, 256, "logistic", 3, (4,), 16, 1)
    _, layers = fresh(config)
    pixels = (120 + np.random.default_rng(0).integers(0, 16, (40, 30))).astype(np.uint8)
    return Model("large", config, layers, {}, model_id(config, to_tensors(layers))), pixels


def picture(model, seed=0):
    """An image of the model's shape, uint8; with 256 levels in the middle of them, where a fresh
    mixture is.
    """
    c = model.config
    x = samples(c, 1, seed)[0]
    pixels = (
        (120 + x % 16 if c.levels == 256 else x)
        .astype(np.uint8)
        .reshape(c.height, c.width, c.channels)
    )
    return pixels if c.channels > 1 else pixels[:, :, 0]


def chain_file(model, pixels, **options):
    """The file of one image whose only tile the model codes, with these options or without latents,
    whether or not that is the shortest.
    """
    predictor = image_model(model, NumpyOps())
    shape = (*pixels.shape, 1)[:3]
    samples = pixels.reshape(shape)
    if options:
        options = map(options.get, ("scheme", "particles", "refine"))
        context = tiles.resolve_scheme(tiles.Context(image_model=predictor), *options)
        part = latent.encode_latent(predictor, context.coding, samples)
    else:
        part = container.TilePart(
            container.CHAIN, shape[2], latent.encode_default(predictor, samples)
        )
    tile = container.TileRecord((part,), zlib.crc32(container.to_raw(pixels, 8)))
    pixel_format = container.format_of(shape[2], 8, False).code
    return container.write(
        container.Container(
            shape[1], shape[0], pixel_format, shape[1], shape[0], model.id, (), (tile,)
        )
    )


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
    from bbans.schemes.sampling import sample_distribution

    found, below = [], x
    for layer in range(1, chain.capabilities.depth + 1):
        above = sample_distribution(chain.posterior(layer, below), (layer,))
        found += [
            above,
            chain.posterior(layer, below).bits(above),
            chain.likelihood(layer - 1, above).bits(below),
        ]
        below = above
    return [*found, chain.prior(len(x)).bits(below)]


BACKENDS = (NumpyOps(), NumpyOps(np.float32), TorchOps(), TorchOps(wide=True))
