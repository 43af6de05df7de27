"""p(x | z) = prod_i p(x_i | x_(i-1), z): a decoder so strong that it can do without z, on runs of
bits.
"""

from __future__ import annotations

import functools

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from bbans.models.heads import embedding_field, gaussian_fields, latent_field, logits
from bbans.models.mlp import Field, Mlp
from bbans.models.vqvae import VqVaeConfig
from bbans.training.latent import Samples, loss, rates
from bbans.training.networks.heads import bernoulli_bits, standard_divergence
from bbans.training.networks.mlp import FloatMlp
from bbans.training.networks.vqvae import VqVaeNet
from bbans.training.terms import Terms, Training

DIMS, LATENTS, HIDDEN = 64, 8, 128


def runs(count: int, seed: int = 0) -> np.ndarray:
    """Bits `(count, 64)`, each equal to the one before with probability 0.9: nothing is left to
    know for who sees the one before.
    """
    rng = np.random.default_rng(seed)
    flips = rng.random((count, DIMS)) < np.r_[0.5, np.full(DIMS - 1, 0.1)]
    return np.cumsum(flips, 1) % 2


class Decoder(nn.Module):
    """Logits of x from z and, where it is strong, from the pixel before, which is learned ten times
    as fast.
    """

    def __init__(self, z_field: Field, autoregressive: bool) -> None:
        super().__init__()
        self.of_z = FloatMlp(Mlp((z_field,), (HIDDEN,), (logits(DIMS),)))
        self.before = nn.Parameter(torch.zeros(DIMS), requires_grad=autoregressive)

    def forward(self, x, z):
        return self.of_z(z)[0] + 10 * self.before * (2 * F.pad(x[:, :-1], (1, 0), value=0.5) - 1)


class Vae(nn.Module):
    """A Gaussian VAE with either decoder."""

    def __init__(self, autoregressive: bool) -> None:
        super().__init__()
        self.encoder = FloatMlp(Mlp((Field(DIMS, 1, 0, 1),), (HIDDEN,), gaussian_fields(LATENTS)))
        self.decoder = Decoder(latent_field(LATENTS), autoregressive)

    def terms(self, x, labels, generator, drop=None):
        seen = x.float()
        mean, log2_sigma = self.encoder(seen)
        u = mean + torch.exp2(log2_sigma) * torch.randn(mean.shape, generator=generator)
        divergence = standard_divergence(mean, log2_sigma)
        likelihood = bernoulli_bits(self.decoder(seen, u), seen).sum(1)
        return Terms(likelihood, divergence, divergence.sum(1), likelihood.new_zeros(()))

    def means(self, x, labels):
        return self.encoder(x.float())[0]


class VqVae(nn.Module):
    """A VQ-VAE with the strong decoder."""

    def __init__(self) -> None:
        super().__init__()
        config = VqVaeConfig(
            8,
            8,
            levels=2,
            likelihood="bernoulli",
            components=0,
            codes=2,
            codebook=16,
            dims=4,
            hidden=HIDDEN,
            hidden_layers=1,
        )
        self.coder = VqVaeNet(config, Training(codebook_average=0.95))
        self.decoder = Decoder(embedding_field(8), True)

    def terms(self, x, labels, generator, drop=None):
        codes, vectors, extra = self.coder.quantise(self.coder.encode(x))
        likelihood = bernoulli_bits(self.decoder(x.float(), vectors.flatten(1)), x.float()).sum(1)
        prior = self.coder.prior_bits(codes)
        return Terms(likelihood, prior, prior.sum(1), extra)


def fit(make, x: np.ndarray, steps: int, kl_warmup: int = 0, seed: int = 0):
    """A network made by `make()` and trained on x int `(N, 64)` by Adam."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = make()
    optimiser = torch.optim.Adam(net.parameters(), 3e-3)
    for step in range(steps):
        rows = np.random.default_rng((seed, step)).choice(len(x), 100)
        terms = net.terms(
            torch.from_numpy(x[rows].astype(np.int64)), None, torch.Generator().manual_seed(step)
        )
        optimiser.zero_grad()
        loss(terms, min(1.0, (step + 1) / max(1, kl_warmup))).backward()
        optimiser.step()
    return net.eval()


@functools.cache
def measured(autoregressive: bool, kl_warmup: int = 0, steps: int = 1200) -> dict[str, float]:
    """`rates` of a VAE trained on runs; `prior` is the KL divergence, the net cost of latents."""
    return rates(
        fit(lambda: Vae(autoregressive), runs(60000), steps, kl_warmup), Samples(runs(300, 1))
    )
