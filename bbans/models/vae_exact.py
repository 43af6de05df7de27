"""The Gaussian VAE in integers: p(x | z_1) p(z_1 | z_2) ... p(z_L) with q(z_1 | x) q(z_2 | z_1) ..., a latent chain that codes.

Latents of every layer are indices of the 2^latent_precision bins of equal mass under N(0, 1); networks read a bin's median, in
1/128. The top layer's prior costs exactly latent_precision bits a dimension; q and the other layers' priors are Gaussians over
the same bins. The networks are those that the config plans, multi-layer perceptrons or convolutional. Mirrors `vae`.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from bbans.distributions import builders, latent
from bbans.distributions.conditional import Conditional
from bbans.errors import InputError
from bbans.exact.layers import IntConv
from bbans.exact.ops import Ops
from bbans.models import heads
from bbans.models.conv_exact import check_networks, network
from bbans.models.conv_vae_config import ConvVaeConfig
from bbans.models.vae_config import VaeConfig

Ints = NDArray[np.int64]


def check_layers(config: VaeConfig | ConvVaeConfig, layers: Mapping[str, IntConv]) -> float:
    """Refuse layers that are missing, misshapen or inexact; returns the largest sum as a fraction of the bound."""
    return check_networks(config.plans, layers)


class ExactVae:
    """The model on a backend. Immutable once made. A conditional model must be given labels before it codes (`given`)."""

    def __init__(self, config: VaeConfig | ConvVaeConfig, layers: Mapping[str, IntConv], ops: Ops) -> None:
        check_layers(config, layers)
        self.config = config
        self._networks = {name: network(name, plan, layers, ops) for name, plan in config.plans.items()}
        self._side: tuple[Ints, ...] = ()

    def given(self, labels: NDArray[np.integer]) -> ExactVae:
        """The chain of items with these labels, int `(items,)`, which the decoder must know too.

        A whole number of copies of the items may be coded at once, one copy after the other.
        """
        labels = np.asarray(labels, np.int64)
        if labels.ndim != 1 or not self.config.classes or (labels.size and not 0 <= labels.min() <= labels.max() < self.config.classes):
            raise InputError(f"this model takes one label of 0..{self.config.classes - 1} an item; give others or none")
        found = object.__new__(ExactVae)
        found.config, found._networks = self.config, self._networks
        found._side = (self.config.label[0].high * np.eye(self.config.classes, dtype=np.int64)[labels],)
        return found

    @property
    def depth(self) -> int:
        """Latent layers L."""
        return len(self.config.latents)

    def prior(self, items: int) -> Conditional:
        """p(z_L)."""
        return builders.standard_normal((items, self.config.latents[-1]), self.config.latent_precision)

    def likelihood(self, layer: int, above: Ints) -> Conditional:
        """p(z_layer | z_(layer + 1) = above); layer 0 is p(x | z_1)."""
        u = latent.value(self.config.latent_precision, above)
        outputs = self._networks[f"likelihood{layer}"](u, *self._labels(len(above), layer == 0))
        if layer:
            return heads.gaussian(outputs, self.config.latent_precision)
        return heads.samples(self.config.head, outputs, self._networks.get("shared"))

    def posterior(self, layer: int, below: Ints) -> Conditional:
        """q(z_layer | z_(layer - 1) = below); layer 1 sees x."""
        seen = below if layer == 1 else latent.value(self.config.latent_precision, below)
        outputs = self._networks[f"posterior{layer}"](seen, *self._labels(len(below), layer == 1))
        return heads.gaussian(outputs, self.config.latent_precision, self.config.fixed_sigma)

    def idle(self, items: int) -> Ints:
        """z_1 in the middle of the prior."""
        return np.full((items, self.config.latents[0]), 1 << (self.config.latent_precision - 1), np.int64)

    def gaussians(self, x: Ints) -> tuple[Ints, Ints, int]:
        """Means in 1/128 and sigma indices of q(z_1 | x), each `(items, dims)`, and the latent precision."""
        mean, *sigma = self._networks["posterior1"](x, *self._labels(len(x), True))
        return mean, sigma[0] if sigma else np.full_like(mean, self.config.fixed_sigma), self.config.latent_precision

    def means(self, x: Ints) -> list[Ints]:
        """Means of q in 1/128, layer by layer, each from the means below: `(items, dims)`."""
        found: list[Ints] = []
        for layer in range(1, self.depth + 1):
            seen = found[-1] if found else x
            found.append(self._networks[f"posterior{layer}"](seen, *self._labels(len(x), layer == 1))[0])
        return found

    def _labels(self, items: int, wanted: bool) -> tuple[Ints, ...]:
        if not (wanted and self.config.classes):
            return ()
        if not self._side or not len(self._side[0]) or items % len(self._side[0]):
            raise InputError(f"this model codes {items} items given their labels; give one label an item before coding")
        return (np.tile(self._side[0], (items // len(self._side[0]), 1)),)
