"""p(x, z) = p(z_L) ... p(z_1 | z_2) p(x | z_1) with every z_l a vector of bits: the VAE with
Bernoulli latents, its hyper-parameters and its integer networks.

Latent bits are coded directly, without discretisation. The config is part of the model id.
`training.networks.bernoulli_vae` trains the model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bbans.distributions import bernoulli
from bbans.distributions.distribution import Distribution, Ints
from bbans.exact.layers import IntConv
from bbans.exact.ops import Engine
from bbans.models import heads
from bbans.models.base import FACTORISED, Capabilities
from bbans.models.heads import BERNOULLI, bit_field, logits
from bbans.models.image_config import ImageConfig, check_common
from bbans.models.mlp import ExactMlp, Field, Mlp, check_networks


@dataclass(frozen=True)
class BernoulliVaeConfig(ImageConfig):
    """Shape of the networks.

    `latents` holds the dimensions of z_1 to z_L; without hidden layers every network is linear.
    """

    levels: int = 2
    likelihood: str = BERNOULLI
    components: int = 0
    latents: tuple[int, ...] = (200,)
    hidden: int = 200
    hidden_layers: int = 0


def plans(config: BernoulliVaeConfig) -> dict[str, Mlp]:
    """Return the plan of every network, by name: `posterior<l>` is q(z_l | z_(l-1)),
    `likelihood<l>` is p(z_l | z_(l+1)), `prior` is p(z_L).

    Examples:
        >>> sorted(plans(BernoulliVaeConfig(latents=(8,))))
        ['likelihood0', 'posterior1', 'prior']
    """
    return discrete_plans(
        config,
        [bit_field(dims) for dims in config.latents],
        [logits(dims) for dims in config.latents],
    )


def discrete_plans(
    config: Any, inputs: Sequence[Field], outputs: Sequence[Field]
) -> dict[str, Mlp]:
    """Return the plans of a latent model whose networks read layer l as the field `inputs[l - 1]`
    and emit its logits as `outputs[l - 1]`.

    `posterior1` is q(z_1 | x), `likelihood0` is p(x | z_1); `prior` maps the constant 1 to the
    logits of p(z_L).

    Examples:
        >>> config = BernoulliVaeConfig(latents=(8, 4))
        >>> networks = discrete_plans(config, [bit_field(8), bit_field(4)], [logits(8), logits(4)])
        >>> networks["posterior2"].widths
        (8, 4)
    """
    head, hidden = config.head, (config.hidden,) * config.hidden_layers
    networks = dict(head.plans())
    below, emitted = (
        [head.input_field(), *inputs],
        [head.fields(), *((field,) for field in outputs)],
    )
    for layer in range(1, len(inputs) + 1):
        networks[f"posterior{layer}"] = Mlp((below[layer - 1],), hidden, emitted[layer])
        networks[f"likelihood{layer - 1}"] = Mlp((below[layer],), hidden, emitted[layer - 1])
    networks["prior"] = Mlp((Field(1, 1, 1, 1),), (), emitted[-1])
    return networks


def check(config: BernoulliVaeConfig) -> None:
    """Check that every field of a config is within its bounds, before anything is built from it.
    Raises ModelFormatError.

    Examples:
        >>> check(BernoulliVaeConfig())
    """
    check_common(config, {}, config.latents)


def capabilities(config: Any) -> Capabilities:
    """Return what a model of this config declares: factorised latents, one layer for each entry of
    `latents`.

    Examples:
        >>> capabilities(BernoulliVaeConfig(latents=(8, 4))).depth
        2
    """
    return Capabilities(FACTORISED, len(config.latents))


def check_layers(config: BernoulliVaeConfig, layers: Mapping[str, IntConv]) -> float:
    """Check that the integer layers are those of the config's networks, in name, shape and range.

    Returns the largest possible sum as a fraction of the exact bound 2^53. Raises ModelFormatError
    on missing or misshapen layers, AccumulatorBoundError where a sum might not be exact.

    Examples:
        >>> from bbans.training.networks.families import export, float_network
        >>> config = BernoulliVaeConfig(2, 2, latents=(3,))
        >>> check_layers(config, export(float_network(config))) < 1
        True
    """
    return check_networks(plans(config), layers)


class ExactBernoulliVae:
    """The model in integers, on a backend of exact operations. Immutable after construction. Raises
    ModelFormatError and AccumulatorBoundError on layers that do not fit.
    """

    def __init__(self, config: Any, layers: Mapping[str, IntConv], ops: Engine) -> None:
        networks = self.plans(config)
        check_networks(networks, layers)
        self.config = config
        self._networks = {
            name: ExactMlp(name, plan, layers, ops) for name, plan in networks.items()
        }
        self._prior = self._networks["prior"](np.ones((1, 1), np.int64))[0]

    def plans(self, config: Any) -> dict[str, Mlp]:
        """Return the plan of every network, by name."""
        return plans(config)

    def read(self, z: Ints) -> Ints:
        """Convert z int64 `(items, D)` to network inputs, int64 `(items, columns)`."""
        return z

    def latents(self, logits: Ints) -> Distribution:
        """Return the distribution of a latent layer from the logits that a network emits, int64
        `(items, columns)`.
        """
        return bernoulli.bernoulli(logits)

    @property
    def capabilities(self) -> Capabilities:
        """Return what the model declares of itself: posterior, depth, side information and
        media.
        """
        return capabilities(self.config)

    def prior(self, items: int) -> Distribution:
        """p(z_L): return the prior of the top layer, symbols `(items, D_L)`."""
        return self.latents(np.repeat(self._prior, items, 0))

    def likelihood(self, layer: int, above: Ints) -> Distribution:
        """p(z_layer | z_(layer + 1) = above): return it, symbols `(items, D)`; layer 0 is p(x |
        z_1).
        """
        outputs = self._networks[f"likelihood{layer}"](self.read(above))
        return (
            self.latents(outputs[0])
            if layer
            else heads.samples(self.config.head, outputs, self._networks.get("shared"))
        )

    def posterior(self, layer: int, below: Ints) -> Distribution:
        """q(z_layer | z_(layer - 1) = below): return it, symbols `(items, D)`; layer 1 is q(z_1 |
        x).
        """
        return self.latents(
            self._networks[f"posterior{layer}"](below if layer == 1 else self.read(below))[0]
        )

    def default_latent(self, items: int) -> Ints:
        """Return zeros for z_1, int64 `(items, D_1)`."""
        return np.zeros((items, self.config.latents[0]), np.int64)
