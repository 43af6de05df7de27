"""p(x, z) = p(z_L) ... p(z_1 | z_2) p(x | z_1), every z_l a vector of states 0 to K - 1: the VAE
with categorical latents, its hyper-parameters, which are part of the model id, and its integer
networks.

States are coded as they are, without discretisation. `training.networks.categorical_vae` trains it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bbans.distributions import categorical
from bbans.distributions.distribution import Distribution
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

    Layer l has `latents[l - 1]` variables of `states` states each; without hidden layers every map
    is linear.
    """

    levels: int = 2
    likelihood: str = BERNOULLI
    components: int = 0
    latents: tuple[int, ...] = (20,)
    states: int = 10
    hidden: int = 200
    hidden_layers: int = 0


def plans(config: CategoricalVaeConfig) -> dict[str, Mlp]:
    """Every network by name; they read one-hot vectors and give a log-weight for every state, state
    by state, variable by variable.
    """
    columns = [dims * config.states for dims in config.latents]
    return discrete_plans(
        config,
        [Field(count, 1.0, 0, 1) for count in columns],
        [log_weights(count) for count in columns],
    )


def check(config: CategoricalVaeConfig) -> None:
    """Bound every field before anything is built from it. Raises ModelFormatError."""
    check_common(config, {"states": (2, MAX_STATES)}, config.latents)
    if max(config.latents) * config.states > MAX_WIDTH:
        raise ModelFormatError(
            f"{max(config.latents)} latents of {config.states} states have over {MAX_WIDTH} "
            "log-weights; use fewer"
        )


Ints = NDArray[np.int64]


def check_layers(config: CategoricalVaeConfig, layers: Mapping[str, IntConv]) -> float:
    """Refuse layers that are missing, misshapen or inexact; returns the largest sum as a fraction
    of the bound.
    """
    return check_networks(plans(config), layers)


class ExactCategoricalVae(ExactBernoulliVae):
    """The model on a backend. Immutable once made."""

    def plans(self, config: CategoricalVaeConfig) -> dict[str, Mlp]:
        """Every network's plan."""
        return plans(config)

    def read(self, z: Ints) -> Ints:
        """z int64 `(items, D)` as one-hot vectors side by side, `(items, D K)`."""
        return np.eye(self.config.states, dtype=np.int64)[z].reshape(len(z), -1)

    def latents(self, logits: Ints) -> Distribution:
        """A layer's distribution by the log-weights of its states."""
        return categorical.categorical(logits.reshape(len(logits), -1, self.config.states))
