"""-log2 p(x | u) and KL(q(u | x) || p(u)) on a polyphase pyramid: the photograph model as a
trainable network.

A level codes the phases 11, 01, 10 of x given phase 00, which is the next coarser image. Each phase
is one dense pass at half resolution that emits a mixture of K logistics, whose component is shared
by R, G and B (Salimans et al. 2017, arXiv:1701.05517), on residuals against the mean of four known
neighbours. A latent map u ~ N(0, I), one vector per block, modulates the trunks (FiLM: Perez et al.
2018, arXiv:1709.07871).

Initial bits: q(u) and the trunks of phases 11 and 01 do not depend on phase 10, and phase 10 is
modulated by the posterior mean instead of a sample, so that the coder can push phase 10 before it
pops anything.

Units: images are float tensors with values 0..255, `(B, 3, H, W)`, H and W even at every level;
code lengths are in bits. The integer twin is `models.photo`, for which ACT_MAX and the clips exist;
`export` maps one to the other: the units of activations are folded into the weights, which are then
rounded within the accumulator bound. No calibration data.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from bbans.distributions import mixture_layout
from bbans.exact.layers import IntConv, quantise
from bbans.models.photo import PHASES, PhotoConfig, accumulators
from bbans.training.networks.planes import (
    LOCATION_UNIT,
    LOG2_SCALE_RANGE,
    LOG2_SIGMA_RANGE,
    PixelBits,
    activate,
    mixture_bits,
    neighbour_sums,
    pool,
    split_phases,
    spread,
)
from bbans.training.terms import Trains

MEAN_MAX = 3.5
FILM_MAX = 4.0
UNITS = ((16.0, 0.0), (32.0 * LOCATION_UNIT, 0.0), (16.0, -LOG2_SCALE_RANGE[0]), (64.0, 0.0))
"""Integer units per real unit, and offset, of logits, locations, scale indices and couplings."""
ACT = 128.0  # integer units per unit of a real activation
Floats = NDArray[np.float64]


def _bias(layer: nn.Conv2d) -> Tensor:
    assert layer.bias is not None
    return layer.bias


class PhaseNet(nn.Module):
    """The network of one phase: a trunk that does not depend on latents and is carried on, a
    modulated block, and a mixture head.
    """

    def __init__(self, config: PhotoConfig, known: int) -> None:
        super().__init__()
        C, hidden = config.channels, config.hidden
        self.block = config.latent_block
        self.enter = nn.Conv2d(3 * known + 3, C, 3, padding=1, bias=False)
        self.carry = nn.Conv2d(C, C, 1, bias=False)
        self.level_bias = nn.Parameter(torch.zeros(config.level_biases, C))
        self.res_a = nn.Conv2d(C, C, 3, padding=1)
        self.res_b = nn.Conv2d(C, C, 3, padding=1)
        self.modulated = nn.Conv2d(C, C, 3, padding=1)
        self.film_a = nn.Conv2d(C + config.latent_channels, hidden, 3, padding=1)
        self.film_b = nn.Conv2d(hidden, 2 * C, 1)
        self.out = nn.Conv2d(C, C, 1)
        self.head = nn.Conv2d(C, config.outputs, 1)
        with torch.no_grad():
            self.carry.weight.mul_(0.3)
            self.film_b.weight.mul_(0.1)
            _bias(self.film_b).zero_()
            self.head.weight.mul_(0.3)
            K = config.mixtures
            bias = torch.zeros(config.outputs)
            groups = mixture_layout.columns(K)
            bias[groups.scales] = torch.linspace(0.0, 3.0, K).repeat(3)
            bias[groups.couplings] = 0.5
            _bias(self.head).copy_(bias)

    def trunk(self, known: list[Tensor], sums: Tensor, carried: Tensor, level: int) -> Tensor:
        """Compute the trunk, `(B, C, h, w)` in [0, ACT_MAX], from `known` phases and `sums` in grey
        levels and `carried` features `(B, C, h, w)`.
        """
        inputs = torch.cat([(4 * x - sums) / 32 for x in known] + [(sums - 512) / 128], 1)
        bias = self.level_bias[min(level, len(self.level_bias) - 1)]
        h = activate(self.enter(inputs) + self.carry(carried) + bias[:, None, None])
        return activate(h + self.res_b(activate(self.res_a(h))))

    def parameters_given(self, h: Tensor, u: Tensor) -> Tensor:
        """Return mixture parameters `(B, 10K, h, w)` from the trunk and the latents `(B,
        latent_channels, ceil(h / block), ceil(w / block))`.
        """
        with torch.autocast(h.device.type, enabled=False):
            # float32: bf16 weight gradients of convolutions on tiny maps are NaN on some CPUs
            # (torch 2.13, oneDNN)
            modulation = self.film_b(
                activate(self.film_a(torch.cat([pool(h.float(), self.block), u.float()], 1)))
            )
        modulation = spread(modulation, self.block, *h.shape[-2:])
        gamma, beta = modulation.to(h.dtype).chunk(2, 1)
        g = activate(self.modulated(h) * F.hardtanh(1 + gamma, 0.0, FILM_MAX) + beta)
        parameters: Tensor = self.head(activate(h + self.out(g)))
        return parameters


class PosteriorNet(nn.Module):
    """q(u | x^(s+1), 11, 01) = N(mean, sigma^2), from pooled trunk features and log-magnitudes of
    the interpolation residuals.
    """

    def __init__(self, config: PhotoConfig) -> None:
        super().__init__()
        self.block = config.latent_block
        self.first = nn.Conv2d(config.channels + 6, config.hidden, 3, padding=1)
        self.last = nn.Conv2d(config.hidden, 2 * config.latent_channels, 1)
        with torch.no_grad():
            self.last.weight.mul_(0.3)
            _bias(self.last).zero_()
            _bias(self.last)[config.latent_channels :] = -1.0

    def forward(self, h: Tensor, residuals: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Return mean and log2 sigma, each `(B, latent_channels, blocks, blocks)`."""
        with torch.autocast(h.device.type, enabled=False):
            magnitudes = [torch.log2(1 + r.float().abs()) for r in residuals]
            features = pool(torch.cat([h.float(), *magnitudes], 1), self.block)
            mean, log2_sigma = self.last(activate(self.first(features))).chunk(2, 1)
        return mean.clamp(-MEAN_MAX, MEAN_MAX), log2_sigma.clamp(*LOG2_SIGMA_RANGE)


