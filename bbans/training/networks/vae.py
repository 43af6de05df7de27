"""-ELBO = E_q[-log2 p(x | z_1)] + sum_l E_q[log2 q(z_l | z_(l-1)) - log2 p(z_l | z_(l+1))]: the
Gaussian VAE as a trainable network.

One layer: Kingma and Welling 2014 (arXiv:1312.6114), Rezende et al. 2014 (arXiv:1401.4082). Several
layers: the Markov hierarchy of Bit-Swap (Kingma, Abbeel and Ho 2019, arXiv:1905.06845). Densities
of latents are relative to N(0, 1), over whose bins the coder works, so that a sample of the bound
and the coder's bits agree term by term. The config plans the networks, dense or convolutional. The
integer twin is `models.vae`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Generator, Tensor, nn

from bbans.distributions.tables import standard_normal_bins
from bbans.exact.layers import IntConv
from bbans.models import heads
from bbans.models.conv_vae import ConvVaeConfig
from bbans.models.vae import VaeConfig
from bbans.training.networks import conv
from bbans.training.networks.conv import FloatConv
from bbans.training.networks.heads import gaussian_bits, sample_bits, standard_divergence, start
from bbans.training.networks.mlp import FloatMlp
from bbans.training.terms import (
    ELBO,
    GAUSSIAN,
    LAX,
    STRAIGHT_THROUGH,
    Draws,
    Terms,
    Training,
    Trains,
    draws,
)


class VaeNet(nn.Module):
    """All networks of the model."""

    def __init__(self, config: VaeConfig | ConvVaeConfig, training: Training | None = None) -> None:
        super().__init__()
        self.config = config
        self.sampled = (training or Training()).objective != ELBO
        # Networks read latents clipped to the outermost bin's median, as the coder does. A layer
        # below the top may spread that far: on binarised MNIST a fifth of z_1 fell into the end
        # bins, and training the decoder on unclipped values cost 0.6 % of the rate.
        self.outermost = (
            float(standard_normal_bins(config.latent_precision)[1][-1]) / heads.LATENT_UNIT
        )
        self.nets = nn.ModuleDict({name: conv.network(plan) for name, plan in config.plans.items()})
        for layer in range(1, len(config.latents) + 1):
            if config.fixed_sigma < 0:
                self.net(f"posterior{layer}").output_bias(1).fill_(-1.0)
        start(config.head, self.net("likelihood0"))

    def net(self, name: str) -> FloatMlp | FloatConv:
        """Return a network by name."""
        network = self.nets[name]
        assert isinstance(network, FloatMlp | FloatConv)
        return network

    def terms(
        self,
        x: Tensor,
        labels: Tensor | None,
        generator: Generator | Draws,
        drop: Tensor | None = None,
        encoded: Sequence[Tensor] | None = None,
    ) -> Terms:
        """Sample z once per item and return the terms, as `terms.Weighted` defines them; the KL
        divergence of the top layer is exact, those below are estimated with the sample.

        Where the objective needs log-weights, all divergences are those of the sample: minus the
        sum of likelihood and divergence is log2 w.
        """
        config, source = self.config, draws(generator, len(x))
        side = self._side(labels)
        us, read = list[Tensor](), list[Tensor]()
        gaussians: list[tuple[Tensor, Tensor]] = []
        for layer in range(1, len(config.latents) + 1):
            if layer == 1:
                mean, log2_sigma = encoded or self.encoded(x, labels)
            else:
                mean, log2_sigma = self.posterior(layer, read[-1])
            u = mean + torch.exp2(log2_sigma) * source.normal(mean)
            if drop is not None:
                u = u.masked_fill(drop[:, None], 0.0)
            us.append(u)
            gaussians.append((mean, log2_sigma))
            read.append(u.clamp(-self.outermost, self.outermost))
        divergence, prior = self._latent_bits(us, read, gaussians)
        if drop is not None:
            divergence = divergence.masked_fill(drop[:, None], 0.0)
        likelihood = self.likelihood(x, us[0], side)
        return Terms(likelihood, divergence, prior, likelihood.new_zeros(()))

    def _latent_bits(
        self, us: list[Tensor], read: list[Tensor], gaussians: list[tuple[Tensor, Tensor]]
    ) -> tuple[Tensor, Tensor]:
        """Return `Terms.divergence` and `Terms.prior` from sampled latents, their clipped values as
        networks read them, and means and log2 sigmas of q.
        """
        precision, latents = self.config.latent_precision, self.config.latents
        prior = us[0].new_full((len(us[0]),), float(precision * sum(latents)))
        divergences = []
        for layer, (u, q) in enumerate(zip(us, gaussians, strict=True), 1):
            if layer == len(us):
                divergences.append(
                    -gaussian_bits(u, *q) if self.sampled else standard_divergence(*q)
                )
            else:
                bits = gaussian_bits(u, *self.net(f"likelihood{layer}")(read[layer]))
                divergences.append(bits - gaussian_bits(u, *q))
                prior = prior + bits.detach().sum(1)
        return torch.cat(divergences, 1), prior

    def encoded(self, x: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return mean and log2 sigma of q(z_1 | x), `(B, dims)` each."""
        return self.posterior(
            1, x.to(torch.get_default_dtype()) / (self.config.levels - 1), self._side(labels)
        )

    def posterior(
        self, layer: int, seen: Tensor, side: tuple[Tensor, ...] = ()
    ) -> tuple[Tensor, Tensor]:
        """Return mean and log2 sigma of q(z_layer | z_(layer - 1)), each `(B, dims)`; layer 1 reads
        samples scaled to 0..1.
        """
        outputs = self.net(f"posterior{layer}")(seen, *(side if layer == 1 else ()))
        if self.config.fixed_sigma >= 0:
            outputs.append(
                torch.full_like(
                    outputs[0], self.config.fixed_sigma / heads.SIGMA_UNIT - heads.SIGMA_OFFSET
                )
            )
        mean, log2_sigma = outputs
        return mean, log2_sigma

    def likelihood(self, x: Tensor, u: Tensor, side: tuple[Tensor, ...] = ()) -> Tensor:
        """-log2 p(x | z_1 = u): return it in bits, `(B,)`."""
        outputs = self.net("likelihood0")(u.clamp(-self.outermost, self.outermost), *side)
        shared = self.net("shared") if "shared" in self.nets else None
        return sample_bits(self.config.head, outputs, x, shared).sum(1)

    def means(self, x: Tensor, labels: Tensor | None) -> Tensor:
        """E_q[z | x]: return it, `(B, latents)`: the means of each layer given those of the layer
        below.
        """
        side = self._side(labels)
        means = [x.to(torch.get_default_dtype()) / (self.config.levels - 1)]
        for layer in range(1, len(self.config.latents) + 1):
            means.append(self.posterior(layer, means[-1], side)[0])
        return torch.cat(means[1:], 1)

    def _side(self, labels: Tensor | None) -> tuple[Tensor, ...]:
        if not self.config.classes:
            return ()
        assert labels is not None, "a conditional model trains on labels"
        return (
            (labels[:, None] == torch.arange(self.config.classes, device=labels.device)).to(
                torch.get_default_dtype()
            ),
        )


