"""Export of the photograph model, from trained floats to integers: the units of activations are
folded into the weights, which are then rounded within the accumulator bound. No calibration data.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from bbans.distributions import mixture_layout
from bbans.exact.layers import IntConv, quantise
from bbans.models.photo import PHASES, accumulators
from bbans.training.networks.photo_planes import (
    LOCATION_UNIT,
    LOG2_SCALE_RANGE,
    LOG2_SIGMA_RANGE,
)

if TYPE_CHECKING:
    from bbans.training.networks.photo import PhotoNet

UNITS = ((16.0, 0.0), (32.0 * LOCATION_UNIT, 0.0), (16.0, -LOG2_SCALE_RANGE[0]), (64.0, 0.0))
"""Integer units per real unit, and offset, of logits, locations, scale indices and couplings."""
ACT = 128.0  # integer units per unit of a real activation
Floats = NDArray[np.float64]


def export(net: PhotoNet) -> dict[str, IntConv]:
    """Return the integer layers of `models.photo` for a trained network, by name.

    Raises AccumulatorBoundError if a layer cannot be made exact.

    Examples:
        >>> from bbans.models.photo import PhotoConfig
        >>> from bbans.training.networks.photo import PhotoNet
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
