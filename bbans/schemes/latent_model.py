"""p(x, z) = p(z_L) p(z_(L-1) | z_L) ... p(x | z_1) with q(z_1 | x) q(z_2 | z_1) ... q(z_L |
z_(L-1)): what a latent chain must provide.

One layer is a VAE, more are the Markov hierarchy of Bit-Swap (Kingma, Abbeel, Ho 2019,
arXiv:1905.06845), a certain q is a VQ-VAE. Everything is integers: samples x and latent indices
z_l, int64 `(items, dims_l)`; layer 0 is x. A `Chain` is deterministic: the decoder rebuilds the
same conditionals from the same integers.
"""

from __future__ import annotations

from typing import Protocol

from bbans.distributions.distribution import Conditional, Ints


class Chain(Protocol):
    """A model with its posterior, over `items` images at once."""

    @property
    def depth(self) -> int:
        """Latent layers L, at least 1."""

    def prior(self, items: int) -> Conditional:
        """p(z_L)."""

    def likelihood(self, layer: int, above: Ints) -> Conditional:
        """p(z_layer | z_(layer + 1) = above), layer 0 to L - 1; layer 0 is p(x | z_1)."""

    def posterior(self, layer: int, below: Ints) -> Conditional:
        """q(z_layer | z_(layer - 1) = below), layer 1 to L."""

    def idle(self, items: int) -> Ints:
        """A fixed z_1 for the first items of a message, which holds nothing yet that a pop from q
        could take.
        """
