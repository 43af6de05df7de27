"""Wrappers of a latent model, which change or cache some of its methods and pass on the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from bbans.distributions.distribution import Distribution, Ints
from bbans.models.base import Capabilities, DiagonalGaussianModel, LatentModel


@dataclass(frozen=True, eq=False)
class Wrapped:
    """A model that forwards every method to `model`; subclasses override some of them."""

    model: LatentModel

    @property
    def capabilities(self) -> Capabilities:
        """Return the capabilities of the wrapped model."""
        return self.model.capabilities

    def prior(self, items: int) -> Distribution:
        """Return p(z_L) of `items` items."""
        return self.model.prior(items)

    def likelihood(self, layer: int, above: Ints) -> Distribution:
        """Return p(z_layer | z_(layer+1) = above); layer 0 is p(x | z_1)."""
        return self.model.likelihood(layer, above)

    def posterior(self, layer: int, below: Ints) -> Distribution:
        """Return q(z_layer | z_(layer-1) = below)."""
        return self.model.posterior(layer, below)

    def default_latent(self, items: int) -> Ints:
        """Return the fixed z_1, int64 `(items, dims)`, under which the first items of a message are
        coded.
        """
        return self.model.default_latent(items)

    def gaussians(self, x: Ints) -> tuple[Ints, Ints, int]:
        """Return means in 1/128 and sigma indices of q(z | x), int64 `(items, dims)`, and the
        latent precision.

        Only for models with diagonal Gaussian posteriors.
        """
        return cast(DiagonalGaussianModel, self.model).gaussians(x)


def unwrapped(model: LatentModel) -> LatentModel:
    """Return the innermost model, whose q(z | x) is the network's own.

    Examples:
        >>> from bbans.models.analytic import LinearGaussian
        >>> model = LinearGaussian(latents=8, k=3)
        >>> unwrapped(Wrapped(Wrapped(model))) is model
        True
    """
    while isinstance(model, Wrapped):
        model = model.model
    return model
