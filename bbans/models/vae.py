"""p(x | z_1) p(z_1 | z_2) ... p(z_L) with q(z_1 | x) q(z_2 | z_1) ...: the Gaussian VAE, its
hyper-parameters, which are part of the model id, and its integer networks.

Latents of every layer are indices of the 2^latent_precision bins of equal mass under N(0, 1);
networks read a bin's median, in 1/128. The top layer's prior costs exactly latent_precision bits
per dimension; q and the priors of other layers are Gaussians over the same bins. The config plans
the networks, dense (`VaeConfig`) or convolutional (`ConvVaeConfig`). `training.networks.vae` trains
the model. Sources: Kingma and Welling 2014 (arXiv:1312.6114); several layers, Kingma, Abbeel and Ho
2019 (arXiv:1905.06845).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bbans.distributions import gaussian_bins
from bbans.distributions.distribution import Distribution, Ints
from bbans.distributions.tables import SIGMAS
from bbans.errors import InputError, ModelFormatError
from bbans.exact.layers import IntConv
from bbans.exact.ops import Engine
from bbans.models import heads
from bbans.models.base import DIAGONAL_GAUSSIAN, LABEL, Capabilities
from bbans.models.conv import check_networks, network
from bbans.models.heads import gaussian_fields, latent_field
from bbans.models.image_config import ImageConfig, check_common
from bbans.models.mlp import Field, Mlp

if TYPE_CHECKING:
    from bbans.models.conv_vae import ConvVaeConfig

MAX_CLASSES = 2**10
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
    skip: bool = False  # every layer of p(x | z_1) reads z_1
    classes: int = 0  # labels given as side information; 0: none

    @property
    def label(self) -> tuple[Field, ...]:
        """The input field of the label beside x and z_1, if there is one."""
        return label_field(self.classes, 1)

    @property
    def plans(self) -> dict[str, Mlp]:
        """The plan of every network, by name: `posterior<l>` is q(z_l | z_(l-1)), `likelihood<l>`
        is p(z_l | z_(l+1)), layer 0 being x.
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
    """Return the field of a one-hot label of `classes` columns, whose 1 is the integer `one`; empty
    without classes.

    Examples:
        >>> label_field(10, 1)[0].count, label_field(0, 1)
        (10, ())
    """
    return (Field(classes, one, 0, one),) if classes else ()


def between_latents(
    latents: tuple[int, ...], hidden: tuple[int, ...], fixed_sigma: int
) -> dict[str, Mlp]:
    """Return the plans of q(z_l | z_(l-1)) and p(z_(l-1) | z_l) for l = 2..L, by name.

    Examples:
        >>> sorted(between_latents((50, 20), (128,), -1))
        ['likelihood1', 'posterior2']
    """
    networks = {}
    for l, (below, dims) in enumerate(pairwise(latents), 2):
        networks[f"posterior{l}"] = Mlp(
            (latent_field(below),), hidden, gaussian_fields(dims, fixed_sigma)
        )
        networks[f"likelihood{l - 1}"] = Mlp((latent_field(dims),), hidden, gaussian_fields(below))
    return networks


def check(config: VaeConfig) -> None:
    """Check that every field of a config is within its bounds, before anything is built from it.
    Raises ModelFormatError.

    Examples:
        >>> check(VaeConfig(latents=(32, 16)))
    """
    if type(config.skip) is not bool:
        raise ModelFormatError(
            f"the model's `skip` is true or false; found {config.skip!r}; the model file is "
            "malformed"
        )
    check_common(config, CHAIN_RANGES, config.latents)


def capabilities(config: VaeConfig | ConvVaeConfig) -> Capabilities:
    """Return what a model of this config declares: diagonal Gaussian latents, depth, and whether it
    needs labels.

    Examples:
        >>> capabilities(VaeConfig(classes=10)).side_information
        'label'
    """
    return Capabilities(DIAGONAL_GAUSSIAN, len(config.latents), LABEL if config.classes else None)


def check_layers(config: VaeConfig | ConvVaeConfig, layers: Mapping[str, IntConv]) -> float:
    """Check that the integer layers are those of the config's networks, in name, shape and range.

    Returns the largest possible sum as a fraction of the exact bound 2^53. Raises ModelFormatError
    on missing or misshapen layers, AccumulatorBoundError where a sum might not be exact.

    Examples:
        >>> from bbans.training.networks.families import export, float_network
        >>> config = VaeConfig(2, 2, latents=(3,), hidden=4)
        >>> check_layers(config, export(float_network(config))) < 1
        True
    """
    return check_networks(config.plans, layers)


