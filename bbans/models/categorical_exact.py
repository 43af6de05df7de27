"""The VAE with categorical latents in integers: a latent chain whose every z_l is a vector of states 0 to K - 1, coded as they are.

Mirrors `categorical_vae`.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from bbans.distributions import builders
from bbans.distributions.conditional import Conditional
from bbans.exact.layers import IntConv
from bbans.models.bernoulli_exact import ExactBernoulliVae
from bbans.models.categorical_config import CategoricalVaeConfig, plans
from bbans.models.mlp_exact import Mlp, check_networks

Ints = NDArray[np.int64]


def check_layers(config: CategoricalVaeConfig, layers: Mapping[str, IntConv]) -> float:
    """Refuse layers that are missing, misshapen or inexact; returns the largest sum as a fraction of the bound."""
    return check_networks(plans(config), layers)


class ExactCategoricalVae(ExactBernoulliVae):
    """The model on a backend. Immutable once made."""

    def plans(self, config: CategoricalVaeConfig) -> dict[str, Mlp]:
        """Every network's plan."""
        return plans(config)

    def read(self, z: Ints) -> Ints:
        """z int64 `(items, D)` as one-hot vectors side by side, `(items, D K)`."""
        return np.eye(self.config.states, dtype=np.int64)[z].reshape(len(z), -1)

    def latents(self, logits: Ints) -> Conditional:
        """A layer's distribution by the log-weights of its states."""
        return builders.categorical(logits.reshape(len(logits), -1, self.config.states))
