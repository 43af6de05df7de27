"""p(x, z) = p(z_L) ... p(z_1 | z_2) p(x | z_1) with every z_l a vector of states 0 to K - 1: the
VAE with categorical latents, its hyper-parameters and its integer networks.

States are coded directly, without discretisation. The config is part of the model id.
`training.networks.categorical_vae` trains the model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from bbans.distributions import categorical
from bbans.distributions.distribution import Distribution, Ints
from bbans.errors import ModelFormatError
from bbans.exact.layers import IntConv
from bbans.models.bernoulli_vae import ExactBernoulliVae, discrete_plans
from bbans.models.bernoulli_vae import capabilities as capabilities
from bbans.models.heads import BERNOULLI, log_weights
from bbans.models.image_config import MAX_WIDTH, ImageConfig, check_common
from bbans.models.mlp import Field, Mlp, check_networks

MAX_STATES = 2**8


@dataclass(frozen=True)
class CategoricalVaeConfig(ImageConfig):
    """Shape of the networks.

    Layer l has `latents[l - 1]` variables of `states` states each; without hidden layers every
    network is linear.
    """

    levels: int = 2
    likelihood: str = BERNOULLI
    components: int = 0
    latents: tuple[int, ...] = (20,)
    states: int = 10
    hidden: int = 200
    hidden_layers: int = 0


def plans(config: CategoricalVaeConfig) -> dict[str, Mlp]:
    """Return the plan of every network, by name. Networks read one-hot vectors and emit one
    log-weight per state, variable by variable.

    Examples:
        >>> plans(CategoricalVaeConfig(latents=(20,), states=10))["prior"].widths
        (1, 200)
    """
    columns = [dims * config.states for dims in config.latents]
    return discrete_plans(
        config,
        [Field(count, 1.0, 0, 1) for count in columns],
        [log_weights(count) for count in columns],
    )


def check(config: CategoricalVaeConfig) -> None:
    """Check that every field of a config is within its bounds, before anything is built from it.
    Raises ModelFormatError.

    Examples:
        >>> check(CategoricalVaeConfig())
    """
    check_common(config, {"states": (2, MAX_STATES)}, config.latents)
    if max(config.latents) * config.states > MAX_WIDTH:
        raise ModelFormatError(
            f"{max(config.latents)} latents of {config.states} states have over {MAX_WIDTH} "
            "log-weights; use fewer"
        )


def check_layers(config: CategoricalVaeConfig, layers: Mapping[str, IntConv]) -> float:
    """Check that the integer layers are those of the config's networks, in name, shape and range.

    Returns the largest possible sum as a fraction of the exact bound 2^53. Raises ModelFormatError
    on missing or misshapen layers, AccumulatorBoundError where a sum might not be exact.

    Examples:
        >>> from bbans.training.networks.families import export, float_network
        >>> config = CategoricalVaeConfig(2, 2, latents=(3,), states=4)
        >>> check_layers(config, export(float_network(config))) < 1
        True
    """
    return check_networks(plans(config), layers)


class ExactCategoricalVae(ExactBernoulliVae):
    """The model in integers, on a backend of exact operations. Immutable after construction. Raises
    ModelFormatError and AccumulatorBoundError on layers that do not fit.
    """

    def plans(self, config: CategoricalVaeConfig) -> dict[str, Mlp]:
        """Return the plan of every network, by name."""
        return plans(config)

    def read(self, z: Ints) -> Ints:
        """Convert z int64 `(items, D)` to one-hot vectors side by side, int64 `(items, D K)`."""
        return np.eye(self.config.states, dtype=np.int64)[z].reshape(len(z), -1)

    def latents(self, logits: Ints) -> Distribution:
        """Return the distribution of a latent layer from the log-weights of its states, int64
        `(items, D K)`.
        """
        return categorical.categorical(logits.reshape(len(logits), -1, self.config.states))
