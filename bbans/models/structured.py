"""p(x | t) = sum_z p(z_1 | t) p(z_2 | z_1) ... p(x | z_L): structured prediction of the rows x of
an image given its first rows t, z vectors of bits; hyper-parameters, which are part of the model
id, and integer networks.

All z_1 to z_L form one layer of latents with q(z | x, t) = p(z | t): coding pushes for z what it
popped, and an item costs -log2 p(x | z) bits, in expectation minus the bound L_1 of structured
prediction; importance weighting of K samples attains L_K. `training.networks.structured` trains the
model. Source of the task: Raiko, Berglund, Alain and Dinh 2015 (arXiv:1406.2989).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bbans.distributions import bernoulli
from bbans.distributions.autoregressive import Walk, walked
from bbans.distributions.distribution import Distribution, Ints
from bbans.errors import InputError
from bbans.exact.layers import IntConv
from bbans.exact.ops import Engine
from bbans.models import heads
from bbans.models.base import JOINT, ROWS, Capabilities
from bbans.models.heads import BERNOULLI, Head, bit_field, logits
from bbans.models.image_config import ImageConfig, check_common
from bbans.models.mlp import ExactMlp, Field, Mlp, check_networks


@dataclass(frozen=True)
class StructuredConfig(ImageConfig):
    """Shape of the networks: the first `condition` rows of an image are side information, the other
    rows are coded.

    `latents` holds the numbers of bits of z_1 to z_L, z_1 being the layer next to the known rows;
    without hidden layers every network is linear.
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
        """The number of samples in the known rows."""
        return self.condition * self.width * self.channels

    @property
    def head(self) -> Head:
        """The head of p(x | z_L) for the coded rows."""
        return Head(
            (self.height - self.condition) * self.width * self.channels,
            self.levels,
            self.likelihood,
            self.components,
        )


def plans(config: StructuredConfig) -> dict[str, Mlp]:
    """Return the plan of every network, by name: `posterior1` is p(z_1 | known rows), `posterior2`
    is p(z_2 | z_1), and so on; `likelihood0` is p(x | z_L).

    Examples:
        >>> sorted(plans(StructuredConfig()))
        ['likelihood0', 'posterior1', 'posterior2']
    """
    hidden, networks = (config.hidden,) * config.hidden_layers, dict(config.head.plans())
    below = Field(config.conditioning, config.levels - 1, 0, config.levels - 1)
    for layer, dims in enumerate(config.latents, 1):
        networks[f"posterior{layer}"] = Mlp((below,), hidden, (logits(dims),))
        below = bit_field(dims)
    networks["likelihood0"] = Mlp((below,), hidden, config.head.fields())
    return networks


def check(config: StructuredConfig) -> None:
    """Check that every field of a config is within its bounds, before anything is built from it.
    Raises ModelFormatError.

    Examples:
        >>> check(StructuredConfig(condition=7))
    """
    check_common(
        config,
        {"condition": (1, config.height - 1 if type(config.height) is int else 0)},
        config.latents,
    )


def capabilities(config: StructuredConfig) -> Capabilities:
    """Return what a model of this config declares: a joint posterior, and rows as side information.

    Examples:
        >>> capabilities(StructuredConfig()).side_information
        'rows'
    """
    return Capabilities(JOINT, side_information=ROWS)


def check_layers(config: StructuredConfig, layers: Mapping[str, IntConv]) -> float:
    """Check that the integer layers are those of the config's networks, in name, shape and range.

    Returns the largest possible sum as a fraction of the exact bound 2^53. Raises ModelFormatError
    on missing or misshapen layers, AccumulatorBoundError where a sum might not be exact.

    Examples:
        >>> from bbans.training.networks.families import export, float_network
        >>> config = StructuredConfig(4, 4, condition=2, latents=(3, 3), hidden=4)
        >>> check_layers(config, export(float_network(config))) < 1
        True
    """
    return check_networks(plans(config), layers)


class ExactStructured:
    """The model in integers, on a backend of exact operations.

    The known rows must be set by `given` before the model codes. Immutable after construction.
    Raises ModelFormatError and AccumulatorBoundError on layers that do not fit.
    """

    def __init__(
        self, config: StructuredConfig, layers: Mapping[str, IntConv], ops: Engine
    ) -> None:
        check_layers(config, layers)
        self.config = config
        self._networks = {
            name: ExactMlp(name, plan, layers, ops) for name, plan in plans(config).items()
        }
        self._rows: Ints = np.zeros((0, config.conditioning), np.int64)

    def given(self, known: NDArray[np.integer]) -> ExactStructured:
        """Return the model of items with these known rows, int `(items, conditioning)`; the decoder
        needs the same rows.

        A whole number of copies of the items may be coded at once, one copy after the other. Raises
        InputError on another shape or on values out of range.
        """
        rows: Ints = np.asarray(known, np.int64)
        wanted = self.config.conditioning
        if (
            rows.ndim != 2
            or rows.shape[1] != wanted
            or (rows.size and not 0 <= rows.min() <= rows.max() < self.config.levels)
        ):
            raise InputError(
                f"this model is conditioned on {wanted} samples of "
                f"0..{self.config.levels - 1} an item; found an array {rows.shape}"
            )
        model = object.__new__(ExactStructured)
        model.config, model._networks, model._rows = self.config, self._networks, rows
        return model

    @property
    def capabilities(self) -> Capabilities:
        """Return what the model declares of itself: posterior, depth, side information and
        media.
        """
        return capabilities(self.config)

    def prior(self, items: int) -> Distribution:
        """p(z | known rows): return the prior, symbols `(items, sum of latents)`, z_1 to z_L side
        by side. Raises InputError unless rows of these items are set.
        """
        if not len(self._rows) or items % len(self._rows):
            raise InputError(
                f"this model codes {items} items given the first rows of each; give them before "
                "coding"
            )
        known = np.tile(self._rows, (items // len(self._rows), 1))

        def walk() -> Walk:
            below, first = known, 0
            for layer, dims in enumerate(self.config.latents, 1):
                below = yield (
                    np.arange(first, first + dims),
                    bernoulli.bernoulli(self._networks[f"posterior{layer}"](below)[0]),
                )
                first += dims

        return walked(walk, (items, sum(self.config.latents)))

    def posterior(self, layer: int, below: Ints) -> Distribution:
        """q(z | x) = p(z | known rows): return the prior, whatever x is."""
        return self.prior(len(below))

    def likelihood(self, layer: int, above: Ints) -> Distribution:
        """p(x | z_L): return it, symbols `(items, dims)` of the coded rows."""
        outputs = self._networks["likelihood0"](above[:, -self.config.latents[-1] :])
        return heads.samples(self.config.head, outputs, self._networks.get("shared"))

    def default_latent(self, items: int) -> Ints:
        """Return zeros, int64 `(items, sum of latents)`."""
        return np.zeros((items, sum(self.config.latents)), np.int64)
