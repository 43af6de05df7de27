"""p(x | z_1) p(z_1 | z_2) ... p(z_L) with q(z_1 | x) q(z_2 | z_1) ...: the Gaussian VAE, its
hyper-parameters and its integer networks.

Latents of every layer are indices of the 2^latent_precision bins of equal mass under N(0, 1);
networks read a bin's median, in 1/128. The top layer's prior costs exactly latent_precision bits a
dimension; q and the other layers' priors are Gaussians over the same bins. The networks are those
that the config plans, multi-layer perceptrons or convolutional. `training.networks.vae` trains it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bbans.distributions import gaussian_bins
from bbans.distributions.distribution import Distribution
from bbans.distributions.tables import SIGMAS
from bbans.errors import InputError, ModelFormatError
from bbans.exact.layers import IntConv
from bbans.exact.ops import Ops
from bbans.models import heads
from bbans.models.base import DIAGONAL_GAUSSIAN, LABEL, Capabilities
from bbans.models.conv import check_networks, network
from bbans.models.heads import gaussian_fields, latent_field
from bbans.models.image_config import ImageConfig, check_common
from bbans.models.mlp import Field, Mlp

if TYPE_CHECKING:
    from bbans.models.conv_vae import ConvVaeConfig

MAX_CLASSES = 2**10
Ints = NDArray[np.int64]
CHAIN_RANGES = {
    "latent_precision": (4, 12),
    "fixed_sigma": (-1, SIGMAS - 1),
    "classes": (0, MAX_CLASSES),
}


@dataclass(frozen=True)
class VaeConfig(ImageConfig):
    """Shape of the networks. `latents` holds the dimensions of z_1 to z_L."""

    latents: tuple[int, ...] = (50,)
    hidden: int = 512  # width of the hidden layers
    hidden_layers: int = 2
    latent_precision: int = 12  # bits of a latent under the prior
    fixed_sigma: int = -1  # index of the posterior's sigma = 2^(i / 8 - 6); -1: learned
    skip: bool = False  # every layer of p(x | z_1) sees z_1
    classes: int = 0  # labels given as side information; 0: none

    @property
    def label(self) -> tuple[Field, ...]:
        """The label beside x and z_1, if any."""
        return label_field(self.classes, 1)

    @property
    def plans(self) -> dict[str, Mlp]:
        """Every network by name: `posterior1` is q(z_1 | x), `likelihood0` is p(x | z_1), and so on
        up.
        """
        head, hidden, dims, side = (
            self.head,
            (self.hidden,) * self.hidden_layers,
            self.latents[0],
            self.label,
        )
        return {
            **head.plans(),
            "posterior1": Mlp(
                (head.input_field(), *side), hidden, gaussian_fields(dims, self.fixed_sigma)
            ),
            "likelihood0": Mlp((latent_field(dims), *side), hidden, head.fields(), self.skip),
            **between_latents(self.latents, hidden, self.fixed_sigma),
        }


def label_field(classes: int, one: int) -> tuple[Field, ...]:
    """A label as a network reads it, where there are any: one of `classes` columns is 1, the
    integer `one`.
    """
    return (Field(classes, one, 0, one),) if classes else ()


def between_latents(
    latents: tuple[int, ...], hidden: tuple[int, ...], fixed_sigma: int
) -> dict[str, Mlp]:
    """q(z_l | z_(l-1)) and p(z_(l-1) | z_l) of the layers above the first, by name."""
    found = {}
    for l, (below, dims) in enumerate(pairwise(latents), 2):
        found[f"posterior{l}"] = Mlp(
            (latent_field(below),), hidden, gaussian_fields(dims, fixed_sigma)
        )
        found[f"likelihood{l - 1}"] = Mlp((latent_field(dims),), hidden, gaussian_fields(below))
    return found


def check(config: VaeConfig) -> None:
    """Bound every field before anything is built from it. Raises ModelFormatError."""
    if type(config.skip) is not bool:
        raise ModelFormatError(
            f"the model's `skip` is true or false; found {config.skip!r}; the model file is "
            "malformed"
        )
    check_common(config, CHAIN_RANGES, config.latents)


def capabilities(config: VaeConfig | ConvVaeConfig) -> Capabilities:
    """What a model of the family can do."""
    return Capabilities(DIAGONAL_GAUSSIAN, len(config.latents), LABEL if config.classes else None)


def check_layers(config: VaeConfig | ConvVaeConfig, layers: Mapping[str, IntConv]) -> float:
    """Refuse layers that are missing, misshapen or inexact; returns the largest sum as a fraction
    of the bound.
    """
    return check_networks(config.plans, layers)


class ExactVae:
    """The model on a backend.

    Immutable once made. A conditional model must be given labels before it codes (`given`).
    """

    def __init__(
        self, config: VaeConfig | ConvVaeConfig, layers: Mapping[str, IntConv], ops: Ops
    ) -> None:
        check_layers(config, layers)
        self.config = config
        self._networks = {
            name: network(name, plan, layers, ops) for name, plan in config.plans.items()
        }
        self._side: tuple[Ints, ...] = ()

    def given(self, labels: NDArray[np.integer]) -> ExactVae:
        """The chain of items with these labels, int `(items,)`, which the decoder must know too.

        A whole number of copies of the items may be coded at once, one copy after the other.
        """
        labels = np.asarray(labels, np.int64)
        if (
            labels.ndim != 1
            or not self.config.classes
            or (labels.size and not 0 <= labels.min() <= labels.max() < self.config.classes)
        ):
            raise InputError(
                f"this model takes one label of 0..{self.config.classes - 1} an item; give others "
                "or none"
            )
        found = object.__new__(ExactVae)
        found.config, found._networks = self.config, self._networks
        found._side = (
            self.config.label[0].high * np.eye(self.config.classes, dtype=np.int64)[labels],
        )
        return found

    @property
    def capabilities(self) -> Capabilities:
        """What the model declares of itself."""
        return capabilities(self.config)

    def prior(self, items: int) -> Distribution:
        """p(z_L)."""
        return gaussian_bins.standard_normal(
            (items, self.config.latents[-1]), self.config.latent_precision
        )

    def likelihood(self, layer: int, above: Ints) -> Distribution:
        """p(z_layer | z_(layer + 1) = above); layer 0 is p(x | z_1)."""
        u = gaussian_bins.value(self.config.latent_precision, above)
        outputs = self._networks[f"likelihood{layer}"](u, *self._labels(len(above), layer == 0))
        if layer:
            return heads.gaussian(outputs, self.config.latent_precision)
        return heads.samples(self.config.head, outputs, self._networks.get("shared"))

    def posterior(self, layer: int, below: Ints) -> Distribution:
        """q(z_layer | z_(layer - 1) = below); layer 1 sees x."""
        seen = below if layer == 1 else gaussian_bins.value(self.config.latent_precision, below)
        outputs = self._networks[f"posterior{layer}"](seen, *self._labels(len(below), layer == 1))
        return heads.gaussian(outputs, self.config.latent_precision, self.config.fixed_sigma)

    def default_latent(self, items: int) -> Ints:
        """z_1 in the middle of the prior."""
        return np.full(
            (items, self.config.latents[0]), 1 << (self.config.latent_precision - 1), np.int64
        )

    def gaussians(self, x: Ints) -> tuple[Ints, Ints, int]:
        """Means in 1/128 and sigma indices of q(z_1 | x), each `(items, dims)`, and the latent
        precision.
        """
        mean, *sigma = self._networks["posterior1"](x, *self._labels(len(x), True))
        return (
            mean,
            sigma[0] if sigma else np.full_like(mean, self.config.fixed_sigma),
            self.config.latent_precision,
        )

    def means(self, x: Ints) -> list[Ints]:
        """Means of q in 1/128, layer by layer, each from the means below: `(items, dims)`."""
        found: list[Ints] = []
        for layer in range(1, len(self.config.latents) + 1):
            seen = found[-1] if found else x
            found.append(
                self._networks[f"posterior{layer}"](seen, *self._labels(len(x), layer == 1))[0]
            )
        return found

    def _labels(self, items: int, wanted: bool) -> tuple[Ints, ...]:
        if not (wanted and self.config.classes):
            return ()
        if not self._side or not len(self._side[0]) or items % len(self._side[0]):
            raise InputError(
                f"this model codes {items} items given their labels; give one label an item "
                "before coding"
            )
        return (np.tile(self._side[0], (items // len(self._side[0]), 1)),)
