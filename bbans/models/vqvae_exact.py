"""The VQ-VAE in integers: z is `codes` indices k = argmin |z_e - e_k|^2, certain given x, under a uniform or learned prior.

A latent chain of one layer whose q is a point: nothing is popped while encoding and the decoder never runs the encoder. The
codebook is the layer `codebook`: its weights are the vectors. With a uniform prior and 2^n vectors a code costs exactly n bits; the
learned one is p(k_0) p(k_1 | k_0) ..., so that decoding takes one pass of its network a code. Mirrors `vqvae`.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from bbans.distributions import builders
from bbans.distributions.conditional import Conditional, point
from bbans.distributions.sequential import autoregressive
from bbans.errors import ModelFormatError
from bbans.exact.layers import FLOAT64_BOUND, Accumulator, IntConv, check_accumulators
from bbans.exact.ops import Ops
from bbans.models import heads
from bbans.models.mlp_exact import ExactMlp, accumulators
from bbans.models.vqvae_config import VqVaeConfig, plans

Ints = NDArray[np.int64]
CODEBOOK = "codebook"


def check_layers(config: VqVaeConfig, layers: Mapping[str, IntConv]) -> float:
    """Refuse layers that are missing, misshapen or inexact; returns the largest sum as a fraction of the bound."""
    wanted = accumulators(plans(config))
    wanted[CODEBOOK] = Accumulator((CODEBOOK,), (np.full(config.dims, heads.COEFFICIENT_TOP, np.int64),), shape=(config.codebook, 1))
    fraction = check_accumulators(wanted, layers, FLOAT64_BOUND)
    if layers[CODEBOOK].weight.shape != (config.codebook, config.dims, 1, 1):
        raise ModelFormatError(f"expected a codebook of {config.codebook} vectors; the model file is malformed")
    return fraction


class ExactVqVae:
    """The model on a backend. Immutable once made."""

    depth = 1

    def __init__(self, config: VqVaeConfig, layers: Mapping[str, IntConv], ops: Ops) -> None:
        check_layers(config, layers)
        self.config = config
        self._codebook: Ints = layers[CODEBOOK].weight[:, :, 0, 0].astype(np.int64)
        self._networks = {name: ExactMlp(name, plan, layers, ops) for name, plan in plans(config).items()}

    def prior(self, items: int) -> Conditional:
        """p(z)."""
        shape = items, self.config.codes
        if "prior" not in self._networks:
            return builders.uniform(shape, self.config.codebook)
        return autoregressive(self._log_weights, shape)

    def likelihood(self, layer: int, above: Ints) -> Conditional:
        """p(x | z = above)."""
        return heads.samples(self.config.head, self._networks["likelihood0"](self._vectors(above)), self._networks.get("shared"))

    def posterior(self, layer: int, below: Ints) -> Conditional:
        """The codes of x = below, certain."""
        return point(self.codes(below))

    def idle(self, items: int) -> Ints:
        """Zeros: a point needs none."""
        return np.zeros((items, self.config.codes), np.int64)

    def codes(self, x: Ints) -> Ints:
        """Indices of the vectors nearest to the encoder's, the first of equals; x int64 `(items, dims)`."""
        z_e = self._networks["posterior1"](x)[0].reshape(-1, self.config.dims)
        nearness = 2 * z_e @ self._codebook.T - (self._codebook**2).sum(1)
        found: Ints = nearness.argmax(1).reshape(len(x), self.config.codes)
        return found

    def _vectors(self, codes: Ints) -> Ints:
        return self._codebook[codes].reshape(len(codes), -1)

    def _log_weights(self, codes: Ints) -> Ints:
        return self._networks["prior"](self._vectors(codes))[0].reshape(*codes.shape, self.config.codebook)