class ExactVae:
    """The model in integers, on a backend of exact operations.

    The labels of a conditional model must be set by `given` before it codes. Immutable after
    construction. Raises ModelFormatError and AccumulatorBoundError on layers that do not fit.
    """

    def __init__(
        self, config: VaeConfig | ConvVaeConfig, layers: Mapping[str, IntConv], ops: Engine
    ) -> None:
        check_layers(config, layers)
        self.config = config
        self._networks = {
            name: network(name, plan, layers, ops) for name, plan in config.plans.items()
        }
        self._side: tuple[Ints, ...] = ()

    def given(self, labels: NDArray[np.integer]) -> ExactVae:
        """Return the model of items with these labels, int `(items,)`; the decoder needs the same
        labels.

        A whole number of copies of the items may be coded at once, one copy after the other. Raises
        InputError on another shape, on labels out of range, and for a model without labels.
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
        model = object.__new__(ExactVae)
        model.config, model._networks = self.config, self._networks
        model._side = (
            self.config.label[0].high * np.eye(self.config.classes, dtype=np.int64)[labels],
        )
        return model

    @property
    def capabilities(self) -> Capabilities:
        """Return what the model declares of itself: posterior, depth, side information and
        media.
        """
        return capabilities(self.config)

    def prior(self, items: int) -> Distribution:
        """p(z_L): return the prior of the top layer, symbols `(items, dims_L)`."""
        return gaussian_bins.standard_normal(
            (items, self.config.latents[-1]), self.config.latent_precision
        )

    def likelihood(self, layer: int, above: Ints) -> Distribution:
        """p(z_layer | z_(layer + 1) = above): return it, symbols `(items, dims)`; layer 0 is p(x |
        z_1).
        """
        u = gaussian_bins.value(self.config.latent_precision, above)
        outputs = self._networks[f"likelihood{layer}"](u, *self._labels(len(above), layer == 0))
        if layer:
            return heads.gaussian(outputs, self.config.latent_precision)
        return heads.samples(self.config.head, outputs, self._networks.get("shared"))

    def posterior(self, layer: int, below: Ints) -> Distribution:
        """q(z_layer | z_(layer - 1) = below): return it, symbols `(items, dims)`; layer 1 is q(z_1
        | x).
        """
        seen = below if layer == 1 else gaussian_bins.value(self.config.latent_precision, below)
        outputs = self._networks[f"posterior{layer}"](seen, *self._labels(len(below), layer == 1))
        return heads.gaussian(outputs, self.config.latent_precision, self.config.fixed_sigma)

    def default_latent(self, items: int) -> Ints:
        """Return the bin just above the prior's median for every dimension of z_1, int64 `(items,
        dims_1)`.
        """
        return gaussian_bins.middle((items, self.config.latents[0]), self.config.latent_precision)

    def gaussians(self, x: Ints) -> tuple[Ints, Ints, int]:
        """Return means (unit 1/128) and sigma indices (sigma = 2^(i / 8 - 6)) of q(z_1 | x), int64
        `(items, dims)` each, and the latent precision in bits.
        """
        mean, *sigma = self._networks["posterior1"](x, *self._labels(len(x), True))
        return (
            mean,
            sigma[0] if sigma else np.full_like(mean, self.config.fixed_sigma),
            self.config.latent_precision,
        )

    def means(self, x: Ints) -> list[Ints]:
        """Return the means of q in 1/128, int64 `(items, dims_l)` for each layer, every layer given
        the means below.
        """
        means: list[Ints] = []
        for layer in range(1, len(self.config.latents) + 1):
            seen = means[-1] if means else x
            means.append(
                self._networks[f"posterior{layer}"](seen, *self._labels(len(x), layer == 1))[0]
            )
        return means

    def _labels(self, items: int, wanted: bool) -> tuple[Ints, ...]:
        if not (wanted and self.config.classes):
            return ()
        if not self._side or not len(self._side[0]) or items % len(self._side[0]):
            raise InputError(
                f"this model codes {items} items given their labels; give one label an item "
                "before coding"
            )
        return (np.tile(self._side[0], (items // len(self._side[0]), 1)),)
