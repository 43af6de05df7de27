"""p(x | u) N(u; 0, 1) on a polyphase pyramid: the photograph model, its hyper-parameters, which are
part of the model id, and its integer networks, the only form that codes.

`training.networks.photo` trains it, operation by operation. Units of the integers:

| quantity | unit | range |
|---|---|---|
| activations, latents u, posterior mean | 1/128 | 0..1023; u and mean within +-512 |
| enter inputs: 4 x - sum, sum - 512 | 1/4 grey level | +-1020, -512..508 |
| log-magnitudes | 1/128 of a factor two | 0..1280 |
| FiLM scale, shift | 1/64, 1/128 | 0..255, +-4095 |
| outputs: logits | 1/16 log2 | see OUTPUT_LIMITS |
| outputs: locations | 1/32 grey level | see OUTPUT_LIMITS |
| outputs: log-scales, couplings | 1/16 log2 (0 is 2^-4), 1/64 | see OUTPUT_LIMITS |
| posterior log sigma | 1/8 log2 (0 is 2^-6) | 0..56 |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbans.distributions import mixture_layout
from bbans.distributions.tables import log_magnitude
from bbans.errors import ModelFormatError
from bbans.exact.layers import Accumulator, IntConv, check_accumulators
from bbans.exact.network import Affine, Film, Input, Modulate, Network
from bbans.exact.ops import Engine
from bbans.exact.threads import one_openmp_thread
from bbans.models.base import ANY_SIZE, DIAGONAL_GAUSSIAN, Capabilities, Int32Array

# Order in which the three unknown phases of a level are decoded: (row offset, column offset).
PHASES = ((1, 1), (0, 1), (1, 0))


@dataclass(frozen=True)
class PhotoConfig:
    """Shape of the networks. Every field changes the function that the networks compute."""

    channels: int = 48  # width of the trunks
    mixtures: int = 5  # logistic mixture components K
    latent_channels: int = 8  # latent map: channels per block
    latent_block: int = 8  # block side in half-resolution positions (16 level pixels)
    hidden: int = 64  # width of the FiLM and posterior networks
    level_biases: int = 4  # levels from this one up share one bias
    latents: bool = True  # False: the ablation without z

    @property
    def outputs(self) -> int:
        """The number of outputs per position: K logits, then 3 K locations, 3 K log-scales and 3 K
        channel couplings.
        """
        return mixture_layout.width(self.mixtures)


def check(config: PhotoConfig) -> None:
    """Check that every field of a config is within its bounds, before anything is built from it.
    Raises ModelFormatError.

    Examples:
        >>> check(PhotoConfig())
    """
    limits = {
        "channels": 1024,
        "mixtures": 64,
        "latent_channels": 256,
        "hidden": 1024,
        "level_biases": 32,
    }
    values = asdict(config)
    if any(
        type(values[name]) is not int or not 1 <= values[name] <= top
        for name, top in limits.items()
    ):
        raise ModelFormatError(
            f"the model's config {values} is out of range; the model file is malformed"
        )
    if config.latent_block not in (1, 2, 4, 8, 16) or not isinstance(config.latents, bool):
        raise ModelFormatError(
            f"the model's latent block {config.latent_block} is no power of two up to 16; the "
            "model file is malformed"
        )


ACT_TOP = 1023
PRE_TOP = 4095
FILM_TOP = 255
LATENT_TOP = 512
MEAN_TOP = 448
SIGMA_TOP = 56
LOG_TOP = 1280
OUTPUT_LIMITS = ((-2048, 2048), (-8192, 8192), (0, 160), (-256, 256))


def accumulators(config: PhotoConfig) -> dict[str, Accumulator]:
    """Return every accumulator of the model, by name, with the largest magnitude of each of its
    inputs.

    Examples:
        >>> len(accumulators(PhotoConfig()))
        26
    """
    C, hidden, latents = config.channels, config.hidden, config.latent_channels

    def full(n: int, top: int) -> NDArray[np.int64]:
        return np.full(n, top, np.int64)

    acts = full(C, ACT_TOP)
    result = {}
    for p in range(len(PHASES)):
        known = np.concatenate([full(3 * (p + 1), 1020), full(3, 512)])
        result[f"phase{p}.enter"] = Accumulator(
            (f"phase{p}.enter", f"phase{p}.carry"), (known, acts)
        )
        result[f"phase{p}.res_a"] = Accumulator((f"phase{p}.res_a",), (acts,))
        result[f"phase{p}.res_b"] = Accumulator((f"phase{p}.res_b",), (acts,), ACT_TOP)
        result[f"phase{p}.modulated"] = Accumulator((f"phase{p}.modulated",), (acts,))
        result[f"phase{p}.film_a"] = Accumulator(
            (f"phase{p}.film_a",), (np.concatenate([acts, full(latents, LATENT_TOP)]),)
        )
        result[f"phase{p}.film_b"] = Accumulator((f"phase{p}.film_b",), (full(hidden, ACT_TOP),))
        result[f"phase{p}.out"] = Accumulator((f"phase{p}.out",), (acts,), ACT_TOP)
        result[f"phase{p}.head"] = Accumulator((f"phase{p}.head",), (acts,))
    result["posterior.first"] = Accumulator(
        ("posterior.first",), (np.concatenate([acts, full(6, LOG_TOP)]),)
    )
    result["posterior.last"] = Accumulator(("posterior.last",), (full(hidden, ACT_TOP),))
    return result


def capabilities(config: PhotoConfig) -> Capabilities:
    """Return what a model of this config declares: diagonal Gaussian latents, images of any size.

    Examples:
        >>> capabilities(PhotoConfig()).media
        'any-size'
    """
    return Capabilities(DIAGONAL_GAUSSIAN, media=ANY_SIZE)


def check_layers(config: PhotoConfig, layers: Mapping[str, IntConv]) -> float:
    """Check that the integer layers are those of the config's networks, in name, shape and range.

    Returns the largest possible sum as a fraction of the exact bound 2^24. Raises ModelFormatError
    on missing or misshapen layers, AccumulatorBoundError where a sum might not be exact.

    Examples:
        >>> from bbans.training.networks.families import export, float_network
        >>> config = PhotoConfig(channels=4, hidden=4)
        >>> check_layers(config, export(float_network(config))) < 1
        True
    """
    return check_accumulators(accumulators(config), layers)


class ExactPhoto:
    """The model in integers, on a backend of exact operations.

    Trunks and carried features are opaque arrays of the backend; everything else is numpy integers.
    Immutable after construction. Raises ModelFormatError and AccumulatorBoundError on layers that
    do not fit.
    """

    def __init__(self, config: PhotoConfig, layers: Mapping[str, IntConv], ops: Engine) -> None:
        check_layers(config, layers)
        self.config = config
        self.ops = ops
        phases = range(len(PHASES))
        self._trunks = [_trunk(config, layers, ops, phase) for phase in phases]
        self._films = [_film(config, layers, ops, phase) for phase in phases]
        self._heads = [_head(config, layers, ops, phase) for phase in phases]
        self._posterior = _posterior(config, layers, ops)

    def latent_shape(self, h: int, w: int) -> tuple[int, int, int]:
        """Return the shape `(channels, rows, columns)` of the latent map over an h x w grid of
        half-resolution positions.
        """
        block = self.config.latent_block
        return self.config.latent_channels, -(-h // block), -(-w // block)

    @one_openmp_thread()
    def start(self, h: int, w: int) -> Any:
        """Return the features carried into the coarsest level: zeros on its `h x w` grid."""
        return self.ops.zeros(self.config.channels, h, w)

    @one_openmp_thread()
    def carry_up(self, trunk: Any, h: int, w: int) -> Any:
        """Return the trunk of a level's last phase, up-sampled to the next finer level's `h x w`
        grid.
        """
        return self.ops.spread(trunk, 2, h, w)

    @one_openmp_thread()
    def trunk(
        self, phase: int, known: list[Int32Array], sums: Int32Array, carried: Any, level: int
    ) -> Any:
        """Compute the features of a phase, which do not depend on latents. known: pixels `(3, h,
        w)` of the known phases; sums: four times the prediction `(3, h, w)`.
        """
        seen = np.concatenate([*(4 * k - sums for k in known), sums - 512])
        return self._trunks[phase]((self.ops.load(seen), carried), sums.shape[1:], bias_row=level)

    @one_openmp_thread()
    def posterior(self, trunk: Any, residuals: list[Int32Array]) -> tuple[Int32Array, Int32Array]:
        """q(u): return mean (unit 1/128) and sigma index (sigma = 2^(i / 8 - 6)), each `(rows *
        columns, channels)`. residuals: 4 x - sum of phases 11 and 01.
        """
        ops, block = self.ops, self.config.latent_block
        magnitudes = ops.table(ops.load(np.concatenate(residuals)), log_magnitude())
        features = ops.concat([ops.pool(trunk, block), ops.pool(magnitudes, block)])
        out = ops.store(self._posterior((features,), features.shape[-2:])).astype(np.int32)
        mean, sigma = np.split(out, 2, axis=1)
        return mean.clip(-MEAN_TOP, MEAN_TOP), sigma.clip(0, SIGMA_TOP)

    @one_openmp_thread()
    def outputs(self, phase: int, trunk: Any, u: Int32Array) -> NDArray[np.int16]:
        """Return mixture parameters, int16 `(h * w, 10 K)` within OUTPUT_LIMITS. u: latents or
        their means (unit 1/128), `(channels, rows, columns)`.
        """
        ops, block = self.ops, self.config.latent_block
        features = ops.concat([ops.pool(trunk, block), ops.load(u)])
        film = Film(self._films[phase]((features,), features.shape[-2:]), block)
        parameters = self._heads[phase]((trunk,), trunk.shape[-2:], film)
        return ops.store(parameters).astype(np.int16, copy=False)


def _trunk(config: PhotoConfig, layers: Mapping[str, IntConv], ops: Engine, phase: int) -> Network:
    """Inputs: known samples and prediction; carried features."""
    steps = (
        Affine((("enter", 0), ("carry", 1)), 0, ACT_TOP),
        Affine((("res_a", 2),), 0, ACT_TOP),
        Affine((("res_b", 3),), 0, ACT_TOP, residual=2),
    )
    known = Input(3 * (phase + 2), 1020)
    return ops.network(_of_phase(layers, phase), (known, Input(config.channels, ACT_TOP)), steps)


def _film(config: PhotoConfig, layers: Mapping[str, IntConv], ops: Engine, phase: int) -> Network:
    """Input: means of the trunk, latents. Result: scales and offsets."""
    sides = np.array([[0, FILM_TOP], [-PRE_TOP, PRE_TOP]], np.int32)
    low, high = np.repeat(sides, config.channels, axis=0).T
    steps = (Affine((("film_a", 0),), 0, ACT_TOP), Affine((("film_b", 1),), low, high))
    means = Input(config.channels + config.latent_channels, ACT_TOP)
    return ops.network(_of_phase(layers, phase), (means,), steps)


def _head(config: PhotoConfig, layers: Mapping[str, IntConv], ops: Engine, phase: int) -> Network:
    """Input: the trunk. Result: mixture parameters."""
    sizes = mixture_layout.sizes(config.mixtures)
    low, high = np.repeat(np.array(OUTPUT_LIMITS, np.int32), sizes, axis=0).T
    steps = (
        Affine((("modulated", 0),), -PRE_TOP, PRE_TOP),
        Modulate(1, 0, ACT_TOP),
        Affine((("out", 2),), 0, ACT_TOP, residual=0),
        Affine((("head", 3),), low, high),
    )
    return ops.network(_of_phase(layers, phase), (Input(config.channels, ACT_TOP),), steps)


def _posterior(config: PhotoConfig, layers: Mapping[str, IntConv], ops: Engine) -> Network:
    """Input: means of the trunk and of log-magnitudes. Result: means and log sigmas."""
    steps = (
        Affine((("posterior.first", 0),), 0, ACT_TOP),
        Affine((("posterior.last", 1),), -PRE_TOP, PRE_TOP),
    )
    return ops.network(layers, (Input(config.channels + 6, LOG_TOP),), steps)


def _of_phase(layers: Mapping[str, IntConv], phase: int) -> dict[str, IntConv]:
    """Return a phase's layers by their names within it."""
    prefix = f"phase{phase}."
    return {name.removeprefix(prefix): layers[name] for name in layers if name.startswith(prefix)}
