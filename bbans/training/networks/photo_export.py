"""From trained floats to integers: fold units into weights, then round within the accumulator bound
(no calibration data).
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from bbans.exact.layers import IntConv, quantise
from bbans.models.photo import PHASES, PhotoConfig, accumulators
from bbans.training.networks.photo import (
    LOCATION_UNIT,
    LOG2_SCALE_RANGE,
    LOG2_SIGMA_RANGE,
    PhotoNet,
)
from bbans.training.terms import Trains

ACT = 128.0  # integer activations are real ones times this
Floats = NDArray[np.float64]


def trains(config: PhotoConfig) -> Trains:
    """What a network of this config can be trained by and on."""
    return Trains()


def network(config: PhotoConfig, training: None = None) -> PhotoNet:
    """A fresh network of the family, initialised from torch's global generator."""
    return PhotoNet(config)


def export(net: PhotoNet) -> dict[str, IntConv]:
    """Every layer of `photo_exact`, by name.

    Raises AccumulatorBoundError if a layer cannot be made exact.
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
    """Weights `(O, I, k, k)` and biases in units of integer activations in and integer outputs
    out.
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
            [
                (K, 16.0, 0.0),
                (3 * K, 32.0 * LOCATION_UNIT, 0.0),
                (3 * K, 16.0, -LOG2_SCALE_RANGE[0]),
                (3 * K, 64.0, 0.0),
            ],
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
    """Groups of output rows: integer output = unit * (real output + offset)."""
    unit = np.concatenate([np.full(n, u) for n, u, _ in groups])
    offset = np.concatenate([np.full(n, o) for n, _, o in groups])
    return weight * (unit / ACT)[:, None, None, None], (bias + offset) * unit
