"""p(z) p(x_coarsest | z) prod_i p(x_i | x_<i, z) with q(z | x): the pyramid VAE with one layer of
latents, its hyper-parameters, which are part of the model id, and its integer networks.

Phase 00 of x^(s) = x[::2^s, ::2^s] is x^(s + 1). A step codes one channel of phase 11, 01 or 10 of
one level; the coarsest image comes first, finer levels follow (`models.pyramid_steps`). Units:
samples enter the networks unscaled, features and latent planes are in 1 / ACT_UNIT, latents as in
`models.vae`; sums stay below 2^53. `training.networks.pyramid` trains the model, operation by
operation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bbans.distributions import gaussian_bins
from bbans.distributions.autoregressive import Walk, walked
from bbans.distributions.distribution import Distribution, Ints
from bbans.errors import ModelFormatError
from bbans.exact.layers import FLOAT64_BOUND, Accumulator, IntConv, check_accumulators
from bbans.exact.ops import Engine
from bbans.exact.threads import one_openmp_thread
from bbans.models import heads, mlp
from bbans.models.base import DIAGONAL_GAUSSIAN, Capabilities
from bbans.models.heads import Head, gaussian_fields, latent_field
from bbans.models.image_config import ImageConfig, check_common
from bbans.models.mlp import ACT_TOP, ACT_UNIT, OUT_TOP, ExactMlp, Field, Mlp
from bbans.models.pyramid_steps import (
    Step,
    coarsest,
    known_planes,
    latent_grids,
    positions,
    posterior_positions,
    steps,
)


@dataclass(frozen=True)
class PyramidConfig(ImageConfig):
    """Shape of the networks. `latents` has one entry, the dimensions of z."""

    latents: tuple[int, ...] = (16,)
    hidden: int = 256  # width of the hidden layers of q(z | x) and of the latent planes
    hidden_layers: int = 2
    planes: int = 4  # latent planes on each grid of up to LATENT_SIDE positions a side
    trunk: int = 32  # channels of the convolutions
    blocks: int = 1  # residual blocks of a step
    latent_precision: int = 12  # bits of a latent under the prior

    def head_of(self, dims: int) -> Head:
        """Return the head of p(x | .) for `dims` samples."""
        return Head(dims, self.levels, self.likelihood, self.components)


def plane_field(count: int) -> Field:
    """Return the field of `count` values of latent planes, which a dense network computes from z
    and convolutions read.

    Examples:
        >>> plane_field(16).count
        16
    """
    return Field(count, ACT_UNIT, -ACT_TOP, ACT_TOP)


def plans(config: PyramidConfig) -> dict[str, Mlp]:
    """Return the plans of the dense networks, by name: `posterior1` is q(z | x); `drawing` maps z
    to p of the coarsest image and to the latent planes of each level.

    Examples:
        >>> sorted(plans(PyramidConfig()))
        ['drawing', 'posterior1']
    """
    hidden = (config.hidden,) * config.hidden_layers
    rows, columns = coarsest(config)
    first = config.head_of(rows * columns * config.channels)
    planes = tuple(plane_field(config.planes * h * w) for h, w in latent_grids(config))
    return {
        "posterior1": Mlp(
            (config.head_of(len(posterior_positions(config))).input_field(),),
            hidden,
            gaussian_fields(config.latents[0]),
        ),
        "drawing": Mlp((latent_field(config.latents[0]),), hidden, (*first.fields(), *planes)),
        **first.plans(),
    }


def check(config: PyramidConfig) -> None:
    """Check that every field of a config is within its bounds, before anything is built from it.
    Raises ModelFormatError.

    Examples:
        >>> check(PyramidConfig(trunk=64))
    """
    ranges = {"latent_precision": (4, 12), "planes": (1, 64), "trunk": (1, 512), "blocks": (0, 16)}
    check_common(config, ranges, config.latents)
    if len(config.latents) != 1:
        raise ModelFormatError(
            f"a pyramid has one layer of latents; found {config.latents}; the model file is "
            "malformed"
        )


def accumulators(config: PyramidConfig) -> dict[str, Accumulator]:
    """Return every accumulator of the convolutions, by name, with the largest magnitude of each of
    its inputs.

    Examples:
        >>> "step0.0.0.enter" in accumulators(PyramidConfig())
        True
    """
    acts = np.full(config.trunk, ACT_TOP, np.int64)
    outputs = sum(f.count for f in config.head_of(1).fields())
    result = {}
    for i, step in enumerate(steps(config)):
        name = step.name
        known = np.full(step.planes(config.channels), config.levels - 1, np.int64)
        entering = np.concatenate(
            [known, np.full(step.latent_planes(config.planes), ACT_TOP, np.int64)]
        )
        read = 2 if i else 1  # no features are carried into the first step
        names, maxima, shape = (
            (f"{name}.enter", f"{name}.carry"),
            (entering, acts),
            (config.trunk, 3, 1),
        )
        result[f"{name}.enter"] = Accumulator(names[:read], maxima[:read], shape=shape[: 1 + read])
        for block in range(config.blocks):
            result[f"{name}.res_a{block}"] = Accumulator(
                (f"{name}.res_a{block}",), (acts,), shape=(config.trunk, 3)
            )
            result[f"{name}.res_b{block}"] = Accumulator(
                (f"{name}.res_b{block}",), (acts,), ACT_TOP, (config.trunk, 3)
            )
        result[f"{name}.out"] = Accumulator(
            (f"{name}.out", f"{name}.direct"), (acts, entering), shape=(outputs, 1, 3)
        )
    return result


def capabilities(config: PyramidConfig) -> Capabilities:
    """Return what a model of this config declares: diagonal Gaussian latents, one layer.

    Examples:
        >>> capabilities(PyramidConfig()).refinable
        True
    """
    return Capabilities(DIAGONAL_GAUSSIAN)


def check_layers(config: PyramidConfig, layers: Mapping[str, IntConv]) -> float:
    """Check that the integer layers are those of the config's networks, in name, shape and range.

    Returns the largest possible sum as a fraction of the exact bound 2^53. Raises ModelFormatError
    on missing or misshapen layers, AccumulatorBoundError where a sum might not be exact.

    Examples:
        >>> from bbans.training.networks.families import export, float_network
        >>> config = PyramidConfig(4, 4, latents=(3,), hidden=4, planes=1, trunk=4)
        >>> check_layers(config, export(float_network(config))) < 1
        True
    """
    wanted = {**accumulators(config), **mlp.accumulators(plans(config))}
    return check_accumulators(wanted, layers, FLOAT64_BOUND)


class ExactPyramid:
    """The model in integers, on a backend of exact operations. Immutable after construction. Raises
    ModelFormatError and AccumulatorBoundError on layers that do not fit.
    """

    def __init__(self, config: PyramidConfig, layers: Mapping[str, IntConv], ops: Engine) -> None:
        check_layers(config, layers)
        self.config = config
        self._ops = ops.widened()
        self._layers = {
            name: self._ops.prepare(layers[name])
            for a in accumulators(config).values()
            for name in a.layers
        }
        self._networks = {
            name: ExactMlp(name, plan, layers, ops) for name, plan in plans(config).items()
        }
        self._fields = config.head_of(1).fields()
        self._seen = posterior_positions(config)
        self._positions = [positions(config, step) for step in (None, *steps(config))]

    @property
    def capabilities(self) -> Capabilities:
        """Return what the model declares of itself: posterior, depth, side information and
        media.
        """
        return capabilities(self.config)

    def prior(self, items: int) -> Distribution:
        """p(z): return the prior, symbols `(items, latents)`."""
        return gaussian_bins.standard_normal(
            (items, self.config.latents[0]), self.config.latent_precision
        )

    def likelihood(self, layer: int, above: Ints) -> Distribution:
        """p(x | z = above): return it, symbols `(items, dims)`; pushing and popping go step by
        step.
        """
        return walked(lambda: self._walk(above), (len(above), self.config.head.dims))

    def posterior(self, layer: int, below: Ints) -> Distribution:
        """q(z | x = below): return it, symbols `(items, latents)`."""
        return heads.gaussian(
            self._networks["posterior1"](below[:, self._seen]), self.config.latent_precision
        )

    def default_latent(self, items: int) -> Ints:
        """Return the bin just above the prior's median for every latent, int64 `(items,
        latents)`.
        """
        return gaussian_bins.middle((items, self.config.latents[0]), self.config.latent_precision)

    def gaussians(self, x: Ints) -> tuple[Ints, Ints, int]:
        """Return means (unit 1/128) and sigma indices (sigma = 2^(i / 8 - 6)) of q(z | x), int64
        `(items, latents)` each, and the latent precision in bits.
        """
        mean, sigma = self._networks["posterior1"](x[:, self._seen])
        return mean, sigma, self.config.latent_precision

    def means(self, x: Ints) -> list[Ints]:
        """Return the means of q(z | x) in 1/128, one int64 array `(items, latents)` for the single
        layer.
        """
        return [self.gaussians(x)[0]]

    def _walk(self, z: Ints) -> Walk:
        config, items = self.config, len(z)
        emitted = self._networks["drawing"](gaussian_bins.value(config.latent_precision, z))
        sizes = latent_grids(config)
        first, planes = (
            emitted[: len(emitted) - len(sizes)],
            dict(zip(sizes, emitted[len(emitted) - len(sizes) :], strict=True)),
        )
        image = np.zeros((items, config.height * config.width * config.channels), np.int64)
        image[:, self._positions[0]] = yield (
            self._positions[0],
            self._samples(first, len(self._positions[0])),
        )
        carried: Any = None
        level = -1
        for step, at in zip(steps(config), self._positions[1:], strict=True):
            if step.level != level:
                level = step.level
                carried = None if carried is None else self._spread(carried, step)
            known = [
                known_planes(
                    image.reshape(items, config.height, config.width, config.channels), step
                )
            ]
            if step.grid in planes:
                known.append(planes[step.grid].reshape(items, -1, *step.grid))
            inputs = self._load(np.concatenate(known, 1))
            carried = self._features(step.name, inputs, carried)
            image[:, at] = yield at, self._samples(self._outputs(step, inputs, carried), len(at))

    @one_openmp_thread(wanted=False)
    def _load(self, inputs: Ints) -> Any:
        return self._ops.load(inputs)

    @one_openmp_thread(wanted=False)
    def _spread(self, carried: Any, step: Step) -> Any:
        return self._ops.spread(carried, 2, *step.grid)

    @one_openmp_thread(wanted=False)
    def _features(self, name: str, inputs: Any, carried: Any) -> Any:
        ops, layers = self._ops, self._layers
        x = ops.conv(layers[f"{name}.enter"], inputs)
        if carried is not None:
            x += ops.conv(layers[f"{name}.carry"], carried)
        x = ops.round_clip(x, 0, ACT_TOP)
        for block in range(self.config.blocks):
            a = ops.round_clip(ops.conv(layers[f"{name}.res_a{block}"], x), 0, ACT_TOP)
            a = ops.conv(layers[f"{name}.res_b{block}"], a)
            a += x
            x = ops.round_clip(a, 0, ACT_TOP)
        return x

    @one_openmp_thread(wanted=False)
    def _outputs(self, step: Step, inputs: Any, features: Any) -> list[Ints]:
        """Return one array `(items, rows * columns * count)` for each field of the head."""
        ops = self._ops
        sums = ops.conv(self._layers[f"{step.name}.out"], features)
        sums += ops.conv(self._layers[f"{step.name}.direct"], inputs)
        out = ops.store(ops.round_clip(sums, -OUT_TOP, OUT_TOP))
        out = out.reshape(-1, *step.grid, out.shape[1])[:, : step.rows, : step.columns]
        parts = np.split(out, np.cumsum([f.count for f in self._fields])[:-1], axis=3)
        return [
            part.clip(f.low, f.high).astype(np.int64).reshape(len(part), -1)
            for part, f in zip(parts, self._fields, strict=True)
        ]

    def _samples(self, outputs: list[Ints], dims: int) -> Distribution:
        return heads.samples(self.config.head_of(dims), outputs, self._networks.get("shared"))
