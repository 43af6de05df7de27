"""p(x, z) = p(k_0) p(k_1 | k_0) ... p(x | e_k), k = argmin |z_e(x) - e_k|^2: the VQ-VAE, its
hyper-parameters, which are part of the model id, and its integer networks.

z is `codes` indices into the codebook, deterministic given x, under a uniform or learned prior:
nothing is popped while encoding and the decoder never runs the encoder. The codebook is the layer
`codebook`: its weights are the vectors. With a uniform prior and 2^n vectors a code costs exactly n
bits; with the learned one decoding takes one pass of its network a code. `training.networks.vqvae`
trains it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bbans.distributions import uniform
from bbans.distributions.autoregressive import autoregressive
from bbans.distributions.distribution import Distribution, point
from bbans.errors import ModelFormatError
from bbans.exact.layers import FLOAT64_BOUND, Accumulator, IntConv, check_accumulators
from bbans.exact.ops import Ops
from bbans.models import heads
from bbans.models.base import POINT, Capabilities
from bbans.models.heads import embedding_field, log_weights
from bbans.models.image_config import ImageConfig, check_common
from bbans.models.mlp import ExactMlp, Mlp, accumulators

UNIFORM, AUTOREGRESSIVE = "uniform", "autoregressive"


@dataclass(frozen=True)
class VqVaeConfig(ImageConfig):
    """Shape of the networks: an item is `codes` indices into a codebook of `codebook` vectors of
    `dims` numbers.
    """

    codes: int = 16
    codebook: int = 256
    dims: int = 8
    hidden: int = 512
    hidden_layers: int = 2
    prior: str = UNIFORM
    prior_hidden: int = 256


def plans(config: VqVaeConfig) -> dict[str, Mlp]:
    """Every network by name.

    `prior`, where it is learned, reads all codes' vectors and gives all codes' log-weights
    (`prior_masks`).
    """
    vectors, hidden = (
        embedding_field(config.codes * config.dims),
        (config.hidden,) * config.hidden_layers,
    )
    found = dict(config.head.plans())
    found["posterior1"] = Mlp((config.head.input_field(),), hidden, (vectors,))
    found["likelihood0"] = Mlp((vectors,), hidden, config.head.fields())
    if config.prior == AUTOREGRESSIVE:
        found["prior"] = Mlp(
            (vectors,), (config.prior_hidden,) * 2, (log_weights(config.codes * config.codebook),)
        )
    return found


def prior_masks(config: VqVaeConfig) -> list[NDArray[np.float32]]:
    """Connections of the prior's layers, `(O, I)` each, that let code i see the codes before it
    only (MADE: arXiv:1502.03509).

    A hidden unit of degree m sees the first m codes, and code i (from 0) sees the units of degree
    up to i.
    """
    positions = np.arange(config.codes)
    entering, degrees = (
        np.repeat(positions + 1, config.dims),
        np.arange(config.prior_hidden) % config.codes,
    )
    leaving = np.repeat(positions, config.codebook)
    pairs = ((degrees, entering), (degrees, degrees), (leaving, degrees))
    return [(to[:, None] >= of[None, :]).astype(np.float32) for to, of in pairs]


def check(config: VqVaeConfig) -> None:
    """Bound every field before anything is built from it. Raises ModelFormatError."""
    if config.prior not in (UNIFORM, AUTOREGRESSIVE):
        raise ModelFormatError(
            f"a prior is {UNIFORM!r} or {AUTOREGRESSIVE!r}; found {config.prior!r}; the model "
            "file is malformed"
        )
    ranges = {"codebook": (2, 2**12), "dims": (1, 2**10), "prior_hidden": (1, 2**13)}
    check_common(config, ranges, (config.codes,))
    if config.codes * max(config.dims, config.codebook) > 2**20:
        raise ModelFormatError(
            f"{config.codes} codes of {config.dims} numbers or {config.codebook} values are too "
            "many; use fewer"
        )


Ints = NDArray[np.int64]
CODEBOOK = "codebook"


def capabilities(config: VqVaeConfig) -> Capabilities:
    """What a model of the family can do."""
    return Capabilities(POINT)


def check_layers(config: VqVaeConfig, layers: Mapping[str, IntConv]) -> float:
    """Refuse layers that are missing, misshapen or inexact; returns the largest sum as a fraction
    of the bound.
    """
    wanted = accumulators(plans(config))
    wanted[CODEBOOK] = Accumulator(
        (CODEBOOK,),
        (np.full(config.dims, heads.COEFFICIENT_TOP, np.int64),),
        shape=(config.codebook, 1),
    )
    fraction = check_accumulators(wanted, layers, FLOAT64_BOUND)
    if layers[CODEBOOK].weight.shape != (config.codebook, config.dims, 1, 1):
        raise ModelFormatError(
            f"expected a codebook of {config.codebook} vectors; the model file is malformed"
        )
    return fraction


class ExactVqVae:
    """The model on a backend. Immutable once made."""

    def __init__(self, config: VqVaeConfig, layers: Mapping[str, IntConv], ops: Ops) -> None:
        check_layers(config, layers)
        self.config = config
        self._codebook: Ints = layers[CODEBOOK].weight[:, :, 0, 0].astype(np.int64)
        self._networks = {
            name: ExactMlp(name, plan, layers, ops) for name, plan in plans(config).items()
        }

    @property
    def capabilities(self) -> Capabilities:
        """What the model declares of itself."""
        return capabilities(self.config)

    def prior(self, items: int) -> Distribution:
        """p(z)."""
        shape = items, self.config.codes
        if "prior" not in self._networks:
            return uniform.uniform(shape, self.config.codebook)
        return autoregressive(self._log_weights, shape)

    def likelihood(self, layer: int, above: Ints) -> Distribution:
        """p(x | z = above)."""
        return heads.samples(
            self.config.head,
            self._networks["likelihood0"](self._vectors(above)),
            self._networks.get("shared"),
        )

    def posterior(self, layer: int, below: Ints) -> Distribution:
        """The codes of x = below, certain."""
        return point(self.codes(below))

    def default_latent(self, items: int) -> Ints:
        """Zeros: a point needs none."""
        return np.zeros((items, self.config.codes), np.int64)

    def codes(self, x: Ints) -> Ints:
        """Indices of the vectors nearest to the encoder's, the first of equals; x int64 `(items,
        dims)`.
        """
        z_e = self._networks["posterior1"](x)[0].reshape(-1, self.config.dims)
        nearness = 2 * z_e @ self._codebook.T - (self._codebook**2).sum(1)
        found: Ints = nearness.argmax(1).reshape(len(x), self.config.codes)
        return found

    def _vectors(self, codes: Ints) -> Ints:
        return self._codebook[codes].reshape(len(codes), -1)

    def _log_weights(self, codes: Ints) -> Ints:
        return self._networks["prior"](self._vectors(codes))[0].reshape(
            *codes.shape, self.config.codebook
        )
