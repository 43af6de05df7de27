"""A latent model seen through another, which changes or keeps some of what it gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from bbans.distributions.distribution import Distribution, Ints
from bbans.models.base import Capabilities, DiagonalGaussianModel, LatentModel


@dataclass(frozen=True, eq=False)
class Wrapped:
    """The model itself: what a wrapper does not change."""

    model: LatentModel

    @property
    def capabilities(self) -> Capabilities:
        """What the model declares of itself."""
        return self.model.capabilities

    def prior(self, items: int) -> Distribution:
        """p(z_L)."""
        return self.model.prior(items)

    def likelihood(self, layer: int, above: Ints) -> Distribution:
        """p(z_layer | z_(layer + 1) = above); layer 0 is p(x | z_1)."""
        return self.model.likelihood(layer, above)

    def posterior(self, layer: int, below: Ints) -> Distribution:
        """q(z_layer | z_(layer - 1) = below)."""
        return self.model.posterior(layer, below)

    def default_latent(self, items: int) -> Ints:
        """The fixed z_1 of items that nothing comes before."""
        return self.model.default_latent(items)

    def gaussians(self, x: Ints) -> tuple[Ints, Ints, int]:
        """Means in 1/128 and sigma indices of q(z | x), `(items, dims)`, and the latent precision:
        of a model of diagonal Gaussians only.
        """
        return cast(DiagonalGaussianModel, self.model).gaussians(x)


def unwrapped(model: LatentModel) -> LatentModel:
    """The model within all wrappers, whose q(z | x) is the network's own."""
    while isinstance(model, Wrapped):
        model = model.model
    return model
