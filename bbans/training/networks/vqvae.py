"""-log2 p(x | e_k) - log2 p(k), k = argmin |z_e(x) - e_k|^2: the VQ-VAE as a trainable network.

The gradient of the likelihood passes straight through the quantiser to the encoder; the codebook
follows |sg(z_e) - e|^2 or moving averages, and the commitment loss |z_e - sg(e)|^2 keeps the
encoder near it. Source: van den Oord, Vinyals and Kavukcuoglu 2017 (arXiv:1711.00937). A learned
prior over the codes is trained at the same time and gives no gradient to the rest. The integer twin
is `models.vqvae`.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from bbans.exact.layers import IntConv
from bbans.models import heads
from bbans.models.vqvae import CODEBOOK, VqVaeConfig, plans, prior_masks
from bbans.training.networks import mlp
from bbans.training.networks.heads import LN2, sample_bits, start
from bbans.training.networks.mlp import FloatMlp
from bbans.training.terms import Draws, Terms, Training, Trains, alone, draws


class VqVaeNet(nn.Module):
    """Encoder, decoder, codebook `(K, dims)` and prior."""

    counts: Tensor
    sums: Tensor

    def __init__(self, config: VqVaeConfig, training: Training | None = None) -> None:
        super().__init__()
        self.config = config
        self.options = training or Training()
        masks = [torch.from_numpy(mask) for mask in prior_masks(config)]
        self.nets = nn.ModuleDict(
            {
                name: FloatMlp(plan, masks if name == "prior" else None)
                for name, plan in plans(config).items()
            }
        )
        self.codebook = nn.Parameter(torch.randn(config.codebook, config.dims) * 0.3)
        self.register_buffer("counts", torch.ones(config.codebook))
        self.register_buffer("sums", self.codebook.detach().clone())
        start(config.head, self.net("likelihood0"))

    def net(self, name: str) -> FloatMlp:
        """Return a network by name."""
        network = self.nets[name]
        assert isinstance(network, FloatMlp)
        return network

    def quantise(
        self, z_e: Tensor, total: Callable[[Tensor], Tensor] = alone
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return codes `(B, codes)`, their vectors with gradients straight through to z_e `(B,
        codes, dims)`, and the sum of codebook and commitment loss `()`.

        `total` sums a tensor over the processes that share the batch, for moving averages.
        """
        distances = (self.codebook.detach() ** 2).sum(
            1
        ) - 2 * z_e.detach() @ self.codebook.detach().T
        codes = distances.argmin(-1)
        vectors = self.codebook[codes]
        loss = self.options.commitment * ((z_e - vectors.detach()) ** 2).sum((1, 2)).mean()
        if not self.options.codebook_average:
            loss = loss + ((z_e.detach() - vectors) ** 2).sum((1, 2)).mean()
        elif self.training:
            self._follow(z_e.detach(), codes, total)
        return codes, z_e + (vectors - z_e).detach(), loss

    @torch.no_grad()
    def _follow(self, z_e: Tensor, codes: Tensor, total: Callable[[Tensor], Tensor]) -> None:
        keep = self.options.codebook_average
        chosen = F.one_hot(codes.flatten(), self.config.codebook).to(z_e.dtype)
        self.counts.lerp_(total(chosen.sum(0)), 1 - keep)
        self.sums.lerp_(total(chosen.T @ z_e.flatten(0, 1)), 1 - keep)
        self.codebook.copy_(self.sums / self.counts.clamp(min=1e-5)[:, None])

    def encode(self, x: Tensor) -> Tensor:
        """Return z_e `(B, codes, dims)` of x int64 `(B, dims)`."""
        seen = x.to(torch.get_default_dtype()) / (self.config.levels - 1)
        z_e: Tensor = self.net("posterior1")(seen)[0]
        return z_e.view(len(x), self.config.codes, self.config.dims)

    def prior_bits(self, codes: Tensor) -> Tensor:
        """-log2 p(k_i | k_0 ... k_(i-1)): return it in bits, `(B, codes)`."""
        if "prior" not in self.nets:
            return torch.full(codes.shape, math.log2(self.config.codebook), device=codes.device)
        logits = self.net("prior")(self.codebook.detach()[codes].flatten(1))[0].view(
            -1, self.config.codebook
        )
        bits: Tensor = (
            F.cross_entropy(logits * LN2, codes.flatten(), reduction="none").view(codes.shape) / LN2
        )
        return bits

    def terms(
        self,
        x: Tensor,
        labels: Tensor | None,
        generator: Generator | Draws,
        drop: Tensor | None = None,
    ) -> Terms:
        """Return the terms, as `terms.Trainable` defines them; nothing is sampled, and the
        divergence is the prior, since nothing is popped.
        """
        codes, vectors, loss = self.quantise(self.encode(x), draws(generator, len(x)).total)
        shared = self.net("shared") if "shared" in self.nets else None
        likelihood = sample_bits(
            self.config.head, self.net("likelihood0")(vectors.flatten(1)), x, shared
        ).sum(1)
        prior = self.prior_bits(codes)
        return Terms(likelihood, prior, prior.detach().sum(1), loss)

    def means(self, x: Tensor, labels: Tensor | None) -> Tensor:
        """Return the codes' vectors, `(B, codes * dims)`."""
        return self.quantise(self.encode(x))[1].flatten(1)


def perplexity(codes: Tensor, codebook: int) -> float:
    """2^H of the relative frequencies of codes: return the effective number of vectors in use.

    Examples:
        >>> perplexity(torch.tensor([0, 1, 0, 1]), 8)
        2.0
    """
    used = torch.bincount(codes.flatten(), minlength=codebook) / codes.numel()
    return float(torch.exp2(-(used * torch.log2(used.clamp(min=1e-12))).sum()))


def trains(config: VqVaeConfig) -> Trains:
    """Return the estimators and objectives that a network of this config supports.

    Examples:
        >>> trains(VqVaeConfig()).estimators
        ('straight-through',)
    """
    return Trains()


def network(config: VqVaeConfig, training: Training | None = None) -> VqVaeNet:
    """Return an untrained network of the family, initialised from torch's global generator.

    Examples:
        >>> net = network(VqVaeConfig(height=2, width=2, codes=3, codebook=8, dims=4))
        >>> net.encode(torch.zeros(5, 4).long()).shape
        torch.Size([5, 3, 4])
    """
    return VqVaeNet(config, training)


def export(net: VqVaeNet) -> dict[str, IntConv]:
    """Return the integer layers of a trained network, by name.

    Raises AccumulatorBoundError if a layer cannot be made exact.

    Examples:
        >>> net = network(VqVaeConfig(2, 2, codes=3, codebook=8, dims=4))
        >>> export(net)[CODEBOOK].weight.shape
        (8, 4, 1, 1)
    """
    layers = mlp.export({name: net.net(name) for name in net.nets})
    K = net.config.codebook
    vectors = np.rint(net.codebook.detach().cpu().double().numpy() * heads.COEFFICIENT_UNIT)
    weight = vectors.clip(-heads.COEFFICIENT_TOP, heads.COEFFICIENT_TOP).astype(np.int16)[
        :, :, None, None
    ]
    layers[CODEBOOK] = IntConv(weight, np.zeros(K, np.int32), np.zeros(K, np.int8))
    return layers
