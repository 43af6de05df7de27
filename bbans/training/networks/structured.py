"""L_1 = E_p(z | t)[log2 p(x | z_L)]: structured prediction, with the prior as q, of the rows x of
an image given its rows t.

Layers are sampled from the rows told towards x, so that "the layer below" of `bernoulli_vae`, whose
estimators train this as well, is the one before. The integer twin is `models.structured`. The task
is that of Raiko, Berglund, Alain and Dinh 2015 (arXiv:1406.2989).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch import Tensor

from bbans.models.mlp import Mlp
from bbans.models.structured import plans
from bbans.training.networks.bernoulli_vae import BernoulliVaeNet, Inferred
from bbans.training.networks.bernoulli_vae import export as export
from bbans.training.terms import DISCRETE, Training, Trains


class StructuredNet(BernoulliVaeNet):
    """Every network of the chain; items are x int64 `(B, dims)` with the rows told `(B, told)` as
    labels.
    """

    decoded = -1

    def plans(self) -> dict[str, Mlp]:
        """Every network's plan."""
        return plans(self.config)

    def seen(self, x: Tensor, labels: Tensor | None) -> Tensor:
        """The rows told."""
        assert labels is not None, "structured prediction trains on rows told"
        return labels

    def prior(self, layer: int, z: Inferred, sampled: bool = False) -> Tensor:
        """The same as q, `(B, D)`: divergences are zero."""
        q = z.logits[layer - 1]
        return self.latent.bits(
            q, z.samples[layer - 1] if sampled else self.latent.probabilities(q)
        )

    def signal(self, x: Tensor, layer: int, z: Inferred, beta: float) -> Tensor:
        """-log2 p(x | z_L), which depends on every layer."""
        return self.likelihood(x, z)


def trains(config: Any) -> Trains:
    """What a network of this config can be trained by and on."""
    return replace(DISCRETE, relaxed_particles=True)


def network(config: Any, training: Training | None = None) -> StructuredNet:
    """A fresh network of the family, initialised from torch's global generator."""
    return StructuredNet(config, training)
