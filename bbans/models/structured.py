"""p(x | t) = sum_z p(z_1 | t) p(z_2 | z_1) ... p(x | z_L): structured prediction of the rows x of
an image given its rows t, z vectors of bits; its hyper-parameters, which are part of the model id,
and its integer networks.

Every z is in one layer of latents, whose q(z | x, t) is p(z | t): what is pushed for z is what was
popped, and an item costs -log2 p(x | z), in expectation minus the bound L_1 of structured
prediction; importance weighting of K samples makes L_K of it. `training.networks.structured` trains
it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bbans.distributions import bernoulli
from bbans.distributions.autoregressive import Walk, walked
from bbans.distributions.distribution import Distribution
from bbans.errors import InputError
from bbans.exact.layers import IntConv
from bbans.exact.ops import Ops
from bbans.models import heads
from bbans.models.base import JOINT, ROWS, Capabilities
from bbans.models.heads import BERNOULLI, Head, bit_field, logits
from bbans.models.image_config import ImageConfig, check_common
from bbans.models.mlp import ExactMlp, Field, Mlp, check_networks


@dataclass(frozen=True)
class StructuredConfig(ImageConfig):
    """Shape of the networks: the first `condition` rows of an image are told, the others are coded.

    `latents` holds the bits of z_1 to z_L, z_1 being the layer next to the rows told; without
    hidden layers every map is linear.
    """

    levels: int = 2
    likelihood: str = BERNOULLI
    components: int = 0
    condition: int = 14
    latents: tuple[int, ...] = (240, 240)
    hidden: int = 200
    hidden_layers: int = 0

    @property
    def conditioning(self) -> int:
        """Samples of the rows that are told."""
        return self.condition * self.width * self.channels

    @property
    def head(self) -> Head:
        """p(x | z_L) of the other rows."""
        return Head(
            (self.height - self.condition) * self.width * self.channels,
            self.levels,
            self.likelihood,
            self.components,
        )


def plans(config: StructuredConfig) -> dict[str, Mlp]:
    """Every network by name: `posterior1` is p(z_1 | rows told), `posterior2` p(z_2 | z_1) ...,
    `likelihood0` p(x | z_L).
    """
    hidden, found = (config.hidden,) * config.hidden_layers, dict(config.head.plans())
    below = Field(config.conditioning, config.levels - 1, 0, config.levels - 1)
    for layer, dims in enumerate(config.latents, 1):
        found[f"posterior{layer}"] = Mlp((below,), hidden, (logits(dims),))
        below = bit_field(dims)
    found["likelihood0"] = Mlp((below,), hidden, config.head.fields())
    return found


def check(config: StructuredConfig) -> None:
    """Bound every field before anything is built from it. Raises ModelFormatError."""
    check_common(
        config,
        {"condition": (1, config.height - 1 if type(config.height) is int else 0)},
        config.latents,
    )


Ints = NDArray[np.int64]


def capabilities(config: StructuredConfig) -> Capabilities:
    """What a model of the family can do: the latents of a layer follow those of the one below."""
    return Capabilities(JOINT, side_information=ROWS)


def check_layers(config: StructuredConfig, layers: Mapping[str, IntConv]) -> float:
    """Refuse layers that are missing, misshapen or inexact; returns the largest sum as a fraction
    of the bound.
    """
    return check_networks(plans(config), layers)


class ExactStructured:
    """The model on a backend.

    Immutable once made. It must be given the rows told before it codes (`given`).
    """

    def __init__(self, config: StructuredConfig, layers: Mapping[str, IntConv], ops: Ops) -> None:
        check_layers(config, layers)
        self.config = config
        self._networks = {
            name: ExactMlp(name, plan, layers, ops) for name, plan in plans(config).items()
        }
        self._told: Ints = np.zeros((0, config.conditioning), np.int64)

    def given(self, told: NDArray[np.integer]) -> ExactStructured:
        """The chain of items with these rows told, int `(items, told)`, which the decoder must know
        too.

        A whole number of copies of the items may be coded at once, one copy after the other.
        """
        rows: Ints = np.asarray(told, np.int64)
        wanted = self.config.conditioning
        if (
            rows.ndim != 2
            or rows.shape[1] != wanted
            or (rows.size and not 0 <= rows.min() <= rows.max() < self.config.levels)
        ):
            raise InputError(
                f"this model is told {wanted} samples of 0..{self.config.levels - 1} an item; "
                f"found an array {rows.shape}"
            )
        found = object.__new__(ExactStructured)
        found.config, found._networks, found._told = self.config, self._networks, rows
        return found

    @property
    def capabilities(self) -> Capabilities:
        """What the model declares of itself."""
        return capabilities(self.config)

    def prior(self, items: int) -> Distribution:
        """p(z | rows told), z_1 to z_L side by side."""
        if not len(self._told) or items % len(self._told):
            raise InputError(
                f"this model codes {items} items given the first rows of each; give them before "
                "coding"
            )
        told = np.tile(self._told, (items // len(self._told), 1))

        def walk() -> Walk:
            below, first = told, 0
            for layer, dims in enumerate(self.config.latents, 1):
                below = yield (
                    np.arange(first, first + dims),
                    bernoulli.bernoulli(self._networks[f"posterior{layer}"](below)[0]),
                )
                first += dims

        return walked(walk, (items, sum(self.config.latents)))

    def posterior(self, layer: int, below: Ints) -> Distribution:
        """The prior."""
        return self.prior(len(below))

    def likelihood(self, layer: int, above: Ints) -> Distribution:
        """p(x | z_L)."""
        outputs = self._networks["likelihood0"](above[:, -self.config.latents[-1] :])
        return heads.samples(self.config.head, outputs, self._networks.get("shared"))

    def default_latent(self, items: int) -> Ints:
        """Zeros."""
        return np.zeros((items, sum(self.config.latents)), np.int64)
