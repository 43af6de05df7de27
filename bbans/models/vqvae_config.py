"""Hyper-parameters of the VQ-VAE that inference needs; they are part of the model id."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bbans.errors import ModelFormatError
from bbans.models.heads import embedding_field, log_weights
from bbans.models.latent_config import ImageConfig, check_common
from bbans.models.mlp_exact import Mlp

UNIFORM, AUTOREGRESSIVE = "uniform", "autoregressive"


@dataclass(frozen=True)
class VqVaeConfig(ImageConfig):
    """Shape of the networks: an item is `codes` indices into a codebook of `codebook` vectors of `dims` numbers."""

    codes: int = 16
    codebook: int = 256
    dims: int = 8
    hidden: int = 512
    hidden_layers: int = 2
    prior: str = UNIFORM
    prior_hidden: int = 256


def plans(config: VqVaeConfig) -> dict[str, Mlp]:
    """Every network by name. `prior`, where it is learned, reads all codes' vectors and gives all codes' log-weights (`prior_masks`)."""
    vectors, hidden = embedding_field(config.codes * config.dims), (config.hidden,) * config.hidden_layers
    found = dict(config.head.plans())
    found["posterior1"] = Mlp((config.head.input_field(),), hidden, (vectors,))
    found["likelihood0"] = Mlp((vectors,), hidden, config.head.fields())
    if config.prior == AUTOREGRESSIVE:
        found["prior"] = Mlp((vectors,), (config.prior_hidden,) * 2, (log_weights(config.codes * config.codebook),))
    return found


def prior_masks(config: VqVaeConfig) -> list[NDArray[np.float32]]:
    """Connections of the prior's layers, `(O, I)` each, that let code i see the codes before it only (MADE: arXiv:1502.03509).

    A hidden unit of degree m sees the first m codes, and code i (from 0) sees the units of degree up to i.
    """
    positions = np.arange(config.codes)
    entering, degrees = np.repeat(positions + 1, config.dims), np.arange(config.prior_hidden) % config.codes
    leaving = np.repeat(positions, config.codebook)
    pairs = ((degrees, entering), (degrees, degrees), (leaving, degrees))
    return [(to[:, None] >= of[None, :]).astype(np.float32) for to, of in pairs]


def check(config: VqVaeConfig) -> None:
    """Bound every field before anything is built from it. Raises ModelFormatError."""
    if config.prior not in (UNIFORM, AUTOREGRESSIVE):
        raise ModelFormatError(f"a prior is {UNIFORM!r} or {AUTOREGRESSIVE!r}; found {config.prior!r}; the model file is malformed")
    ranges = {"codebook": (2, 2**12), "dims": (1, 2**10), "prior_hidden": (1, 2**13)}
    check_common(config, ranges, (config.codes,))
    if config.codes * max(config.dims, config.codebook) > 2**20:
        raise ModelFormatError(f"{config.codes} codes of {config.dims} numbers or {config.codebook} values are too many; use fewer")
