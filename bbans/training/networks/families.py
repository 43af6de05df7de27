"""Look-up of trainable networks: the network, export and capabilities of any family, by its row in
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
    """Return an untrained network for a config, initialised from torch's global generator.

    Examples:
        >>> from bbans.models.vae import VaeConfig
        >>> float_network(VaeConfig(height=2, width=2)).config.latents
        (50,)
    """
    made: nn.Module = import_module(family_of(config).trainable).network(config, training)
    return made


def export(net: Any) -> dict[str, IntConv]:
    """Return the layers of a trained network's integer twin, by name. Raises AccumulatorBoundError
    if a layer cannot be made exact.

    Examples:
        >>> from bbans.models.vae import VaeConfig
        >>> net = float_network(VaeConfig(height=2, width=2, latents=(3,), hidden_layers=0))
        >>> sorted(export(net))
        ['likelihood0.0', 'posterior1.0']
    """
    layers: dict[str, IntConv] = import_module(family_of(net.config).trainable).export(net)
    return layers


def trains(config: Any) -> Trains:
    """Return the estimators and objectives that a network of this config supports.

    Examples:
        >>> from bbans.models.vae import VaeConfig
        >>> trains(VaeConfig()).estimators
        ('straight-through', 'lax')
    """
    declared: Trains = import_module(family_of(config).trainable).trains(config)
    return declared


def families_where(declared: Callable[[Trains], bool]) -> str:
    """Return the names of the families whose default config satisfies a predicate, joined by
    commas.

    Examples:
        >>> families_where(lambda declared: declared.relaxed_particles)
        'structured'
    """
    return ", ".join(name for name, row in FAMILIES.items() if declared(trains(row.config())))
