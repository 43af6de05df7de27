"""-log2 p(x | z) = sum over steps of -log2 p(x_step | known samples, z): a trainable VAE whose
decoder codes a polyphase pyramid.

z is one vector per image. A dense network maps it to p of the coarsest image and to a few planes on
the grids of small levels; every step (`models.pyramid_steps`) reads the known samples, these planes
and the features of the step before, so that z needs to describe only what is far apart. Related
decoders that read samples and latents: PixelVAE (Gulrajani et al. 2017, arXiv:1611.05013); the
order of coding: Parallel Multiscale PixelCNN (Reed et al. 2017, arXiv:1703.03664). The integer twin
is `models.pyramid`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from bbans.exact.layers import FLOAT64_BOUND, IntConv, quantise
from bbans.models import heads
from bbans.models.mlp import ACT_TOP, ACT_UNIT
from bbans.models.pyramid import PyramidConfig, accumulators, plans
from bbans.models.pyramid_steps import (
    PHASES,
    Step,
    latent_grids,
    positions,
    posterior_positions,
    steps,
)
from bbans.training.networks import mlp
from bbans.training.networks.heads import gaussian_bits, sample_bits, standard_divergence, start
from bbans.training.networks.mlp import FloatMlp, as_numpy, real_range
from bbans.training.terms import ELBO, GAUSSIAN, Draws, Terms, Training, Trains, draws

Floats = NDArray[np.float64]


def activate(x: Tensor) -> Tensor:
    """clip(x, 0, 16): apply the clipped rectifier of the dense networks.

    Examples:
        >>> activate(torch.tensor([-1.0, 2.0])).tolist()
        [0.0, 2.0]
    """
    return F.hardtanh(x, 0.0, ACT_TOP / ACT_UNIT)


class StepNet(nn.Module):
    """The network of one step: features from the known samples and the carried features, then p of
    the step's samples.
    """

    def __init__(self, config: PyramidConfig, step: Step, first: bool, dropout: float) -> None:
        super().__init__()
        C, inputs = config.trunk, step.planes(config.channels) + step.latent_planes(config.planes)
        self.fields = config.head_of(1).fields()
        outputs = sum(f.count for f in self.fields)
        self.enter = nn.Conv2d(inputs, C, 3, padding=1)
        self.carry = None if first else nn.Conv2d(C, C, 1, bias=False)
        self.res_a = nn.ModuleList(nn.Conv2d(C, C, 3, padding=1) for _ in range(config.blocks))
        self.res_b = nn.ModuleList(nn.Conv2d(C, C, 3, padding=1) for _ in range(config.blocks))
        self.out = nn.Conv2d(C, outputs, 1)
        self.direct = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.dropout = dropout
        with torch.no_grad():
            for layer in (*self.res_b, self.out, self.direct):
                layer.weight.mul_(0.3)
            _start(config, self.out)

    def forward(self, inputs: Tensor, carried: Tensor | None) -> tuple[Tensor, list[Tensor]]:
        """Return features `(B, trunk, h, w)`, and one tensor `(B, count, h, w)` for each field of
        the head.
        """
        with torch.autocast(
            inputs.device.type,
            torch.bfloat16,
            enabled=self.training and inputs.dtype == torch.float32,
        ):
            x = self.enter(inputs)
            if self.carry is not None:
                x = x + self.carry(carried)
            x = activate(x)
            for a, b in zip(self.res_a, self.res_b, strict=True):
                x = activate(x + b(F.dropout(activate(a(x)), self.dropout, self.training)))
        out = self.out(x.to(inputs.dtype)) + self.direct(inputs)
        parts = torch.split(out, [f.count for f in self.fields], 1)
        return x, [part.clamp(*real_range(f)) for part, f in zip(parts, self.fields, strict=True)]


def _start(config: PyramidConfig, layer: nn.Conv2d) -> None:
    """Set initial biases: the components of a logistic mixture are spread over the grey levels, one
    of them below black.
    """
    assert layer.bias is not None
    K = config.components
    layer.bias.zero_()
    if config.likelihood == heads.LOGISTIC:
        layer.bias[K : 2 * K].copy_(torch.linspace(-8.0, 255.0, K) / heads.LOCATION_STEP)
        layer.bias[2 * K :].copy_(torch.linspace(2.0, 4.0, K))


class PyramidNet(nn.Module):
    """All networks of the model."""

    def __init__(self, config: PyramidConfig, training: Training | None = None) -> None:
        super().__init__()
        self.config = config
        options = training or Training()
        dropout, self.sampled = options.dropout, options.objective != ELBO
        self.nets = nn.ModuleDict({name: FloatMlp(plan) for name, plan in plans(config).items()})
        self.steps = nn.ModuleList(
            StepNet(config, step, i == 0, dropout) for i, step in enumerate(steps(config))
        )
        self.net("posterior1").output_bias(1).fill_(-1.0)
        start(config.head_of(len(positions(config, None))), self.net("drawing"))
        self.register_buffer(
            "seen_samples", torch.from_numpy(posterior_positions(config)), persistent=False
        )
        for i, step in enumerate((None, *steps(config))):
            self.register_buffer(
                f"positions{i}", torch.from_numpy(positions(config, step)), persistent=False
            )

    def net(self, name: str) -> FloatMlp:
        """Return a dense network by name."""
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
        """Sample z once per item and return the terms, as `terms.Weighted` defines them; the KL
        divergence is exact, or that of the sample where the objective needs log-weights.
        """
        mean, log2_sigma = encoded or self.posterior(x)
        u = mean + torch.exp2(log2_sigma) * draws(generator, len(x)).normal(mean)
        divergence = (
            -gaussian_bits(u, mean, log2_sigma)
            if self.sampled
            else standard_divergence(mean, log2_sigma)
        )
        if drop is not None:
            u, divergence = (
                u.masked_fill(drop[:, None], 0.0),
                divergence.masked_fill(drop[:, None], 0.0),
            )
        likelihood = self.sample_bits(x, u)
        prior = u.new_full((len(u),), float(self.config.latent_precision * self.config.latents[0]))
        return Terms(likelihood, divergence, prior, likelihood.new_zeros(()))

    def encoded(self, x: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return mean and log2 sigma of q(z | x), `(B, latents)` each."""
        return self.posterior(x)

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log2 sigma of q(z | x), each `(B, latents)`; x int64 `(B, dims)`."""
        mean, log2_sigma = self.net("posterior1")(
            x[:, self.get_buffer("seen_samples")].to(torch.get_default_dtype())
            / (self.config.levels - 1)
        )
        return mean, log2_sigma

    def sample_bits(self, x: Tensor, u: Tensor) -> Tensor:
        """-log2 p(x | z): return it in bits, `(B,)`; x int64 `(B, dims)`, u `(B, latents)`."""
        config = self.config
        image = x.to(u.dtype).view(-1, config.height, config.width, config.channels).permute(
            0, 3, 1, 2
        ) / (config.levels - 1)
        *first, planes = self._drawing(u)
        shared = self.net("shared") if "shared" in self.nets else None
        total = self._bits(self.get_buffer("positions0"), list(first), x, shared)
        carried, level = None, -1
        for i, (step, net) in enumerate(zip(steps(config), self.steps, strict=True)):
            if step.level != level:
                level = step.level
                if carried is not None:
                    carried = carried.repeat_interleave(2, -2).repeat_interleave(2, -1)[
                        ..., : step.grid[0], : step.grid[1]
                    ]
            inputs = torch.cat(
                [_known(image, step), *([planes[step.grid]] if step.grid in planes else [])], 1
            )
            carried, outputs = net(inputs.contiguous(memory_format=torch.channels_last), carried)
            cut = [
                o[..., : step.rows, : step.columns].permute(0, 2, 3, 1).flatten(1) for o in outputs
            ]
            total = total + self._bits(self.get_buffer(f"positions{i + 1}"), cut, x, shared)
        return total

    def _drawing(self, u: Tensor) -> tuple[Any, ...]:
        """Return the fields of the coarsest image's p, then a dictionary of latent planes `(B,
        planes, h, w)` by grid.
        """
        emitted, sizes = self.net("drawing")(u), latent_grids(self.config)
        split = len(emitted) - len(sizes)
        return *emitted[:split], {
            (h, w): part.view(len(u), -1, h, w)
            for part, (h, w) in zip(emitted[split:], sizes, strict=True)
        }

    def _bits(
        self, at: Tensor, outputs: list[Tensor], x: Tensor, shared: FloatMlp | None
    ) -> Tensor:
        return sample_bits(self.config.head_of(len(at)), outputs, x[:, at], shared).sum(1)

    def means(self, x: Tensor, labels: Tensor | None) -> Tensor:
        """E_q[z | x]: return it, `(B, latents)`."""
        return self.posterior(x)[0]


def _known(image: Tensor, step: Step) -> Tensor:
    """Return planes `(B, planes, h, w)` of the samples known at a step, zero where a phase is
    smaller than the grid; image `(B, channels, H, W)`.
    """
    spacing, (h, w) = 2**step.level, step.grid
    planes = []
    for i, (row, column) in enumerate([(0, 0), *PHASES[: step.phase + 1]]):
        plane = image[..., row * spacing :: 2 * spacing, column * spacing :: 2 * spacing]
        if i == step.phase + 1:
            plane = plane[:, : step.channel]
        planes.append(F.pad(plane, (0, w - plane.shape[-1], 0, h - plane.shape[-2])))
    return torch.cat(planes, 1)


def trains(config: PyramidConfig) -> Trains:
    """Return the estimators and objectives that a network of this config supports.

    Examples:
        >>> trains(PyramidConfig()).objectives
        ('elbo', 'iwae', 'miwae', 'ciwae', 'piwae')
    """
    return GAUSSIAN


def network(config: PyramidConfig, training: Training | None = None) -> PyramidNet:
    """Return an untrained network of the family, initialised from torch's global generator.

    Examples:
        >>> net = network(PyramidConfig(height=4, width=4, latents=(3,), trunk=4))
        >>> net.means(torch.zeros(2, 16).long(), None).shape
        torch.Size([2, 3])
    """
    return PyramidNet(config, training)


def export(net: PyramidNet) -> dict[str, IntConv]:
    """Return the integer layers of a trained network, by name.

    Raises AccumulatorBoundError if a layer cannot be made exact.

    Examples:
        >>> net = network(PyramidConfig(4, 4, latents=(3,), trunk=4))
        >>> export(net)["step0.0.0.enter"].weight.shape
        (4, 5, 3, 3)
    """
    config = net.config
    exported = mlp.export({name: net.net(name) for name in net.nets})
    wanted = accumulators(config)
    for step, module in zip(steps(config), net.steps, strict=True):
        assert isinstance(module, StepNet)
        known = np.full(step.planes(config.channels), config.levels - 1.0)
        entering = np.concatenate(
            [known, np.full(step.latent_planes(config.planes), float(ACT_UNIT))]
        )
        unit = np.concatenate([np.full(f.count, float(f.unit)) for f in module.fields])
        offset = np.concatenate([np.full(f.count, f.offset) for f in module.fields])
        scaled = {
            "enter": (
                ACT_UNIT * as_numpy(module.enter.weight) / entering[:, None, None],
                ACT_UNIT * as_numpy(module.enter.bias),
            ),
            "out": (
                as_numpy(module.out.weight) * unit[:, None, None, None] / ACT_UNIT,
                unit * (as_numpy(module.out.bias) + offset),
            ),
            "direct": (
                as_numpy(module.direct.weight)
                * unit[:, None, None, None]
                / entering[:, None, None],
                unit,
            ),
        }
        if module.carry is not None:
            scaled["carry"] = as_numpy(module.carry.weight), unit
        for i, (first, second) in enumerate(zip(module.res_a, module.res_b, strict=True)):
            scaled[f"res_a{i}"] = as_numpy(first.weight), ACT_UNIT * as_numpy(first.bias)
            scaled[f"res_b{i}"] = as_numpy(second.weight), ACT_UNIT * as_numpy(second.bias)
        for a in (a for name, a in wanted.items() if name.startswith(f"{step.name}.")):
            parts = [scaled[name.rsplit(".", 1)[1]] for name in a.layers]
            layers = quantise(
                [weight for weight, _ in parts],
                parts[0][1],
                list(a.maxima),
                a.residual,
                FLOAT64_BOUND,
            )
            exported.update(zip(a.layers, layers, strict=True))
    return exported
