"""p(x, z) = p(k_0) p(k_1 | k_0) ... p(x | e_k) with k = argmin |z_e(x) - e_k|^2: the VQ-VAE, its
hyper-parameters, which are part of the model id, and its integer networks.

z is `codes` indices into the codebook, deterministic given x, under a uniform or learned prior:
encoding pops nothing, and the decoder never evaluates the encoder network. The layer `codebook`
holds the vectors as its weights. With a uniform prior and 2^n vectors a code costs exactly n bits;
with a learned prior decoding evaluates its network once per code. `training.networks.vqvae` trains
the model. Source: van den Oord, Vinyals and Kavukcuoglu 2017 (arXiv:1711.00937).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bbans.distributions import uniform
from bbans.distributions.autoregressive import autoregressive
from bbans.distributions.distribution import Distribution, Ints, point
from bbans.errors import ModelFormatError
from bbans.exact.layers import FLOAT64_BOUND, Accumulator, IntConv, check_accumulators
from bbans.exact.ops import Engine
from bbans.models import heads
from bbans.models.base import POINT, Capabilities
from bbans.models.heads import embedding_field, log_weights
from bbans.models.image_config import ImageConfig, check_common
from bbans.models.mlp import ExactMlp, Mlp, accumulators

UNIFORM, AUTOREGRESSIVE = "uniform", "autoregressive"


@dataclass(frozen=True)
class VqVaeConfig(ImageConfig):
    """Shape of the networks: the latents of an item are `codes` indices into a codebook of
    `codebook` vectors of `dims` numbers.
    """

    codes: int = 16
    codebook: int = 256
    dims: int = 8
    hidden: int = 512
    hidden_layers: int = 2
    prior: str = UNIFORM
    prior_hidden: int = 256


def plans(config: VqVaeConfig) -> dict[str, Mlp]:
    """Return the plan of every network, by name: `posterior1` is the encoder, `likelihood0` is p(x
    | e_k), and `prior`, if learned, reads all codes' vectors and emits all codes' log-weights,
    masked by `prior_masks`.

    Examples:
        >>> sorted(plans(VqVaeConfig(prior=AUTOREGRESSIVE)))
        ['likelihood0', 'posterior1', 'prior']
    """
    vectors, hidden = (
        embedding_field(config.codes * config.dims),
        (config.hidden,) * config.hidden_layers,
    )
    networks = dict(config.head.plans())
    networks["posterior1"] = Mlp((config.head.input_field(),), hidden, (vectors,))
    networks["likelihood0"] = Mlp((vectors,), hidden, config.head.fields())
    if config.prior == AUTOREGRESSIVE:
        networks["prior"] = Mlp(
            (vectors,), (config.prior_hidden,) * 2, (log_weights(config.codes * config.codebook),)
        )
    return networks


def prior_masks(config: VqVaeConfig) -> list[NDArray[np.float32]]:
    """Return the masks of the prior's layers, float32 `(O, I)` of 0 and 1 each: code i depends on
    the codes before it only (MADE: Germain et al. 2015, arXiv:1502.03509).

    A hidden unit of degree m reads the first m codes, and code i (from 0) reads the units of degree
    up to i.

    Examples:
        >>> len(prior_masks(VqVaeConfig()))
        3
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
    """Check that every field of a config is within its bounds, before anything is built from it.
    Raises ModelFormatError.

    Examples:
        >>> check(VqVaeConfig(codebook=64))
    """
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


CODEBOOK = "codebook"


def capabilities(config: VqVaeConfig) -> Capabilities:
    """Return what a model of this config declares: a deterministic posterior.

    Examples:
        >>> capabilities(VqVaeConfig()).deterministic
        True
    """
    return Capabilities(POINT)


def check_layers(config: VqVaeConfig, layers: Mapping[str, IntConv]) -> float:
    """Check that the integer layers are those of the config's networks, in name, shape and range.

    Returns the largest possible sum as a fraction of the exact bound 2^53. Raises ModelFormatError
    on missing or misshapen layers, AccumulatorBoundError where a sum might not be exact.

    Examples:
        >>> from bbans.training.networks.families import export, float_network
        >>> config = VqVaeConfig(2, 2, codes=3, codebook=8, dims=4, hidden=4)
        >>> check_layers(config, export(float_network(config))) < 1
        True
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
    """The model in integers, on a backend of exact operations. Immutable after construction. Raises
    ModelFormatError and AccumulatorBoundError on layers that do not fit.
    """

    def __init__(self, config: VqVaeConfig, layers: Mapping[str, IntConv], ops: Engine) -> None:
        check_layers(config, layers)
        self.config = config
        self._codebook: Ints = layers[CODEBOOK].weight[:, :, 0, 0].astype(np.int64)
        self._networks = {
            name: ExactMlp(name, plan, layers, ops) for name, plan in plans(config).items()
        }

    @property
    def capabilities(self) -> Capabilities:
        """Return what the model declares of itself: posterior, depth, side information and
        media.
        """
        return capabilities(self.config)

    def prior(self, items: int) -> Distribution:
        """p(z): return the prior, uniform or autoregressive, symbols `(items, codes)`."""
        shape = items, self.config.codes
        if "prior" not in self._networks:
            return uniform.uniform(shape, self.config.codebook)
        return autoregressive(self._log_weights, shape)

    def likelihood(self, layer: int, above: Ints) -> Distribution:
        """p(x | z = above): return it, symbols `(items, dims)`."""
        return heads.samples(
            self.config.head,
            self._networks["likelihood0"](self._vectors(above)),
            self._networks.get("shared"),
        )

    def posterior(self, layer: int, below: Ints) -> Distribution:
        """q(z | x = below) = 1 at the codes of x: return this deterministic distribution, symbols
        `(items, codes)`.
        """
        return point(self.codes(below))

    def default_latent(self, items: int) -> Ints:
        """Return zeros, int64 `(items, codes)`; a deterministic posterior never uses them."""
        return np.zeros((items, self.config.codes), np.int64)

    def codes(self, x: Ints) -> Ints:
        """argmin_k |z_e(x) - e_k|^2: return the index of the nearest vector for every code, the
        first of equals, int64 `(items, codes)`; x int64 `(items, dims)`.
        """
        z_e = self._networks["posterior1"](x)[0].reshape(-1, self.config.dims)
        nearness = 2 * z_e @ self._codebook.T - (self._codebook**2).sum(1)
        codes: Ints = nearness.argmax(1).reshape(len(x), self.config.codes)
        return codes

    def _vectors(self, codes: Ints) -> Ints:
        return self._codebook[codes].reshape(len(codes), -1)

    def _log_weights(self, codes: Ints) -> Ints:
        return self._networks["prior"](self._vectors(codes))[0].reshape(
            *codes.shape, self.config.codebook
        )