def trains(config: VaeConfig | ConvVaeConfig) -> Trains:
    """Return the estimators and objectives that a network of this config supports; LAX needs one
    layer and no labels.

    Examples:
        >>> trains(VaeConfig(latents=(20, 10))).estimators
        ('straight-through',)
    """
    alone = len(config.latents) == 1 and not config.classes
    return replace(GAUSSIAN, estimators=(STRAIGHT_THROUGH, LAX)) if alone else GAUSSIAN


def network(config: VaeConfig | ConvVaeConfig, training: Training | None = None) -> VaeNet:
    """Return an untrained network of the family, initialised from torch's global generator.

    Examples:
        >>> net = network(VaeConfig(height=2, width=2, latents=(3,), hidden=4))
        >>> net.means(torch.zeros(2, 4).long(), None).shape
        torch.Size([2, 3])
    """
    return VaeNet(config, training)


def export(net: VaeNet) -> dict[str, IntConv]:
    """Return the integer layers of a trained network, by name.

    Raises AccumulatorBoundError if a layer cannot be made exact.

    Examples:
        >>> net = network(VaeConfig(2, 2, latents=(3,), hidden=4, hidden_layers=0))
        >>> sorted(export(net))
        ['likelihood0.0', 'posterior1.0']
    """
    return conv.export({name: net.net(name) for name in net.nets})
