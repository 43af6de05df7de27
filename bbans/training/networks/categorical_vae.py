"""-ELBO = E_q[-log2 p(x | z_1)] + sum_l E_q[log2 q(z_l | z_(l-1)) - log2 p(z_l | z_(l+1))], every z
a vector of categories: the trainable VAE with categorical latents.

Samples are one-hot `(B, D, K)`, or points of the simplex where they are relaxed. The rest is as in
`bernoulli_vae`; the integer twin is `models.categorical_vae`.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from bbans.models.categorical_vae import plans
from bbans.models.mlp import Mlp
from bbans.training.networks.bernoulli_vae import BernoulliVaeNet
from bbans.training.networks.bernoulli_vae import export as export
from bbans.training.networks.discrete_latents import CATEGORIES
from bbans.training.networks.heads import LN2
from bbans.training.terms import DISCRETE, Training, Trains


class CategoricalVaeNet(BernoulliVaeNet):
    """All networks of a latent model with categorical latents."""

    latent = CATEGORIES

    def plans(self) -> dict[str, Mlp]:
        """Return the plan of every network, by name."""
        return plans(self.config)

    def read(self, z: Tensor) -> Tensor:
        """Convert one-hot samples of a layer to network inputs, `(B, D K)`."""
        return z.flatten(1)

    def logits(self, name: str, *inputs: Tensor) -> Tensor:
        """Evaluate a network, which emits log2 weights, and return natural logits `(B, D, K)`."""
        log_weights = super().logits(name, *inputs)
        return log_weights.view(len(log_weights), -1, self.config.states) * LN2


def trains(config: Any) -> Trains:
    """Return the estimators and objectives that a network of this config supports.

    Examples:
        >>> from bbans.models.categorical_vae import CategoricalVaeConfig
        >>> trains(CategoricalVaeConfig()).sampled
        True
    """
    return DISCRETE


def network(config: Any, training: Training | None = None) -> CategoricalVaeNet:
    """Return an untrained network of the family, initialised from torch's global generator.

    Examples:
        >>> from bbans.models.categorical_vae import CategoricalVaeConfig
        >>> network(CategoricalVaeConfig(height=2, width=2, latents=(3,))).depth
        1
    """
    return CategoricalVaeNet(config, training)
