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
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bbans.distributions import mixture_layout
from bbans.distributions.tables import log_magnitude
from bbans.errors import ModelFormatError
from bbans.exact.layers import Accumulator, IntConv, check_accumulators
from bbans.exact.ops import Ops
from bbans.exact.threads import in_bands, one_openmp_thread
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
BAND = 48  # rows computed at once: a multiple of every latent block
OUTPUT_LIMITS = ((-2048, 2048), (-8192, 8192), (0, 160), (-256, 256))

Band: TypeAlias = tuple[slice, slice, slice]


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

    def __init__(self, config: PhotoConfig, layers: Mapping[str, IntConv], ops: Ops) -> None:
        check_layers(config, layers)
        self.config = config
        self.ops = ops
        self._layers = {name: ops.prepare(layer) for name, layer in layers.items()}
        sizes = mixture_layout.sizes(config.mixtures)
        limits = np.repeat(np.array(OUTPUT_LIMITS, np.int32), sizes, axis=0)
        self._limits = [ops.load(limits[:, i, None, None]) for i in range(2)]

    def latent_shape(self, h: int, w: int) -> tuple[int, int, int]:
        """Return the shape `(channels, rows, columns)` of the latent map over an h x w grid of
        half-resolution positions.
        """
        block = self.config.latent_block
        return self.config.latent_channels, -(-h // block), -(-w // block)

    @one_openmp_thread()
    def start(self, h: int, w: int) -> Any:
        """Return the features carried into the coarsest level: zeros on its `h x w` grid."""
        return self.ops.keep([(slice(0, h), self.ops.zeros(self.config.channels, h, w))], h)

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
        height = sums.shape[1]

        def part(band: Band) -> tuple[slice, Any]:
            rows, seen, kept = band
            inputs = [k[:, seen] for k in known], sums[:, seen], self.ops.take(carried, seen)
            return rows, self._trunk(phase, *inputs, level)[..., kept, :]

        return self.ops.keep(in_bands(part, _bands(height, 3)), height)

    def _trunk(
        self, phase: int, known: list[Int32Array], sums: Int32Array, carried: Any, level: int
    ) -> Any:
        ops = self.ops
        x = ops.load(np.concatenate([*(4 * k - sums for k in known), sums - 512]))
        row = min(level, self.config.level_biases - 1)
        h = ops.conv(self._layers[f"phase{phase}.enter"], x, row)
        h += ops.conv(self._layers[f"phase{phase}.carry"], carried)
        h = ops.round_clip(h, 0, ACT_TOP)
        a = ops.round_clip(ops.conv(self._layers[f"phase{phase}.res_a"], h), 0, ACT_TOP)
        a = ops.conv(self._layers[f"phase{phase}.res_b"], a)
        a += h
        return ops.round_clip(a, 0, ACT_TOP)

    @one_openmp_thread()
    def posterior(self, trunk: Any, residuals: list[Int32Array]) -> tuple[Int32Array, Int32Array]:
        """q(u): return mean (unit 1/128) and sigma index (sigma = 2^(i / 8 - 6)), each `(rows *
        columns, channels)`. residuals: 4 x - sum of phases 11 and 01.
        """
        ops = self.ops
        magnitudes = ops.table(ops.load(np.concatenate(residuals)), log_magnitude())
        features = ops.concat([self._pooled(trunk), ops.pool(magnitudes, self.config.latent_block)])
        hidden = ops.round_clip(ops.conv(self._layers["posterior.first"], features), 0, ACT_TOP)
        out = ops.store(
            ops.round_clip(ops.conv(self._layers["posterior.last"], hidden), -PRE_TOP, PRE_TOP)
        )
        mean, sigma = np.split(out, 2, axis=1)
        return mean.clip(-MEAN_TOP, MEAN_TOP), sigma.clip(0, SIGMA_TOP)

    def _pooled(self, trunk: Any) -> Any:
        ops, block, height = self.ops, self.config.latent_block, trunk.shape[-2]

        def part(band: Band) -> tuple[slice, Any]:
            rows, _, _ = band
            return slice(rows.start // block, -(-rows.stop // block)), ops.pool(
                ops.take(trunk, rows), block
            )

        return ops.take(
            ops.keep(in_bands(part, _bands(height, 0)), -(-height // block)), slice(None)
        )

    @one_openmp_thread()
    def outputs(self, phase: int, trunk: Any, u: Int32Array) -> NDArray[np.int16]:
        """Return mixture parameters, int16 `(h * w, 10 K)` within OUTPUT_LIMITS. u: latents or
        their means (unit 1/128), `(channels, rows, columns)`.
        """
        ops, C, block = self.ops, self.config.channels, self.config.latent_block
        height, width = trunk.shape[-2:]
        hidden = ops.conv(
            self._layers[f"phase{phase}.film_a"], ops.concat([self._pooled(trunk), ops.load(u)])
        )
        film = ops.conv(self._layers[f"phase{phase}.film_b"], ops.round_clip(hidden, 0, ACT_TOP))
        film = ops.round_clip(film, -PRE_TOP, PRE_TOP)
        scale, shift = film[:, :C].clip(0, FILM_TOP) * 2.0**-6, film[:, C:]
        parameters = np.empty((height * width, self.config.outputs), np.int16)

        def part(band: Band) -> None:
            rows, seen, kept = band
            blocks = slice(rows.start // block, -(-rows.stop // block))
            x = ops.take(trunk, seen)
            g = ops.conv(self._layers[f"phase{phase}.modulated"], x)[..., kept, :]
            g = ops.round_clip(g, -PRE_TOP, PRE_TOP)
            g = ops.modulate(g, scale[..., blocks, :], shift[..., blocks, :], block)
            g = ops.conv(self._layers[f"phase{phase}.out"], ops.round_clip(g, 0, ACT_TOP))
            g += x[..., kept, :]
            g = ops.round_clip(g, 0, ACT_TOP)
            result = ops.round_clip(ops.conv(self._layers[f"phase{phase}.head"], g), *self._limits)
            parameters[rows.start * width : rows.stop * width] = ops.store(result)

        for _ in in_bands(part, _bands(height, 1)):
            pass
        return parameters


def _bands(height: int, reach: int) -> list[Band]:
    """Return, for each band of rows: its rows, the input rows that its result depends on, and the
    position of its own rows among these.

    The activations of a band stay in the processor's cache and need little memory.
    """
    bands = []
    for top in range(0, height, BAND):
        end = min(top + BAND, height)
        first = max(0, top - reach)
        bands.append(
            (
                slice(top, end),
                slice(first, min(height, end + reach)),
                slice(top - first, end - first),
            )
        )
    return bands
