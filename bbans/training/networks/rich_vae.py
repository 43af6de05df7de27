"""-ELBO = E_q[-log2 p(x | z) - log2 p(z) + log2 q(z | x)] with q a mixture, a flow or
semi-implicit: the trainable twin of `models.rich_vae`.

- mixture: the expectation over the component is exact, with one sample of z per component.
- flow: u_d = mean_d(x, u_<d) + sigma_d(x, u_<d) e_d, one pass of the network per latent.
- coupling: in v = Phi(u), whose prior is uniform on [0, 1), a step adds a function of one half to
  the other, modulo 1.
- planar: z = u + v tanh(w u + b), `parts` times, with v, w and b networks of x; it cannot be coded
  (`planar`).
- semi-implicit: log2 q is replaced by log2 (1 / (K + 1)) sum_k q(z | noise_k), where z was sampled
  with noise_0. The bound lies below the ELBO of the implicit q and rises to it with K (L_K of Yin
  and Zhou 2018, arXiv:1805.11183); it is minus the expected rate of the coder.

Densities are relative to N(0, 1), as in `vae`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Generator, Tensor, nn

from bbans.distributions.tables import standard_normal_bins
from bbans.exact.layers import IntConv
from bbans.models import heads
from bbans.models.rich_vae import (
    COUPLING,
    FLOW,
    MIXTURE,
    PLANAR,
    SEMI_IMPLICIT,
    RichVaeConfig,
    check_codes,
    flow_masks,
)
from bbans.training.networks import mlp
from bbans.training.networks.heads import LN2, gaussian_bits, sample_bits, start
from bbans.training.networks.mlp import FloatMlp
from bbans.training.networks.planar import planar
from bbans.training.terms import GAUSSIAN, SIVI, Draws, Terms, Training, Trains, draws


class RichVaeNet(nn.Module):
    """All networks of the model."""

    def __init__(self, config: RichVaeConfig, training: Training | None = None) -> None:
        super().__init__()
        self.config = config
        if config.posterior != MIXTURE:
            self.sampled = True  # all terms are those of a sample, whatever the objective
        self.outermost = (
            float(standard_normal_bins(config.latent_precision)[1][-1]) / heads.LATENT_UNIT
        )
        masks = (
            [torch.from_numpy(mask) for mask in flow_masks(config)]
            if config.posterior == FLOW
            else None
        )
        self.nets = nn.ModuleDict(
            {
                name: FloatMlp(plan, masks if name == "posterior1" else None)
                for name, plan in config.plans.items()
            }
        )
        self.net("posterior1").output_bias(2 if config.posterior == MIXTURE else 1).fill_(-1.0)
        for name in config.plans:
            if name.startswith("posterior_shift"):
                with torch.no_grad():
                    self.net(name).layers[-1].weight.mul_(0.1)  # type: ignore[operator]
        start(config.head, self.net("likelihood0"))

    def net(self, name: str) -> FloatMlp:
        """Return a network by name."""
        network = self.nets[name]
        assert isinstance(network, FloatMlp)
        return network

    def terms(
        self,
        x: Tensor,
        labels: Tensor | None,
        generator: Generator | Draws,
        drop: Tensor | None = None,
        encoded: Sequence[Tensor] | None = None,
    ) -> Terms:
        """Sample z once per item (per component of a mixture) and return the terms, as
        `terms.Weighted` defines them; the divergence has one column, for all latents together.
        """
        config, source = self.config, draws(generator, len(x))
        seen = x.to(torch.get_default_dtype()) / (config.levels - 1)
        once = self.encoded(x, labels) if encoded is None else encoded
        u, weight, log_q = (
            self._mixture(once, source)
            if config.posterior == MIXTURE
            else self._sample(seen, once, source)
        )
        if drop is not None:
            u, log_q = (
                u.masked_fill(drop[:, None, None], 0.0),
                log_q.masked_fill(drop[:, None], 0.0),
            )
        outputs = self.net("likelihood0")(self._read(u).flatten(0, 1))
        shared = self.net("shared") if "shared" in self.nets else None
        many = x.repeat_interleave(u.shape[1], 0)
        likelihood = (
            weight * sample_bits(config.head, outputs, many, shared).sum(1).view_as(weight)
        ).sum(1)
        prior = likelihood.new_full((len(x),), float(config.latent_precision * config.coded))
        return Terms(
            likelihood, (weight * log_q).sum(1, keepdim=True), prior, likelihood.new_zeros(())
        )

    def means(self, x: Tensor, labels: Tensor | None) -> Tensor:
        """E_q[z | x]: return it, `(B, latents)`: the mean of a mixture, or z with all noise set to
        0.
        """
        seen = x.to(torch.get_default_dtype()) / (self.config.levels - 1)
        once = self.encoded(x, labels)
        if self.config.posterior == MIXTURE:
            log_weights, mean, _ = once
            mixed: Tensor = (
                torch.softmax(log_weights * LN2, 1)[:, :, None]
                * mean.view(len(x), self.config.parts, -1)
            ).sum(1)
            return mixed
        u, _, _ = self._sample(seen, once, ZeroNoise())
        return u[:, 0]

    def encoded(self, x: Tensor, labels: Tensor | None) -> list[Tensor]:
        """Return the outputs of q's network if they depend on x alone; empty if it also reads
        latents or noise.
        """
        if self.config.posterior in (FLOW, SEMI_IMPLICIT):
            return []
        outputs: list[Tensor] = self.net("posterior1")(
            x.to(torch.get_default_dtype()) / (self.config.levels - 1)
        )
        return outputs

    def _sample(
        self, seen: Tensor, once: Sequence[Tensor], source: Draws | ZeroNoise
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return u `(B, 1, dims)`, weight 1 and log2 q / p, `(B, 1)` each, for one sample."""
        config = self.config
        if config.posterior == FLOW:
            u, log_q = self._flow(seen, source)
        elif config.posterior == COUPLING:
            u, log_q = self._coupling(seen, once, source)
        elif config.posterior == PLANAR:
            u, log_q = self._planar(once, source)
        else:
            u, log_q = self._semi_implicit(seen, source)
        return u[:, None], torch.ones_like(log_q)[:, None], log_q[:, None]

    def _mixture(self, once: Sequence[Tensor], source: Draws) -> tuple[Tensor, Tensor, Tensor]:
        """Return one sample per component, u `(B, parts, dims)`, its weight and log2 q / p, `(B,
        parts)` each.
        """
        log_weights, *gaussians = once
        log_weights = torch.log_softmax(log_weights * LN2, 1) / LN2
        mean, log2_sigma = (
            part.view(len(log_weights), self.config.parts, -1) for part in gaussians
        )
        u = mean + torch.exp2(log2_sigma) * source.normal(gaussians[0]).view_as(mean)
        bits = gaussian_bits(u[:, :, None], mean[:, None], log2_sigma[:, None]).sum(
            3
        )  # (B, sample, component)
        log_q = torch.logsumexp((log_weights[:, None] - bits) * LN2, 2) / LN2
        return u, torch.exp2(log_weights), log_q

    def _semi_implicit(self, seen: Tensor, source: Draws | ZeroNoise) -> tuple[Tensor, Tensor]:
        items, parts = len(seen), self.config.parts
        noise = self._read(source.normal(seen.new_empty(items, parts * self.config.noise))).view(
            items * parts, -1
        )
        outputs = self.net("posterior1")(seen.repeat_interleave(parts, 0), noise)
        mean, log2_sigma = (part.view(items, parts, -1) for part in outputs)
        u = mean[:, 0] + torch.exp2(log2_sigma[:, 0]) * source.normal(mean[:, 0])
        bits = gaussian_bits(u[:, None], mean, log2_sigma).sum(2)
        return u, torch.logsumexp(-bits * LN2, 1) / LN2 - math.log2(parts)

    def _flow(self, seen: Tensor, source: Draws | ZeroNoise) -> tuple[Tensor, Tensor]:
        noise = source.normal(seen.new_empty(len(seen), self.config.latents[0]))
        u = torch.zeros_like(noise)
        for d in range(u.shape[1]):
            mean, log2_sigma = self.net("posterior1")(seen, self._read(u))
            column = mean[:, d] + torch.exp2(log2_sigma[:, d]) * noise[:, d]
            u = torch.cat([u[:, :d], column[:, None], u[:, d + 1 :]], 1)
        return u, -gaussian_bits(u, *self.net("posterior1")(seen, self._read(u))).sum(1)

    def _coupling(
        self, seen: Tensor, once: Sequence[Tensor], source: Draws | ZeroNoise
    ) -> tuple[Tensor, Tensor]:
        mean, log2_sigma = once
        u = mean + torch.exp2(log2_sigma) * source.normal(mean)
        log_q = -gaussian_bits(u, mean, log2_sigma).sum(1)
        edge = 2.0 ** -(self.config.latent_precision + 1)
        for s in range(self.config.parts):
            kept, moved = u[:, s % 2 :: 2], torch.special.ndtr(u[:, 1 - s % 2 :: 2])
            moved = moved + self.net(f"posterior_shift{s}")(seen, self._read(kept))[0]
            moved = torch.special.ndtri((moved - moved.detach().floor()).clamp(edge, 1 - edge))
            u = u.clone()
            u[:, 1 - s % 2 :: 2] = moved
        return u, log_q

    def _planar(self, once: Sequence[Tensor], source: Draws | ZeroNoise) -> tuple[Tensor, Tensor]:
        mean, log2_sigma, parameters = once
        u = mean + torch.exp2(log2_sigma) * source.normal(mean)
        log_q = (u**2).sum(1) / -(2 * LN2) - gaussian_bits(u, mean, log2_sigma).sum(
            1
        )  # relative to a constant, not to N(0, 1)
        dims = u.shape[1]
        for step in parameters.view(len(u), self.config.parts, -1).unbind(1):
            u, log_det = planar(u, step[:, :dims], step[:, dims:-1], step[:, -1])
            log_q = log_q - log_det
        return u, log_q + (u**2).sum(1) / (2 * LN2)

    def _read(self, u: Tensor) -> Tensor:
        """Convert latents to network inputs."""
        return u.clamp(-self.outermost, self.outermost)


