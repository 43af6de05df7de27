"""p(x, z) = p(z_L) p(z_(L-1) | z_L) ... p(x | z_1), q(z_1 | x) q(z_2 | z_1) ... q(z_L | z_(L-1)).

What a model provides, `LatentModel`, and what it declares of itself, `Capabilities`: nobody finds
out what a model can do by looking for its attributes. One layer is a VAE, more are the Markov
hierarchy of Bit-Swap (Kingma, Abbeel and Ho 2019, arXiv:1905.06845), a point for a posterior is a
VQ-VAE. Everything is integers: samples x and latent indices z_l, int64 `(items, dims_l)`; layer 0
is x. A model is deterministic: the decoder rebuilds the same distributions from the same integers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, Protocol

from bbans.distributions.distribution import Distribution, Ints

DIAGONAL_GAUSSIAN: Final = "diagonal-gaussian"
FACTORISED: Final = "factorised"
JOINT: Final = "joint"
POINT: Final = "point"
LABEL: Final = "label"
ROWS: Final = "rows"
ANY_SIZE: Final = "any-size"
FIXED_SHAPE: Final = "fixed-shape"


@dataclass(frozen=True)
class Capabilities:
    """What a model can do.

    posterior: the form of q(z_1 | x). Diagonal Gaussians over the bins of a standard normal come
    with `gaussians` (`DiagonalGaussianModel`); "factorised" are other independent latents, those of
    "joint" depend on each other, and a point is one value, which costs nothing. depth: layers of
    latents. side_information: what is given with every image, to encoder and decoder, and has to be
    set by `given` before the model codes: its label, or its first rows. media: images of any size,
    tile by tile through a pyramid, or of the one shape of the model's config.
    """

    posterior: Literal["diagonal-gaussian", "factorised", "joint", "point"]
    depth: int = 1
    side_information: Literal["label", "rows"] | None = None
    media: Literal["any-size", "fixed-shape"] = "fixed-shape"

    @property
    def deterministic(self) -> bool:
        """Whether q(z | x) is a point: nothing is got back from it, and the decoder never runs
        it.
        """
        return self.posterior == POINT

    @property
    def refinable(self) -> bool:
        """Whether the means of q(z | x) can be searched for: one layer of diagonal Gaussians."""
        return self.posterior == DIAGONAL_GAUSSIAN and self.depth == 1

    @property
    def independent(self) -> bool:
        """Whether latents are independent of each other given the image."""
        return self.posterior != JOINT

    @property
    def whole_images(self) -> bool:
        """Whether the model codes images of one shape, and of each all that there is."""
        return self.media == FIXED_SHAPE and self.side_information is None


class LatentModel(Protocol):
    """A model with its posterior, over `items` images at once."""

    @property
    def capabilities(self) -> Capabilities:
        """What it declares of itself."""

    def prior(self, items: int) -> Distribution:
        """p(z_L)."""

    def likelihood(self, layer: int, above: Ints) -> Distribution:
        """p(z_layer | z_(layer + 1) = above), layer 0 to L - 1; layer 0 is p(x | z_1)."""

    def posterior(self, layer: int, below: Ints) -> Distribution:
        """q(z_layer | z_(layer - 1) = below), layer 1 to L."""

    def default_latent(self, items: int) -> Ints:
        """A fixed z_1 for the first items of a message, which holds nothing yet that a pop from q
        could take.
        """


class DiagonalGaussianModel(LatentModel, Protocol):
    """A model of one layer whose q(z | x) is a diagonal Gaussian over bins."""

    def gaussians(self, x: Ints) -> tuple[Ints, Ints, int]:
        """Means in 1/128 and sigma indices of q(z | x), int64 `(items, dims)`, and the latent
        precision.
        """
