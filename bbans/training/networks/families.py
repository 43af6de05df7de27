"""The trainable network of any family, and the layers of its integer twin: by the row of
`models.registry`.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from torch import nn

from bbans.exact.layers import IntConv
from bbans.models.registry import FAMILIES, family_of
from bbans.training.terms import Training, Trains


def float_network(config: Any, training: Training | None = None) -> nn.Module:
    """A fresh trainable network of a config, initialised from torch's global generator."""
    made: nn.Module = import_module(family_of(config).trainable).network(config, training)
    return made


def export(net: Any) -> dict[str, IntConv]:
    """The layers of a trained network's integer twin, by name. Raises AccumulatorBoundError."""
    layers: dict[str, IntConv] = import_module(family_of(net.config).trainable).export(net)
    return layers


def trains(config: Any) -> Trains:
    """What a network of this config can be trained by and on."""
    declared: Trains = import_module(family_of(config).trainable).trains(config)
    return declared


def families_where(declared: Callable[[Trains], bool]) -> str:
    """Names of the families that are so with the default config, with commas."""
    return ", ".join(name for name, row in FAMILIES.items() if declared(trains(row.config())))
