"""p(x, z) = p(z_L) p(z_(L-1) | z_L) ... p(x | z_1) with q(z | x) = q(z_1 | x) q(z_2 | z_1) ...
q(z_L | z_(L-1)): the interface of a latent model.

`LatentModel` is what a model provides and `Capabilities` what it declares of itself; callers read
the declaration and never probe for attributes. One layer is a VAE, several layers are the Markov
hierarchy of Bit-Swap (Kingma, Abbeel and Ho 2019, arXiv:1905.06845), a deterministic posterior is a
VQ-VAE. All values are integers: samples x and latent indices z_l, int64 `(items, dims_l)`; layer 0
is x. A model is deterministic: encoder and decoder compute the same distributions from the same
integers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bbans.distributions.distribution import Distribution, Ints

Int32Array: TypeAlias = NDArray[np.int32]
"""Arrays of pixels and network values of the photograph models."""

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

    posterior: the form of q(z_1 | x). "diagonal-gaussian": independent Gaussians over the bins of
    N(0, 1), whose parameters `DiagonalGaussianModel.gaussians` returns. "factorised": other
    independent latents. "joint": latents that depend on each other. "point": one value per x, so
    that latents cost only their prior.

    depth: the number of latent layers L.

    side_information: what encoder and decoder both know of every image besides the model, and must
    be set by the model's `given` before it codes: a label, or the first rows of the image; None if
    nothing.

    media: "any-size" for images of any size, coded tile by tile on a pyramid; "fixed-shape" for
    images of the shape in the model's config.

    Examples:
        >>> Capabilities(DIAGONAL_GAUSSIAN, depth=2).refinable
        False
    """

    posterior: Literal["diagonal-gaussian", "factorised", "joint", "point"]
    depth: int = 1
    side_information: Literal["label", "rows"] | None = None
    media: Literal["any-size", "fixed-shape"] = "fixed-shape"

    @property
    def deterministic(self) -> bool:
        """Whether q(z | x) is a point: no bits come back from the posterior, and the decoder never
        evaluates it.
        """
        return self.posterior == POINT

    @property
    def refinable(self) -> bool:
        """Whether the means of q(z | x) can be optimised per image: one layer of diagonal
        Gaussians.
        """
        return self.posterior == DIAGONAL_GAUSSIAN and self.depth == 1

    @property
    def independent(self) -> bool:
        """Whether the latents of a layer are independent of each other given the layer below."""
        return self.posterior != JOINT

    @property
    def whole_images(self) -> bool:
        """Whether the model codes all of an image of fixed shape, without side information."""
        return self.media == FIXED_SHAPE and self.side_information is None


class LatentModel(Protocol):
    """A latent model with its posterior; every method handles a batch of items."""

    @property
    def capabilities(self) -> Capabilities:
        """Return what the model declares of itself: posterior, depth, side information and
        media.
        """

    def prior(self, items: int) -> Distribution:
        """p(z_L): return the prior of the top layer for `items` items, symbols `(items,
        dims_L)`.
        """

    def likelihood(self, layer: int, above: Ints) -> Distribution:
        """p(z_layer | z_(layer + 1) = above): return it for layer 0 to L - 1, where layer 0 is p(x
        | z_1); `above` int64 `(items, dims)`.
        """

    def posterior(self, layer: int, below: Ints) -> Distribution:
        """q(z_layer | z_(layer - 1) = below): return it for layer 1 to L, where layer 1 is q(z_1 |
        x); `below` int64 `(items, dims)`.
        """

    def default_latent(self, items: int) -> Ints:
        """Return a fixed z_1, int64 `(items, dims_1)`, for the first items of a message, which does
        not yet hold enough bits to pop from q.
        """


class DiagonalGaussianModel(LatentModel, Protocol):
    """A latent model of one layer whose q(z | x) is a diagonal Gaussian over the bins of N(0,
    1).
    """

    def gaussians(self, x: Ints) -> tuple[Ints, Ints, int]:
        """Return means (unit 1/128) and sigma indices (sigma = 2^(i / 8 - 6)) of q(z | x), int64
        `(items, dims)` each, and the latent precision in bits.
        """
