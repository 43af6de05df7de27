"""-ELBO = E_q[-log2 p(x | z_1)] + sum_l E_q[log2 q(z_l | z_(l-1)) - log2 p(z_l | z_(l+1))], every z
a vector of categories.

Samples are one-hot `(B, D, K)`, or points of the simplex where they are relaxed. Everything else is
as in `bernoulli_vae`; the integer twin is `models.categorical_vae`.
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
    """Every network of the chain."""

    latent = CATEGORIES

    def plans(self) -> dict[str, Mlp]:
        """Every network's plan."""
        return plans(self.config)

    def read(self, z: Tensor) -> Tensor:
        """Samples of a layer as networks read them, `(B, D K)`."""
        return z.flatten(1)

    def logits(self, name: str, *inputs: Tensor) -> Tensor:
        """Natural logits `(B, D, K)`; networks give them in log2."""
        found = super().logits(name, *inputs)
        return found.view(len(found), -1, self.config.states) * LN2


def trains(config: Any) -> Trains:
    """What a network of this config can be trained by and on."""
    return DISCRETE


def network(config: Any, training: Training | None = None) -> CategoricalVaeNet:
    """A fresh network of the family, initialised from torch's global generator."""
    return CategoricalVaeNet(config, training)
