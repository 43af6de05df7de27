"""L_1 = E_p(z | t)[log2 p(x | z_L)]: structured prediction of the rows x of an image given its
first rows t, with the prior as q.

Layers are sampled from the known rows towards x, so that "the layer below" of `bernoulli_vae`,
whose estimators train this model as well, is the layer nearer to the known rows. The integer twin
is `models.structured`. Source of the task: Raiko, Berglund, Alain and Dinh 2015 (arXiv:1406.2989).
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
    """All networks of the model; items are x int64 `(B, dims)`, with the known rows `(B,
    conditioning)` as labels.
    """

    decoded = -1

    def plans(self) -> dict[str, Mlp]:
        """Return the plan of every network, by name."""
        return plans(self.config)

    def seen(self, x: Tensor, labels: Tensor | None) -> Tensor:
        """Return the input of q(z_1 | .): the known rows."""
        assert labels is not None, "structured prediction trains on known rows"
        return labels

    def prior(self, layer: int, z: Inferred, sampled: bool = False) -> Tensor:
        """-log2 q(z_layer | .): return it in bits, `(B, D)`; the prior equals q, so that
        divergences are zero.
        """
        q = z.logits[layer - 1]
        return self.latent.bits(
            q, z.samples[layer - 1] if sampled else self.latent.probabilities(q)
        )

    def signal(self, x: Tensor, layer: int, z: Inferred, beta: float) -> Tensor:
        """-log2 p(x | z_L), which depends on every layer: return it in bits, `(B,)`."""
        return self.likelihood(x, z)


def trains(config: Any) -> Trains:
    """Return the estimators and objectives that a network of this config supports.

    Examples:
        >>> from bbans.models.structured import StructuredConfig
        >>> trains(StructuredConfig()).relaxed_particles
        True
    """
    return replace(DISCRETE, relaxed_particles=True)


def network(config: Any, training: Training | None = None) -> StructuredNet:
    """Return an untrained network of the family, initialised from torch's global generator.

    Examples:
        >>> from bbans.models.structured import StructuredConfig
        >>> network(StructuredConfig(latents=(5, 5))).depth
        2
    """
    return StructuredNet(config, training)
