"""Parameters that estimators learn while a network trains: baselines C(layer below), temperatures
and scales, networks of z. No model file holds them.

There is one of each for every layer of latents. Units are bits. Sources: Mnih and Gregor 2014
(arXiv:1402.0030) for NVIL; Gu et al. 2016 (arXiv:1511.05176) for MuProp; Tucker et al. 2017
(arXiv:1703.07370) for REBAR; Grathwohl et al. 2018 (arXiv:1711.00123) for LAX and RELAX.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn

from bbans.training.estimators.nvil import Moments
from bbans.training.networks.discrete_latents import Latent
from bbans.training.terms import LAX, MUPROP, NVIL, REBAR, RELAX, Training

HIDDEN = 100
# learning rate of temperatures and scales relative to the network's; at 1 they have not converged
# by the end of a run on MNIST
SCALARS_RATE = 10.0


class Control(nn.Module):
    """The parameters of a recipe's estimator; none if it learns nothing.

    `log_temperature`, `scale` `(L,)`: REBAR's. `moments` float64 `(L, 3)`: running mean and
    variance of f minus its baseline, and the number of steps.

    Examples:
        >>> from bbans.models.bernoulli_vae import BernoulliVaeConfig
        >>> from bbans.training.networks.bernoulli_vae import BernoulliVaeNet
        >>> net = BernoulliVaeNet(BernoulliVaeConfig(latents=(8, 4)))
        >>> Control(net, Training(estimator=NVIL)).moments.shape
        torch.Size([2, 3])
    """

    moments: Tensor

    def __init__(self, net: Any, training: Training) -> None:
        super().__init__()
        self.name = training.estimator
        baselines, frees = list[nn.Module](), list[nn.Module]()
        depth = 0
        if self.name in (NVIL, MUPROP, REBAR, RELAX):
            depth = net.depth
            columns = [net.net(f"posterior{layer}").plan for layer in range(1, depth + 1)]
            for plan in columns:
                below, own = plan.widths[0], plan.widths[-1]
                if self.name in (NVIL, MUPROP):
                    baselines.append(_scalar(below))
                elif self.name == RELAX:
                    frees.append(_scalar(below + own))
        if self.name == LAX:
            depth = 1
            frees.append(_scalar(net.config.head.dims + net.config.latents[0]))
        self.baselines, self.frees = nn.ModuleList(baselines), nn.ModuleList(frees)
        self.register_buffer("moments", torch.zeros(depth, 3, dtype=torch.float64))
        if self.name in (REBAR, RELAX):
            self.log_temperature = nn.Parameter(
                torch.full((depth,), math.log(training.temperature))
            )
            self.scale = nn.Parameter(torch.ones(depth))

    def groups(self) -> list[dict[str, Any]]:
        """Return parameter groups for an optimiser, without weight decay; `factor` multiplies the
        network's learning rate.
        """
        scalars = [self.log_temperature, self.scale] if self.name in (REBAR, RELAX) else []
        networks = [*self.baselines.parameters(), *self.frees.parameters()]
        return [
            {"params": part, "weight_decay": 0.0, "factor": by}
            for part, by in ((networks, 1.0), (scalars, SCALARS_RATE))
        ]

    def baseline(self, layer: int, below: Tensor) -> Tensor:
        """Return the baseline C of a layer's input, as networks read it, `(B,)` in bits."""
        value: Tensor = self.baselines[layer - 1](below)[:, 0]
        return value

    def free(self, layer: int, latent: Latent, z: Tensor, below: Tensor) -> Tensor:
        """Return RELAX's network of the continuous z and the layer's input, `(B,)` in bits."""
        value: Tensor = self.frees[layer - 1](
            torch.cat([2 * latent.soft(z, 1.0).flatten(1) - 1, below], 1)
        )[:, 0]
        return value

    def surrogate(self, z: Tensor, seen: Tensor) -> Tensor:
        """Return LAX's network of z and the samples x, `(B,)` in bits."""
        value: Tensor = self.frees[0](torch.cat([z, seen], 1))[:, 0]
        return value

    def temperature(self, layer: int) -> Tensor:
        """Return REBAR's temperature of a layer, `()`."""
        return torch.exp(self.log_temperature[layer - 1])

    def learned(self, layer: int) -> list[Tensor]:
        """Return the parameters that a layer's estimate depends on."""
        nets: Iterable[nn.Module] = (
            modules[layer - 1] for modules in (self.baselines, self.frees) if len(modules)
        )
        own: list[Tensor] = list(chain.from_iterable(module.parameters() for module in nets))
        return [self.log_temperature, self.scale, *own] if self.name in (REBAR, RELAX) else own

    def running(self, layer: int) -> Moments:
        """Return the moments of a layer over earlier steps."""
        return Moments(*self.moments[layer - 1].clone())

    def keep(self, layer: int, moments: Moments) -> None:
        """Store the moments of a layer for the next step."""
        for i, moment in enumerate((moments.mean, moments.variance, moments.steps)):
            self.moments[layer - 1, i] = moment


def _scalar(columns: int) -> nn.Module:
    """Return a network of one output, which is 0 at first."""
    last = nn.Linear(HIDDEN, 1)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(nn.Linear(columns, HIDDEN), nn.Tanh(), last)
