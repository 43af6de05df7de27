"""p(x, z) = p(z_L) ... p(z_1 | z_2) p(x | z_1), every z_l a vector of bits: the VAE with Bernoulli
latents, its hyper-parameters, which are part of the model id, and its integer networks.

Bits are coded as they are, without discretisation. `training.networks.bernoulli_vae` trains it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbans.distributions import bernoulli
from bbans.distributions.distribution import Distribution
from bbans.exact.layers import IntConv
from bbans.exact.ops import Ops
from bbans.models import heads
from bbans.models.base import FACTORISED, Capabilities
from bbans.models.heads import BERNOULLI, bit_field, logits
from bbans.models.image_config import ImageConfig, check_common
from bbans.models.mlp import ExactMlp, Field, Mlp, check_networks


@dataclass(frozen=True)
class BernoulliVaeConfig(ImageConfig):
    """Shape of the networks.

    `latents` holds the dimensions of z_1 to z_L; without hidden layers every map is linear.
    """

    levels: int = 2
    likelihood: str = BERNOULLI
    components: int = 0
    latents: tuple[int, ...] = (200,)
    hidden: int = 200
    hidden_layers: int = 0


def plans(config: BernoulliVaeConfig) -> dict[str, Mlp]:
    """Every network by name."""
    return discrete_plans(
        config,
        [bit_field(dims) for dims in config.latents],
        [logits(dims) for dims in config.latents],
    )


def discrete_plans(config: Any, read: Sequence[Field], given: Sequence[Field]) -> dict[str, Mlp]:
    """The networks of a chain whose layers are read as the fields `read` and have the logits
    `given`.

    `posterior1` is q(z_1 | x), `likelihood0` is p(x | z_1); `prior` maps the constant 1 to p(z_L)'s
    logits.
    """
    head, hidden = config.head, (config.hidden,) * config.hidden_layers
    found = dict(head.plans())
    below, emitted = [head.input_field(), *read], [head.fields(), *((field,) for field in given)]
    for layer in range(1, len(read) + 1):
        found[f"posterior{layer}"] = Mlp((below[layer - 1],), hidden, emitted[layer])
        found[f"likelihood{layer - 1}"] = Mlp((below[layer],), hidden, emitted[layer - 1])
    found["prior"] = Mlp((Field(1, 1, 1, 1),), (), emitted[-1])
    return found


def check(config: BernoulliVaeConfig) -> None:
    """Bound every field before anything is built from it. Raises ModelFormatError."""
    check_common(config, {}, config.latents)


Ints = NDArray[np.int64]


def capabilities(config: Any) -> Capabilities:
    """What a model of the family can do."""
    return Capabilities(FACTORISED, len(config.latents))


def check_layers(config: BernoulliVaeConfig, layers: Mapping[str, IntConv]) -> float:
    """Refuse layers that are missing, misshapen or inexact; returns the largest sum as a fraction
    of the bound.
    """
    return check_networks(plans(config), layers)


class ExactBernoulliVae:
    """The model on a backend. Immutable once made."""

    def __init__(self, config: Any, layers: Mapping[str, IntConv], ops: Ops) -> None:
        networks = self.plans(config)
        check_networks(networks, layers)
        self.config = config
        self._networks = {
            name: ExactMlp(name, plan, layers, ops) for name, plan in networks.items()
        }
        self._prior = self._networks["prior"](np.ones((1, 1), np.int64))[0]

    def plans(self, config: Any) -> dict[str, Mlp]:
        """Every network's plan."""
        return plans(config)

    def read(self, z: Ints) -> Ints:
        """z int64 `(items, D)` as networks read it, `(items, columns)`."""
        return z

    def latents(self, logits: Ints) -> Distribution:
        """A layer's distribution by what a network gives."""
        return bernoulli.bernoulli(logits)

    @property
    def capabilities(self) -> Capabilities:
        """What the model declares of itself."""
        return capabilities(self.config)

    def prior(self, items: int) -> Distribution:
        """p(z_L)."""
        return self.latents(np.repeat(self._prior, items, 0))

    def likelihood(self, layer: int, above: Ints) -> Distribution:
        """p(z_layer | z_(layer + 1) = above); layer 0 is p(x | z_1)."""
        outputs = self._networks[f"likelihood{layer}"](self.read(above))
        return (
            self.latents(outputs[0])
            if layer
            else heads.samples(self.config.head, outputs, self._networks.get("shared"))
        )

    def posterior(self, layer: int, below: Ints) -> Distribution:
        """q(z_layer | z_(layer - 1) = below); layer 1 sees x."""
        return self.latents(
            self._networks[f"posterior{layer}"](below if layer == 1 else self.read(below))[0]
        )

    def default_latent(self, items: int) -> Ints:
        """Zeros."""
        return np.zeros((items, self.config.latents[0]), np.int64)