@dataclass(frozen=True)
class Bits:
    """Totals over a batch in bits, `()` each: pixels given latents, and the KL divergence, which is
    the net cost of the latents.
    """

    pixels: Tensor
    kl: Tensor


class PhotoNet(nn.Module):
    """All phases and the posterior, shared by every level of the pyramid.

    Examples:
        >>> net = PhotoNet(PhotoConfig(channels=4, hidden=4))
        >>> x, no = torch.zeros(1, 3, 32, 32), torch.zeros(1, dtype=torch.bool)
        >>> net(x, 1, no, no, net.noise(x, 1)).pixels.shape
        torch.Size([])
    """

    def __init__(self, config: PhotoConfig) -> None:
        super().__init__()
        self.config = config
        self.phases = nn.ModuleList(PhaseNet(config, i + 1) for i in range(len(PHASES)))
        self.posterior = PosteriorNet(config)

    @property
    def phase_nets(self) -> list[PhaseNet]:
        """The networks of the phases, in decoding order."""
        return [net for net in self.phases if isinstance(net, PhaseNet)]

    def noise(
        self, x: Tensor, levels: int, generator: torch.Generator | None = None
    ) -> list[Tensor]:
        """Sample standard normal numbers for the latents of x `(B, 3, H, W)`, one tensor per level,
        coarsest first; empty for a model without latents.
        """
        config, found = self.config, []
        for level in reversed(range(levels)):
            if config.latents:
                blocks = (-(-(side >> level + 1) // config.latent_block) for side in x.shape[-2:])
                found.append(
                    torch.randn(
                        len(x),
                        config.latent_channels,
                        *blocks,
                        generator=generator,
                        device=x.device,
                    )
                )
        return found

    def forward(
        self,
        x: Tensor,
        levels: int,
        grey: Tensor,
        drop: Tensor,
        noise: Sequence[Tensor],
        pixel_bits: PixelBits | None = None,
    ) -> Bits:
        """Compute the code lengths of a batch over `levels` levels, without the coarsest image.

        x `(B, 3, H, W)`; grey, drop bool `(B,)`: images that are grey, images whose latents are
        switched off (u = 0); noise as `PhotoNet.noise` returns it; pixel_bits: a compiled
        `mixture_bits`, or None.
        """
        bits_of = pixel_bits or mixture_bits
        pyramid = [x]
        for _ in range(levels):
            pyramid.append(pyramid[-1][..., 0::2, 0::2])
        carried = None
        pixels, kl = x.new_zeros(()), x.new_zeros(())
        for i, level in enumerate(reversed(range(levels))):
            own = noise[i] if self.config.latents else None
            level_pixels, level_kl, carried = self._level(
                pyramid[level], level, carried, grey, drop, own, bits_of
            )
            pixels, kl = pixels + level_pixels, kl + level_kl
        return Bits(pixels, kl)

    def _level(
        self,
        x: Tensor,
        level: int,
        carried: Tensor | None,
        grey: Tensor,
        drop: Tensor,
        noise: Tensor | None,
        bits_of: PixelBits,
    ) -> tuple[Tensor, Tensor, Tensor]:
        config = self.config
        targets = split_phases(x)
        h, w = targets[0].shape[-2:]
        flow = (
            x.new_zeros(x.shape[0], config.channels, h, w)
            if carried is None
            else spread(carried, 2, h, w)
        )
        if x.is_contiguous(memory_format=torch.channels_last):
            flow = flow.contiguous(memory_format=torch.channels_last)
        trunks, sums = [], []
        for i, net in enumerate(self.phase_nets):
            known = list(targets[: i + 1])
            sums.append(neighbour_sums(i, known))
            flow = net.trunk(known, sums[i], flow, level)
            trunks.append(flow)
        u = mean = x.new_zeros(
            x.shape[0],
            config.latent_channels,
            -(-h // config.latent_block),
            -(-w // config.latent_block),
        )
        kl = x.new_zeros(())
        if noise is not None:
            mean, log2_sigma = self.posterior(
                trunks[1], [4 * targets[i + 1] - sums[i] for i in range(2)]
            )
            sigma = torch.exp2(log2_sigma)
            u = mean + sigma * noise
            keep = ~drop[:, None, None, None]
            kl = (0.5 * (mean**2 + sigma**2 - 1) / math.log(2) - log2_sigma).mul(keep).sum()
            u, mean = u * keep, mean * keep
        pixels = x.new_zeros(())
        for i, net in enumerate(self.phase_nets):
            parameters = net.parameters_given(trunks[i], mean if i == 2 else u)
            pixels = (
                pixels + bits_of(parameters, targets[i + 1], sums[i], config.mixtures, grey).sum()
            )
        return pixels, kl, flow


def trains(config: PhotoConfig) -> Trains:
    """Return the estimators and objectives that the network supports: the ELBO with reparameterised
    latents.

    Examples:
        >>> trains(PhotoConfig()).objectives
        ('elbo',)
    """
    return Trains()


def network(config: PhotoConfig, training: None = None) -> PhotoNet:
    """Return an untrained network of the family, initialised from torch's global generator.

    Examples:
        >>> len(network(PhotoConfig(channels=4, hidden=4)).phase_nets)
        3
    """
    return PhotoNet(config)


def export(net: PhotoNet) -> dict[str, IntConv]:
    """Return the integer layers of `models.photo` for a trained network, by name.

    Raises AccumulatorBoundError if a layer cannot be made exact.

    Examples:
        >>> export(PhotoNet(PhotoConfig(channels=4, hidden=4)))["phase0.enter"].weight.shape
        (4, 6, 3, 3)
    """
    config = net.config
    real = _real_layers(net)
    layers: dict[str, IntConv] = {}
    for a in accumulators(config).values():
        weights = [real[name][0] for name in a.layers]
        layers.update(
            zip(
                a.layers,
                quantise(weights, real[a.layers[0]][1], list(a.maxima), a.residual),
                strict=True,
            )
        )
    return layers


def _real_layers(net: PhotoNet) -> dict[str, tuple[Floats, Floats]]:
    """Return weights `(O, I, k, k)` and biases of every layer, in units of integer inputs and
    outputs.
    """
    config, K = net.config, net.config.mixtures
    state = {name: t.detach().to(torch.float64).numpy() for name, t in net.state_dict().items()}
    real = {}
    for p in range(len(PHASES)):
        old, new = f"phases.{p}", f"phase{p}"
        enter = state[f"{old}.enter.weight"].copy()
        enter[:, : 3 * (p + 1)] *= ACT / 32  # inputs (4 x - sum) / 32 and (sum - 512) / 128
        enter[:, 3 * (p + 1) :] *= ACT / 128
        real[f"{new}.enter"] = enter, state[f"{old}.level_bias"] * ACT
        real[f"{new}.carry"] = state[f"{old}.carry.weight"], np.zeros(config.channels)
        for layer in ("res_a", "res_b", "modulated", "film_a", "out"):
            real[f"{new}.{layer}"] = (
                state[f"{old}.{layer}.weight"],
                state[f"{old}.{layer}.bias"] * ACT,
            )
        real[f"{new}.film_b"] = _rows(
            state[f"{old}.film_b.weight"],
            state[f"{old}.film_b.bias"],
            [(config.channels, 64.0, 1.0), (config.channels, ACT, 0.0)],
        )
        real[f"{new}.head"] = _rows(
            state[f"{old}.head.weight"],
            state[f"{old}.head.bias"],
            [(size, *unit) for size, unit in zip(mixture_layout.sizes(K), UNITS, strict=True)],
        )
    real["posterior.first"] = state["posterior.first.weight"], state["posterior.first.bias"] * ACT
    real["posterior.last"] = _rows(
        state["posterior.last.weight"],
        state["posterior.last.bias"],
        [(config.latent_channels, ACT, 0.0), (config.latent_channels, 8.0, -LOG2_SIGMA_RANGE[0])],
    )
    return real


def _rows(
    weight: Floats, bias: Floats, groups: list[tuple[int, float, float]]
) -> tuple[Floats, Floats]:
    """Scale groups of output rows `(count, unit, offset)`: integer output = unit * (real output +
    offset).
    """
    unit = np.concatenate([np.full(n, u) for n, u, _ in groups])
    offset = np.concatenate([np.full(n, o) for n, _, o in groups])
    return weight * (unit / ACT)[:, None, None, None], (bias + offset) * unit
