"""Item 81. k = argmin |z_e - e_k|, deterministic: no bits back, no initial bits, and the decoder
never runs the encoder.
"""

import numpy as np

from bbans.coding.rans import base_message, message_equal
from bbans.models.vqvae import CODEBOOK, ExactVqVae
from bbans.schemes import deterministic
from bbans.schemes.bounds import initial_bits
from tests.chains import CONFIGS, exact, fresh, samples

CONFIG = CONFIGS["codes with a prior"]


def test_no_initial_bits_and_nothing_left():
    _, layers = fresh(CONFIG)
    chain, x = exact(CONFIG, layers), samples(CONFIG, 6)
    assert initial_bits(deterministic.codec, chain, x) == 0
    start = base_message((1,))
    (message,) = deterministic.codec(chain, 6).push(start, x)

    class DecoderOnly(ExactVqVae):
        def posterior(self, layer, below):
            raise AssertionError("the decoder ran the encoder")

    end, found = deterministic.codec(exact_decoder(DecoderOnly, layers), 6).pop(message)
    assert np.array_equal(found, x) and message_equal(end, start)


def exact_decoder(kind, layers):
    from bbans.exact.numpy_ops import NumpyOps

    return kind(CONFIG, layers, NumpyOps())


def test_codes_are_the_nearest_vectors():
    net, layers = fresh(CONFIG)
    chain, x = exact(CONFIG, layers), samples(CONFIG, 50)
    codebook = layers[CODEBOOK].weight[:, :, 0, 0].astype(object)
    z_e = chain._networks["posterior1"](x)[0].reshape(50, 3, 1, 4).astype(object)
    assert np.array_equal(chain.codes(x), ((z_e - codebook) ** 2).sum(-1).argmin(-1))
    import torch

    floats = net.quantise(net.encode(torch.from_numpy(x)))[0].numpy()
    assert (floats == chain.codes(x)).mean() > 0.97  # rounding moves what lies between two vectors
