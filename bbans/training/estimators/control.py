"""What estimators learn while a network trains: baselines C(below), temperatures and scales,
networks of z. No model file holds it.

One of each for every layer of latents. Units are bits. Sources: as in `nvil`, `muprop` and `relax`.
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
# learning rate of temperatures and scales, in the network's: at 1 a run of MNIST ends before they
# have arrived
SCALARS_RATE = 10.0


class Control(nn.Module):
    """The parameters of the estimator that a recipe names; none where it learns nothing.

    `log_temperature`, `scale` `(L,)`: REBAR's. `moments` `(L, 3)`: the running mean, variance and
    steps of what baselines leave.
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
        """Parameters for an optimiser, none of which decay; `factor` times the network's learning
        rate is theirs.
        """
        scalars = [self.log_temperature, self.scale] if self.name in (REBAR, RELAX) else []
        networks = [*self.baselines.parameters(), *self.frees.parameters()]
        return [
            {"params": part, "weight_decay": 0.0, "factor": by}
            for part, by in ((networks, 1.0), (scalars, SCALARS_RATE))
        ]

    def baseline(self, layer: int, below: Tensor) -> Tensor:
        """C of what the layer is given, as networks read it, `(B,)`."""
        found: Tensor = self.baselines[layer - 1](below)[:, 0]
        return found

    def free(self, layer: int, latent: Latent, z: Tensor, below: Tensor) -> Tensor:
        """RELAX's network of the continuous z, `(B,)`."""
        found: Tensor = self.frees[layer - 1](
            torch.cat([2 * latent.soft(z, 1.0).flatten(1) - 1, below], 1)
        )[:, 0]
        return found

    def surrogate(self, z: Tensor, seen: Tensor) -> Tensor:
        """LAX's network of z and the samples that q is given, `(B,)`."""
        found: Tensor = self.frees[0](torch.cat([z, seen], 1))[:, 0]
        return found

    def temperature(self, layer: int) -> Tensor:
        """REBAR's, of a layer."""
        return torch.exp(self.log_temperature[layer - 1])

    def learned(self, layer: int) -> list[Tensor]:
        """The parameters that a layer's estimate depends on."""
        nets: Iterable[nn.Module] = (
            modules[layer - 1] for modules in (self.baselines, self.frees) if len(modules)
        )
        own: list[Tensor] = list(chain.from_iterable(module.parameters() for module in nets))
        return [self.log_temperature, self.scale, *own] if self.name in (REBAR, RELAX) else own

    def running(self, layer: int) -> Moments:
        """What the steps before saw of a layer."""
        return Moments(*self.moments[layer - 1].clone())

    def keep(self, layer: int, moments: Moments) -> None:
        """Remember moments for the next step."""
        for i, moment in enumerate((moments.mean, moments.variance, moments.steps)):
            self.moments[layer - 1, i] = moment


def _scalar(columns: int) -> nn.Module:
    """A network of one output that begins at 0."""
    last = nn.Linear(HIDDEN, 1)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(nn.Linear(columns, HIDDEN), nn.Tanh(), last)