class ZeroNoise:
    """A source of noise that is 0."""

    def normal(self, like: Tensor) -> Tensor:
        """Return zeros shaped like the tensor."""
        return torch.zeros_like(like)


def trains(config: RichVaeConfig) -> Trains:
    """Return the estimators and objectives that a network of this config supports; SIVI, the bound
    of a semi-implicit posterior, only with that posterior.

    Examples:
        >>> trains(RichVaeConfig(posterior=SEMI_IMPLICIT)).objectives[-1]
        'sivi'
    """
    if config.posterior == SEMI_IMPLICIT:
        return replace(GAUSSIAN, objectives=(*GAUSSIAN.objectives, SIVI))
    return GAUSSIAN


def network(config: RichVaeConfig, training: Training | None = None) -> RichVaeNet:
    """Return an untrained network of the family, initialised from torch's global generator.

    Examples:
        >>> net = network(RichVaeConfig(height=2, width=2, latents=(3,), hidden=4))
        >>> net.means(torch.zeros(2, 4).long(), None).shape
        torch.Size([2, 3])
    """
    return RichVaeNet(config, training)


def export(net: RichVaeNet) -> dict[str, IntConv]:
    """Return the integer layers of a trained network, by name.

    Raises AccumulatorBoundError if a layer cannot be made exact, NoCodecError on a planar flow.

    Examples:
        >>> net = network(RichVaeConfig(2, 2, latents=(3,), hidden=4))
        >>> export(net)["posterior1.0"].weight.shape
        (4, 4, 1, 1)
    """
    check_codes(net.config.posterior)
    return mlp.export({name: net.net(name) for name in net.nets})
