"""p(z) p(x_coarsest | z) prod_i p(x_i | x_<i, z) with q(z | x): the pyramid VAE, its
hyper-parameters, which are part of the model id, and its integer networks; one layer of latents.

Phase 00 of x^(s) = x[::2^s, ::2^s] is x^(s + 1). A step codes one channel of phase 11, 01 or 10 of
one level; the coarsest image comes first, finer levels follow (`models.pyramid_steps`). Samples go
to the networks as they are, features and planes in 1 / ACT_UNIT, latents as in `models.vae`; sums
stay below 2^53. `training.networks.pyramid` trains it, operation by operation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbans.distributions import gaussian_bins
from bbans.distributions.autoregressive import Walk, walked
from bbans.distributions.distribution import Distribution
from bbans.errors import ModelFormatError
from bbans.exact.layers import FLOAT64_BOUND, Accumulator, IntConv, check_accumulators
from bbans.exact.ops import Ops
from bbans.exact.threads import one_openmp_thread
from bbans.models import heads, mlp
from bbans.models.base import DIAGONAL_GAUSSIAN, Capabilities
from bbans.models.heads import Head, gaussian_fields, latent_field
from bbans.models.image_config import ImageConfig, check_common
from bbans.models.mlp import ACT_TOP, ACT_UNIT, OUT_TOP, ExactMlp, Field, Mlp
from bbans.models.pyramid_steps import PHASES, Step, coarsest, drawn_grids, positions, seen, steps


@dataclass(frozen=True)
class PyramidConfig(ImageConfig):
    """Shape of the networks. `latents` has one entry: the dimensions of z."""

    latents: tuple[int, ...] = (16,)
    hidden: int = 256  # width of the dense layers, of q(z | x) and of the planes that z draws
    hidden_layers: int = 2
    planes: int = 4  # that z draws on the grid of every level but the finest of large images
    trunk: int = 32  # channels of the convolutions
    blocks: int = 1  # residual blocks of a step
    latent_precision: int = 12  # bits of a latent under the prior

    def head_of(self, dims: int) -> Head:
        """p of `dims` samples."""
        return Head(dims, self.levels, self.likelihood, self.components)


def plane_field(count: int) -> Field:
    """Planes that z draws, as convolutions read them."""
    return Field(count, ACT_UNIT, -ACT_TOP, ACT_TOP)


def plans(config: PyramidConfig) -> dict[str, Mlp]:
    """The dense networks: `posterior1` is q(z | x), `drawing` turns z into the coarsest image's p
    and the planes of each level.
    """
    hidden = (config.hidden,) * config.hidden_layers
    rows, columns = coarsest(config)
    first = config.head_of(rows * columns * config.channels)
    drawn = tuple(plane_field(config.planes * h * w) for h, w in drawn_grids(config))
    return {
        "posterior1": Mlp(
            (config.head_of(len(seen(config))).input_field(),),
            hidden,
            gaussian_fields(config.latents[0]),
        ),
        "drawing": Mlp((latent_field(config.latents[0]),), hidden, (*first.fields(), *drawn)),
        **first.plans(),
    }


def check(config: PyramidConfig) -> None:
    """Bound every field before anything is built from it. Raises ModelFormatError."""
    ranges = {"latent_precision": (4, 12), "planes": (1, 64), "trunk": (1, 512), "blocks": (0, 16)}
    check_common(config, ranges, config.latents)
    if len(config.latents) != 1:
        raise ModelFormatError(
            f"a pyramid has one layer of latents; found {config.latents}; the model file is "
            "malformed"
        )


Ints = NDArray[np.int64]


def accumulators(config: PyramidConfig) -> dict[str, Accumulator]:
    """Every accumulator of the convolutions with the largest magnitude of each of its inputs."""
    acts = np.full(config.trunk, ACT_TOP, np.int64)
    outputs = sum(f.count for f in config.head_of(1).fields())
    found = {}
    for i, step in enumerate(steps(config)):
        name = step.name
        known = np.full(step.planes(config.channels), config.levels - 1, np.int64)
        entering = np.concatenate([known, np.full(step.drawn(config.planes), ACT_TOP, np.int64)])
        read = 2 if i else 1  # the first step has no features to carry on
        names, maxima, shape = (
            (f"{name}.enter", f"{name}.carry"),
            (entering, acts),
            (config.trunk, 3, 1),
        )
        found[f"{name}.enter"] = Accumulator(names[:read], maxima[:read], shape=shape[: 1 + read])
        for block in range(config.blocks):
            found[f"{name}.res_a{block}"] = Accumulator(
                (f"{name}.res_a{block}",), (acts,), shape=(config.trunk, 3)
            )
            found[f"{name}.res_b{block}"] = Accumulator(
                (f"{name}.res_b{block}",), (acts,), ACT_TOP, (config.trunk, 3)
            )
        found[f"{name}.out"] = Accumulator(
            (f"{name}.out", f"{name}.direct"), (acts, entering), shape=(outputs, 1, 3)
        )
    return found


def capabilities(config: PyramidConfig) -> Capabilities:
    """What a model of the family can do."""
    return Capabilities(DIAGONAL_GAUSSIAN)


def check_layers(config: PyramidConfig, layers: Mapping[str, IntConv]) -> float:
    """Refuse layers that are missing, misshapen or inexact; returns the largest sum as a fraction
    of the bound.
    """
    wanted = {**accumulators(config), **mlp.accumulators(plans(config))}
    return check_accumulators(wanted, layers, FLOAT64_BOUND)


class ExactPyramid:
    """The model on a backend. Immutable once made."""

    def __init__(self, config: PyramidConfig, layers: Mapping[str, IntConv], ops: Ops) -> None:
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
        self._seen = seen(config)
        self._positions = [positions(config, step) for step in (None, *steps(config))]

    @property
    def capabilities(self) -> Capabilities:
        """What the model declares of itself."""
        return capabilities(self.config)

    def prior(self, items: int) -> Distribution:
        """p(z)."""
        return gaussian_bins.standard_normal(
            (items, self.config.latents[0]), self.config.latent_precision
        )

    def likelihood(self, layer: int, above: Ints) -> Distribution:
        """p(x | z = above), step by step."""
        return walked(lambda: self._walk(above), (len(above), self.config.head.dims))

    def posterior(self, layer: int, below: Ints) -> Distribution:
        """q(z | x = below)."""
        return heads.gaussian(
            self._networks["posterior1"](below[:, self._seen]), self.config.latent_precision
        )

    def default_latent(self, items: int) -> Ints:
        """z in the middle of the prior."""
        return np.full(
            (items, self.config.latents[0]), 1 << (self.config.latent_precision - 1), np.int64
        )

    def gaussians(self, x: Ints) -> tuple[Ints, Ints, int]:
        """Means in 1/128 and sigma indices of q(z | x), each `(items, latents)`, and the latent
        precision.
        """
        mean, sigma = self._networks["posterior1"](x[:, self._seen])
        return mean, sigma, self.config.latent_precision

    def means(self, x: Ints) -> list[Ints]:
        """Means of q in 1/128, `(items, latents)`."""
        return [self.gaussians(x)[0]]

    def _walk(self, z: Ints) -> Walk:
        config, items = self.config, len(z)
        drawn = self._networks["drawing"](gaussian_bins.value(config.latent_precision, z))
        sizes = drawn_grids(config)
        first, planes = (
            drawn[: len(drawn) - len(sizes)],
            dict(zip(sizes, drawn[len(drawn) - len(sizes) :], strict=True)),
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
                _known(image.reshape(items, config.height, config.width, config.channels), step)
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
        """One array `(items, rows * columns * count)` for each field of the head."""
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


def _known(image: Ints, step: Step) -> Ints:
    """Planes `(items, planes, h, w)` of known samples, zeros where a phase ends before the grid;
    image `(items, H, W, channels)`.
    """
    spacing, (h, w) = 2**step.level, step.grid
    found = np.zeros((len(image), step.planes(image.shape[3]), h, w), np.int64)
    first = 0
    for i, (row, column) in enumerate([(0, 0), *PHASES[: step.phase + 1]]):
        channels = step.channel if i == step.phase + 1 else image.shape[3]
        plane = image[
            :, row * spacing :: 2 * spacing, column * spacing :: 2 * spacing, :channels
        ].transpose(0, 3, 1, 2)
        found[:, first : first + channels, : plane.shape[2], : plane.shape[3]] = plane
        first += channels
    return found
